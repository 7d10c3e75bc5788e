/* left4me-generator: the command line. Each mode has a file of its own; modes.h. */

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"
#include "escape.h"
#include "log.h"
#include "modes.h"

static const char usage[] =
	"Usage: left4me-generator [--root=DIR] NORMAL [EARLY LATE]\n"
	"       left4me-generator render --format=FORMAT [--output=PATH] [OPTION]...\n"
	"       left4me-generator check [OPTION]...\n"
	"       left4me-generator status [--json] [--sizes] [--mark] [NAME]...\n"
	"       left4me-generator plan [--diff | --commands] [OPTION]...\n"
	"\n"
	"Makes systemd units for Left 4 Dead 2 servers out of /etc/left4me and the\n"
	"database.\n"
	"\n"
	"  NORMAL ...            as a systemd generator: write into these directories\n"
	"  render                write the same units elsewhere\n"
	"    --format=tree         files below --output, which is empty or missing\n"
	"    --format=bundlewrap   the host's units as JSON metadata, to --output or\n"
	"                          standard output\n"
	"  check                 print every problem with its place\n"
	"    --rows                only why the rows of the database cannot be read\n"
	"  status                what runs, against what is configured: of the servers\n"
	"                        NAME, or of the host\n"
	"    --json                the same as JSON\n"
	"    --sizes               also what servers take on disk; takes some seconds\n"
	"    --mark                have `systemctl reload-or-restart --marked` restart\n"
	"                          what waits for it\n"
	"  plan                  what the next reload would do, and what is left then\n"
	"    --diff                also the lines of the units\n"
	"    --commands            the commands instead, each with what it does\n"
	"\n"
	"  --config=PATH         this file or directory, not /etc/left4me; - is standard\n"
	"                        input\n"
	"  --database=FILE       this database instead of the configured one\n"
	"  --no-database         units of the host only\n"
	"  --root=DIR            put DIR before every path that is read\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 clean; 1 check: problems, status: something waits, plan:\n"
	"changes, render: rows were refused, generator: nothing written; 2 check,\n"
	"status, plan: could not look, render: nothing written, or a wrong command line.\n"
	"\n"
	"Example: left4me-generator check --config=- --no-database <left4me.conf\n"
	"Manual: man left4me-generator, man left4me.conf\n";

static int PRINTF_LIKE(1, 2) misused(const char *format, ...)
{
	cleanup_free char *message = NULL, *shown = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = xvasprintf(format, arguments);
	va_end(arguments);
	shown = escape_message(message);       /* an argument may hold anything */
	log_line(LOG_WARNING, "%s; --help explains", shown);
	return EXIT_NOTHING;
}

static int print(const char *text)
{
	(void) fputs(text, stdout);
	return fflush(stdout) == 0 ? EXIT_CLEAN : EXIT_PROBLEMS;
}

/* --- what each mode takes -------------------------------------------------------------------------------- */

static int run_generator(const struct options *options)
{
	if (options->word_count != 1 && options->word_count != 3)
		return misused("a generator takes one or three directories");
	if (!strchr(options->words[0], '/'))
		return misused("there is no mode '%s'", options->words[0]);
	return mode_generator(options);
}

static int run_render(const struct options *options)
{
	bool tree = options->format && strcmp(options->format, "tree") == 0;

	if (!options->format)
		return misused("render needs --format=tree or --format=bundlewrap");
	if (!tree && strcmp(options->format, "bundlewrap") != 0)
		return misused("unknown format '%s'", options->format);
	if (tree && !options->output)
		return misused("--format=tree needs --output=DIR");
	return mode_render(options);
}

static const struct mode {
	const char *name;
	int (*run)(const struct options *options);
	const char *takes;             /* options, by the letters of known_options[] */
	bool takes_words;
} modes[] = {
	{ "render", run_render, "focdrn", false },
	{ "check", mode_check, "cdrnw", false },
	{ "plan", mode_plan, "cdrDC", false },
	{ "status", mode_status, "jsm", true },
	{ NULL, run_generator, "cdr", true },          /* what systemd calls has no word of its own */
};

/* --- the command line ------------------------------------------------------------------------------------ */

static const struct option known_options[] = {
	{ "format", required_argument, NULL, 'f' }, { "output", required_argument, NULL, 'o' },
	{ "config", required_argument, NULL, 'c' }, { "database", required_argument, NULL, 'd' },
	{ "root", required_argument, NULL, 'r' },   { "no-database", no_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'j' },         { "sizes", no_argument, NULL, 's' },
	{ "mark", no_argument, NULL, 'm' },         { "rows", no_argument, NULL, 'w' },
	{ "diff", no_argument, NULL, 'D' },         { "commands", no_argument, NULL, 'C' },
	{ "help", no_argument, NULL, 'h' },         { "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

static void set_option(struct options *options, int letter, const char *value)
{
	const char **const values[] = {
		['f'] = &options->format, ['o'] = &options->output, ['c'] = &options->config,
		['d'] = &options->database, ['r'] = &options->prefix,
	};
	bool *const flags[] = {
		['n'] = &options->no_database, ['j'] = &options->json, ['s'] = &options->sizes, ['m'] = &options->mark,
		['D'] = &options->diff, ['C'] = &options->commands, ['w'] = &options->rows,
	};

	if (value)
		*values[letter] = value;
	else
		*flags[letter] = true;
}

/*
 * The letters of all options in `seen`; returns 'h' or 'v' at once, '?' for what is no option, lacks its value or has
 * an empty one, else 0.
 */
static int parse_options(int argc, char **argv, struct options *options, bool seen[CHAR_MAX])
{
	int letter;

	opterr = 0;
	while ((letter = getopt_long(argc, argv, "", known_options, NULL)) != -1) {
		if (letter == 'h' || letter == 'v')
			return letter;
		if (letter == '?' || (optarg && !*optarg))
			return '?';
		seen[letter] = true;
		set_option(options, letter, optarg);
	}
	return 0;
}

static int run_mode(const struct mode *mode, const struct options *options, const bool *seen)
{
	const char *name = mode->name ? mode->name : "a generator";

	for (const struct option *option = known_options; option->name; option++)
		if (seen[option->val] && !strchr(mode->takes, option->val))
			return misused("--%s is not for %s", option->name, name);
	if (options->word_count > 0 && !mode->takes_words)
		return misused("unexpected argument '%s'", options->words[0]);
	if (options->no_database && (options->database || options->rows))
		return misused("--no-database excludes --database and --rows");
	if (options->diff && options->commands)
		return misused("--diff excludes --commands");
	return mode->run(options);
}

int main(int argc, char **argv)
{
	struct options options = { .prefix = "" };
	bool seen[CHAR_MAX] = { false };
	int letter = parse_options(argc, argv, &options, seen);
	const struct mode *mode = modes;

	(void) umask(022);
	if (letter == 'h')
		return print(usage);
	if (letter == 'v')
		return print("left4me-generator " VERSION "\n");
	if (letter == '?')
		return misused("cannot make sense of '%s'", argv[optind - 1]);
	if (optind == argc)
		return misused("a mode or a directory is missing");
	while (mode->name && strcmp(argv[optind], mode->name) != 0)
		mode++;
	optind += mode->name != NULL;
	options.words = (const char *const *) argv + optind;
	options.word_count = (size_t) (argc - optind);
	return run_mode(mode, &options, seen);
}
