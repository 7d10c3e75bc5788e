/*
 * left4me-fetch-script(8): copies the script of one overlay from the database to the unit that builds it. This file has
 * the command line, the order of the steps and the script's file; fetch-unit.c does what needs root, fetch-row.c reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base.h"
#include "database.h"
#include "escape.h"
#include "fetch-row.h"
#include "fetch-unit.h"
#include "name.h"
#include "privileged.h"

#define PROGRAM "left4me-fetch-script"
#define DEFAULT_ROOT "/var/lib/left4me"
#define RUNTIME_ROOT "/run/left4me/build/"
#define SCRIPT "script"

/* Seconds. Reading takes DATABASE_PATIENCE at most; the rest is for a file system that does not respond. */
enum { EXIT_FAILED = 1, EXIT_USAGE = 2, ALL_PATIENCE = 10 };

static const char usage[] =
	"usage: " PROGRAM " [--root=DIR] [--database=FILE] ID\n"
	"\n"
	"Writes the script of the overlay ID to $RUNTIME_DIRECTORY/" SCRIPT ".\n"
	"\n"
	"  --root=DIR       instead of " DEFAULT_ROOT "\n"
	"  --database=FILE  instead of DIR/left4me.db\n"
	"  --help, --version\n";

/* stderr is the unit's log. The message may quote the database, and so is escaped. */
_Noreturn static void die(int status, int error, const char *format, ...) PRINTF_LIKE(3, 4);
_Noreturn static void die(int status, int error, const char *format, ...)
{
	cleanup_free char *message = NULL, *line = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = xvasprintf(format, arguments);
	va_end(arguments);
	line = escape_message(message);
	(void) fprintf(stderr, PROGRAM ": %s%s%s\n", line, error ? ": " : "", error ? strerror(error) : "");
	freep(&message);
	freep(&line);
	exit(status);
}

static void on_alarm(int signal_number)
{
	static const char message[] = PROGRAM ": gave up after 10 seconds\n";

	(void) signal_number;
	(void) !write(STDERR_FILENO, message, sizeof(message) - 1);
	_exit(EXIT_FAILED);
}

static void limit_resources(void)
{
	(void) setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	(void) signal(SIGALRM, on_alarm);
	(void) alarm(ALL_PATIENCE);
}

_Noreturn static void print_and_exit(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		die(EXIT_FAILED, errno, "cannot write");
	exit(0);
}

struct request {
	struct query query;
	const char *id;         /* the same in digits */
	char *database;         /* valid_path() */
	char *directory;        /* the unit's runtime directory, by its id */
};

static void request_done(struct request *request)
{
	text_done(&request->query.script);
	free(request->database);
	free(request->directory);
}

static const char *check_path(const char *path)
{
	if (!valid_path(path))
		die(EXIT_USAGE, 0, "'%s' is not an absolute, normalised path", path);
	return path;
}

static void parse_command_line(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{ "root", required_argument, NULL, 'r' },
		{ "database", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	const char *root = DEFAULT_ROOT, *database = NULL;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (option) {
		case 'r':
			root = check_path(optarg);
			break;
		case 'd':
			database = check_path(optarg);
			break;
		case 'h':
			print_and_exit(usage);
		case 'v':
			print_and_exit(PROGRAM " " VERSION "\n");
		default:
			die(EXIT_USAGE, 0, "'%s' is not an option, or lacks its value; see --help",
			    argv[optind - 1]);
		}
	if (argc - optind != 1)
		die(EXIT_USAGE, 0, "one id is needed; see --help");
	request->id = argv[optind];
	if (!parse_id(request->id, &request->query.id))
		die(EXIT_USAGE, 0, "'%s' is not the id of an overlay", request->id);
	request->database = database ? xstrdup(database) : xasprintf("%s/left4me.db", root);
}

/* systemd sets it from RuntimeDirectory=left4me/build/%i. Anything else means that another unit calls. */
static void check_runtime_directory(struct request *request, const char *directory)
{
	request->directory = xasprintf(RUNTIME_ROOT "%s", request->id);
	if (!directory)
		die(EXIT_FAILED, 0, "RUNTIME_DIRECTORY is not set: only the unit build-overlay@%s.service calls this "
		    "program", request->id);
	if (strcmp(directory, request->directory) != 0)
		die(EXIT_FAILED, 0, "RUNTIME_DIRECTORY is '%s', not '%s'", directory, request->directory);
}

/* The file gets its name when it is complete; linkat(2) fails if the name exists (O_TMPFILE in open(2)). */
static void write_script(const struct request *request, int directory)
{
	const struct text *script = &request->query.script;
	cleanup_close int fd = openat(directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0400);
	int r = fd < 0 ? -errno : write_all(fd, script->data, script->length);
	cleanup_free char *nameless = xasprintf("/proc/self/fd/%d", fd);

	if (r == 0 && linkat(AT_FDCWD, nameless, directory, SCRIPT, AT_SYMLINK_FOLLOW) < 0)
		r = -errno;
	if (r < 0)
		die(EXIT_FAILED, -r, "cannot write '%s/" SCRIPT "'", request->directory);
}

int main(int argc, char **argv)
{
	const char *value = getenv("RUNTIME_DIRECTORY");
	cleanup_free char *runtime_directory = value ? xstrdup(value) : NULL, *reason = NULL;
	cleanup(request_done) struct request request = { .query.script = TEXT_EMPTY };
	int directory, r = start_clean();

	if (r < 0)
		die(EXIT_FAILED, -r, "cannot start clean");
	parse_command_line(argc, argv, &request);
	check_runtime_directory(&request, runtime_directory);
	limit_resources();
	if (become_builder(request.directory, request.database, &directory, &reason) < 0)
		die(EXIT_FAILED, 0, "%s", reason);
	if (fetch_row(request.database, &request.query, &reason) < 0)
		die(EXIT_FAILED, 0, "cannot read '%s': %s", request.database, reason);
	write_script(&request, directory);
	return 0;
}
