/* left4me-generator: the command line. Each mode has a file of its own; modes.h. */

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"
#include "modes.h"

static const char usage[] =
	"Usage: left4me-generator [--root=DIR] NORMAL [EARLY LATE]\n"
	"       left4me-generator render --format=tree|bundlewrap [--output=PATH] [OPTION]...\n"
	"       left4me-generator check [OPTION]...\n"
	"\n"
	"Makes systemd units for Left 4 Dead 2 servers out of /etc/left4me and the database.\n"
	"\n"
	"  NORMAL ...            as a systemd generator: write into these directories\n"
	"  render                write the same units elsewhere\n"
	"    --format=tree         files below --output, which is empty or missing\n"
	"    --format=bundlewrap   JSON metadata of the host's units, to --output or standard output\n"
	"  check                 print every problem with its place\n"
	"\n"
	"  --config=PATH         a configuration file or directory, or - for standard input (/etc/left4me)\n"
	"  --database=FILE       this database instead of the configured one\n"
	"  --no-database         units of the host only\n"
	"  --root=DIR            put DIR before every path that is read\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 clean; 1 check: problems, render: rows were refused, generator: nothing written;\n"
	"2 check: could not look, render: nothing written, or a wrong command line.\n"
	"\n"
	"Example: left4me-generator render --no-database --config=- --format=bundlewrap < left4me.conf\n"
	"Manual: man left4me-generator, man left4me.conf\n";

static int PRINTF_LIKE(1, 2) misused(const char *format, ...)
{
	va_list arguments;

	(void) fputs("left4me-generator: ", stderr);
	va_start(arguments, format);
	(void) vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void) fputs("; --help explains\n", stderr);
	return EXIT_NOTHING;
}

static int print(const char *text)
{
	(void) fputs(text, stdout);
	return fflush(stdout) == 0 ? EXIT_CLEAN : EXIT_PROBLEMS;
}

static int run_generator(const struct options *options)
{
	if (options->directory_count != 1 && options->directory_count != 3)
		return misused("a generator takes one or three directories");
	if (!strchr(options->directories[0], '/'))
		return misused("there is no mode '%s'", options->directories[0]);
	if (options->format || options->output || options->no_database)
		return misused("--format, --output and --no-database are for render");
	return mode_generator(options);
}

static int run_render(const struct options *options)
{
	if (options->directory_count > 0)
		return misused("unexpected argument '%s'", options->directories[0]);
	if (!options->format)
		return misused("render needs --format=tree or --format=bundlewrap");
	if (strcmp(options->format, "tree") != 0 && strcmp(options->format, "bundlewrap") != 0)
		return misused("unknown format '%s'", options->format);
	if (strcmp(options->format, "tree") == 0 && !options->output)
		return misused("--format=tree needs --output=DIR");
	if (options->no_database && options->database)
		return misused("--database and --no-database exclude each other");
	return mode_render(options);
}

static int run_check(const struct options *options)
{
	if (options->directory_count > 0)
		return misused("unexpected argument '%s'", options->directories[0]);
	if (options->format || options->output)
		return misused("--format and --output are for render");
	if (options->no_database && options->database)
		return misused("--database and --no-database exclude each other");
	return mode_check(options);
}

/* The option that was looked at last, as it stands on the command line. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "format", required_argument, NULL, 'f' }, { "output", required_argument, NULL, 'o' },
		{ "config", required_argument, NULL, 'c' }, { "database", required_argument, NULL, 'd' },
		{ "root", required_argument, NULL, 'r' },   { "no-database", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },         { "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	const char **const values[] = {
		['f'] = &options->format, ['o'] = &options->output, ['c'] = &options->config,
		['d'] = &options->database, ['r'] = &options->prefix,
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 'n':
			options->no_database = true;
			break;
		case 'h':
		case 'v':
			return option;
		default:
			if (option == '?' || !*optarg)
				return '?';
			*values[option] = optarg;
		}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *options);
	} modes[] = { { "render", run_render }, { "check", run_check } };
	struct options options = { .prefix = "" };
	int (*mode)(const struct options *) = run_generator;
	int option = parse_options(argc, argv, &options);

	(void) umask(022);
	if (option == 'h')
		return print(usage);
	if (option == 'v')
		return print("left4me-generator " VERSION "\n");
	if (option == '?')
		return misused("cannot make sense of '%s'", argv[optind - 1]);
	if (optind == argc)
		return misused("a mode or a directory is missing");
	for (size_t i = 0; i < ELEMENTS(modes); i++)
		if (strcmp(argv[optind], modes[i].name) == 0) {
			mode = modes[i].run;
			optind++;
			break;
		}
	options.directories = (const char *const *) argv + optind;
	options.directory_count = (size_t) (argc - optind);
	return mode(&options);
}
