/* left4me-generator: chooses the mode, wires the stages, prints the report, sets the exit status. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "reader.h"
#include "host.h"
#include "last-good.h"
#include "log.h"
#include "model.h"
#include "render.h"
#include "report.h"
#include "sink.h"

enum { EXIT_CLEAN = 0, EXIT_PROBLEMS = 1, EXIT_NOTHING = 2 };

/*
 * Seconds. Reading may hang: when its time is over the process ends. What follows can only be slow, on a machine
 * that swaps say, and what it makes is wanted even then; when its time is over the tree is taken back, well before
 * systemd's own 90 seconds.
 */
enum { READ_PATIENCE = 5, WRITE_PATIENCE = 30, LAST_PATIENCE = 1 };

enum { LOGGED_LINES_MAX = 20 };

/* The command line. Strings are arguments or NULL; prefix is "" without --root. */
struct options {
	const char *format, *output, *config, *database;
	const char *prefix;
	bool no_database;
	const char *folders[3];        /* of the generator mode */
	size_t folder_count;
};

/* What one run reads and makes of it. */
struct run {
	struct report report;
	struct config config;
	struct reader reader;
	struct rows rows;
	enum rows_origin origin;
	struct model model;
	struct running running;        /* in generator mode */
	struct rendering rendering;
};

static volatile sig_atomic_t is_writing, out_of_time;

static const char usage[] =
	"Usage: left4me-generator [--root=DIR] NORMAL [EARLY LATE]\n"
	"       left4me-generator render --format=tree|bundlewrap [--output=PATH] [OPTION]...\n"
	"       left4me-generator check [OPTION]...\n"
	"\n"
	"Makes systemd units for Left 4 Dead 2 servers out of /etc/left4me and the database.\n"
	"\n"
	"  NORMAL ...            as a systemd generator: write into these folders\n"
	"  render                write the same units elsewhere\n"
	"    --format=tree         files below --output, which is empty or missing\n"
	"    --format=bundlewrap   JSON metadata of the host's units, to --output or standard output\n"
	"  check                 print every problem with its place\n"
	"\n"
	"  --config=PATH         a configuration file or folder, or - for standard input (/etc/left4me)\n"
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

static void run_done(struct run *run)
{
	rendering_done(&run->rendering);
	running_done(&run->running);
	model_done(&run->model);
	rows_done(&run->rows);
	reader_done(&run->reader);
	config_done(&run->config);
	report_done(&run->report);
}

/* --- reading --------------------------------------------------------------------------------------------- */

/* The child that will read the rows is made before the configuration is read, which may hold secrets of the web's. */
static void read_config(struct run *run, const struct options *options, bool on_target)
{
	const struct config_source source = {
		.prefix = options->prefix, .path = options->config, .on_target = on_target,
		/* a check by another user on the host itself says what root would */
		.root_owned = geteuid() == 0 || (on_target && !*options->prefix && !options->config),
	};

	if (!options->no_database)
		reader_fork(&run->reader);
	config_load(&source, &run->report, &run->config);
}

/* Falls back to the last good rows when there are any; `last_good` is NULL where none are kept. 0 or -1. */
static int read_rows(struct run *run, const struct options *options, const char *last_good)
{
	const char *database = options->database ? options->database : run->config.host.database;
	cleanup_free char *path = xasprintf("%s%s", options->prefix, database);
	cleanup_free char *reason = NULL;
	bool denied;
	long age;
	int r;

	run->origin = ROWS_DATABASE;
	reader_start(&run->reader, path);
	render_prepare(&run->config, &run->rendering);
	if (reader_finish(&run->reader, &run->rows, &reason, &denied) == 0)
		return 0;
	run->report.blind |= denied;
	run->origin = ROWS_NONE;
	r = last_good ? last_good_read(last_good, &run->rows) : -ENOENT;
	age = last_good ? last_good_age(last_good) : -1;
	if (r == 0)
		run->origin = ROWS_LAST_GOOD;
	if (r == 0 || (r == -EACCES && age >= 0))      /* a check by another user than root says what root does */
		report_problem(&run->report, database, "%s; the rows of %ld seconds ago are used", reason, age);
	else if (last_good)
		report_problem(&run->report, database, "%s; there are no servers until it can be read", reason);
	else
		report_problem(&run->report, database, "%s", reason);
	return -1;
}

static void omit_rows(struct run *run)
{
	run->origin = ROWS_OMITTED;
	render_prepare(&run->config, &run->rendering);
}

/* --- generator ------------------------------------------------------------------------------------------- */

/* The first alarm of the writing asks for the tree to be taken back; any other ends the process where it is. */
static void on_alarm(int signal)
{
	static const char message[] = "<3>left4me-generator: gave up, it takes too long\n";
	int fd;

	(void) signal;
	if (is_writing && !out_of_time) {
		out_of_time = 1;
		(void) alarm(LAST_PATIENCE);
		return;
	}
	fd = open("/dev/kmsg", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		(void) !write(fd, message, sizeof(message) - 1);
	_exit(EXIT_PROBLEMS);
}

/* ".../systemd/generator" -> ".../NAME", owned by the caller; NULL for any other folder. */
static char *run_folder(const char *units, const char *name)
{
	static const char suffix[] = "/systemd/generator";
	size_t length = strlen(units);

	while (length > 1 && units[length - 1] == '/')
		length--;
	if (length < sizeof(suffix) || strncmp(units + length - sizeof(suffix) + 1, suffix, sizeof(suffix) - 1) != 0)
		return NULL;
	return xasprintf("%.*s/%s", (int) (length - sizeof(suffix) + 1), units, name);
}

static bool is_not_for_us(void)
{
	const char *initrd = getenv("SYSTEMD_IN_INITRD"), *scope = getenv("SYSTEMD_SCOPE");

	return (initrd && strcmp(initrd, "1") == 0) || (scope && strcmp(scope, "user") == 0);
}

/* What was reported since there were `from` lines. */
static void log_report(const struct report *report, size_t from)
{
	size_t end = report->count < from + LOGGED_LINES_MAX ? report->count : from + LOGGED_LINES_MAX;

	for (size_t i = from; i < end && i < REPORT_LINES_MAX; i++)
		log_line(LOG_WARNING, "%s", report->lines[i]);
	if (report->count > end)
		log_line(LOG_WARNING, "and %zu more: left4me-generator check", report->count - end);
}

static int write_tree(struct run *run, const char *units, const char *state)
{
	cleanup_text struct text lines = TEXT_EMPTY, rows = TEXT_EMPTY;
	int r;

	text_puts(&lines, "");
	report_write(&run->report, &lines);
	rows.data = run->rows.data;
	rows.length = run->rows.length;
	bundle_add_text(&run->rendering.bundle, PLACE_STATE, "report", 0644, &lines);
	if (run->origin == ROWS_DATABASE)
		bundle_add_text(&run->rendering.bundle, PLACE_STATE, "last-good", 0600, &rows);
	r = sink_folders(&run->rendering.bundle, units, state, &out_of_time, &run->report);
	rows.data = NULL;
	return r;
}

static int generate(const struct options *options)
{
	cleanup_free char *state = run_folder(options->folders[0], "left4me");
	cleanup_free char *started = run_folder(options->folders[0], "systemd/units");
	cleanup_free char *last_good = state ? xasprintf("%s/last-good", state) : NULL;
	cleanup(run_done) struct run run = { .reader = READER_NONE };
	size_t logged;
	int r;

	if (is_not_for_us())
		return EXIT_CLEAN;
	(void) sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	(void) alarm(READ_PATIENCE);
	read_config(&run, options, true);
	if (getenv("SYSTEMD_SCOPE") && !*options->prefix)
		log_to_kernel();
	(void) read_rows(&run, options, last_good);
	is_writing = 1;
	(void) alarm(WRITE_PATIENCE);
	model_build(&run.config, &run.rows, &run.report, &run.model);
	if (started)
		running_read(started, &run.report, &run.running);
	render(&run.model, &run.running, run.origin, &run.rendering);
	/* Before the tree is there: a line that fails for want of memory ends the run with status 1. */
	log_line(LOG_INFO, "%zu servers, %zu overlays, %zu refused", run.model.instance_count,
		 run.model.overlay_count, run.model.refused);
	log_report(&run.report, 0);
	logged = run.report.count;
	r = write_tree(&run, options->folders[0], state);
	if (r < 0)
		log_report(&run.report, logged);
	reader_wait(&run.reader);
	/* Straight out: to tidy up what ends anyway, libraries included, takes a twentieth of a short run. */
	_exit(r < 0 ? EXIT_PROBLEMS : EXIT_CLEAN);
}

/* --- render ---------------------------------------------------------------------------------------------- */

static void print_report(const struct run *run, FILE *file)
{
	cleanup_text struct text lines = TEXT_EMPTY;

	text_puts(&lines, "");
	report_write(&run->report, &lines);
	(void) fputs(lines.data, file);
	(void) fflush(file);
}

/* 0 when a bundle may be made: no fault in the configuration, and rows where they are wanted. */
static int read_for_render(struct run *run, const struct options *options)
{
	read_config(run, options, false);
	if (run->report.problems > 0)
		return -1;
	if (!options->no_database)
		return read_rows(run, options, NULL);
	omit_rows(run);
	return 0;
}

static int render_mode(const struct options *options)
{
	cleanup(run_done) struct run run = { .reader = READER_NONE };
	bool tree = strcmp(options->format, "tree") == 0;
	int r = read_for_render(&run, options);

	if (r == 0) {
		model_build(&run.config, &run.rows, &run.report, &run.model);
		render(&run.model, &run.running, run.origin, &run.rendering);
		r = tree ? sink_tree(&run.rendering.bundle, options->output, &run.report)
			 : sink_json(&run.rendering.bundle, options->output, &run.report);
	}
	print_report(&run, stderr);
	if (r < 0)
		return EXIT_NOTHING;
	return run.report.problems > 0 ? EXIT_PROBLEMS : EXIT_CLEAN;
}

/* --- check ----------------------------------------------------------------------------------------------- */

static int check_mode(const struct options *options)
{
	cleanup(run_done) struct run run = { .reader = READER_NONE };
	cleanup_free char *last_good = xasprintf("%s/run/left4me/last-good", options->prefix);
	bool on_host = !*options->prefix && !options->config && !options->database;

	read_config(&run, options, true);
	if (options->no_database)
		omit_rows(&run);
	else
		(void) read_rows(&run, options, options->database ? NULL : last_good);
	model_build(&run.config, &run.rows, &run.report, &run.model);
	render(&run.model, &run.running, run.origin, &run.rendering);
	if (on_host)
		host_check(&run.config, &run.rendering.bundle, &run.report);
	print_report(&run, stdout);
	(void) fprintf(stderr, "%zu servers, %zu overlays, %zu refused\n", run.model.instance_count,
		       run.model.overlay_count, run.model.refused);
	if (run.report.blind || ferror(stdout))
		return EXIT_NOTHING;
	return run.report.problems > 0 ? EXIT_PROBLEMS : EXIT_CLEAN;
}

/* --- the command line ------------------------------------------------------------------------------------ */

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

/* Takes "--name=value" or "--name value"; false when the argument is another one, *ret_value NULL when it has none. */
static bool take_option(char ***arguments, const char *name, const char **ret_value)
{
	size_t length = strlen(name);
	const char *argument = **arguments;

	if (strncmp(argument, name, length) != 0 || (argument[length] != '=' && argument[length] != '\0'))
		return false;
	if (argument[length] == '=')
		*ret_value = argument + length + 1;
	else if ((*ret_value = (*arguments)[1]) != NULL)
		(*arguments)++;
	return true;
}

/* NULL, or what is wrong with the argument it stopped at. */
static const char *parse_options(char **arguments, struct options *options)
{
	const struct {
		const char *name;
		const char **value;
	} table[] = {
		{ "--format", &options->format },
		{ "--output", &options->output },
		{ "--config", &options->config },
		{ "--database", &options->database },
		{ "--root", &options->prefix },
	};

	for (; *arguments; arguments++) {
		size_t i = 0;

		if (strcmp(*arguments, "--no-database") == 0) {
			options->no_database = true;
			continue;
		}
		if (strncmp(*arguments, "--", 2) != 0) {
			if (options->folder_count == ELEMENTS(options->folders))
				return *arguments;
			options->folders[options->folder_count++] = *arguments;
			continue;
		}
		while (i < ELEMENTS(table) && !take_option(&arguments, table[i].name, table[i].value))
			i++;
		if (i == ELEMENTS(table))
			return *arguments;
		if (!*table[i].value || !**table[i].value)
			return table[i].name;
	}
	return NULL;
}

static int run_generator(const struct options *options)
{
	if (options->folder_count != 1 && options->folder_count != 3)
		return misused("a generator takes one or three folders");
	if (!strchr(options->folders[0], '/'))
		return misused("there is no mode '%s'", options->folders[0]);
	if (options->format || options->output || options->no_database)
		return misused("--format, --output and --no-database are for render");
	return generate(options);
}

static int run_render(const struct options *options)
{
	if (options->folder_count > 0)
		return misused("unexpected argument '%s'", options->folders[0]);
	if (!options->format)
		return misused("render needs --format=tree or --format=bundlewrap");
	if (strcmp(options->format, "tree") != 0 && strcmp(options->format, "bundlewrap") != 0)
		return misused("unknown format '%s'", options->format);
	if (strcmp(options->format, "tree") == 0 && !options->output)
		return misused("--format=tree needs --output=DIR");
	if (options->no_database && options->database)
		return misused("--database and --no-database exclude each other");
	return render_mode(options);
}

static int run_check(const struct options *options)
{
	if (options->folder_count > 0)
		return misused("unexpected argument '%s'", options->folders[0]);
	if (options->format || options->output)
		return misused("--format and --output are for render");
	if (options->no_database && options->database)
		return misused("--database and --no-database exclude each other");
	return check_mode(options);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *options);
	} modes[] = { { "render", run_render }, { "check", run_check } };
	struct options options = { .prefix = "" };
	int (*mode)(const struct options *) = run_generator;
	char **arguments = argv + (argc > 0);
	const char *fault;

	(void) umask(022);
	if (!*arguments)
		return misused("a mode or a folder is missing");
	for (char **a = arguments; *a; a++)
		if (strcmp(*a, "--help") == 0 || strcmp(*a, "--version") == 0) {
			(void) fputs((*a)[2] == 'h' ? usage : "left4me-generator " VERSION "\n", stdout);
			return fflush(stdout) == 0 ? EXIT_CLEAN : EXIT_PROBLEMS;
		}
	for (size_t i = 0; i < ELEMENTS(modes); i++)
		if (strcmp(*arguments, modes[i].name) == 0) {
			mode = modes[i].run;
			arguments++;
			break;
		}
	fault = parse_options(arguments, &options);
	return fault ? misused("cannot make sense of '%s'", fault) : mode(&options);
}
