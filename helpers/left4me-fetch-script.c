/*
 * left4me-fetch-script(8): copies the script of one overlay from the database to the unit that builds it. This file has
 * the command line and the order of the steps; fetch-unit.c does what needs root, fetch-child.c reads without.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base.h"
#include "escape.h"
#include "fetch-child.h"
#include "fetch-unit.h"
#include "name.h"
#include "privileged.h"

#define PROGRAM "left4me-fetch-script"

/* Seconds. Reading takes DATABASE_PATIENCE at most; the rest is for a file system that does not respond. */
enum { EXIT_FAILED = 1, EXIT_USAGE = 2, ALL_PATIENCE = 10 };

static const char usage[] =
	"usage: " PROGRAM " --uid=UID --gid=GID [--root=DIR] [--database=FILE]\n"
	"                            ID\n"
	"       " PROGRAM " --remove ID\n"
	"\n"
	"Writes the script of the overlay ID to " SCRIPT_ROOT "/ID/script, or\n"
	"removes it.\n"
	"\n"
	"  --uid=UID, --gid=GID  whose rights to read with, and who may read the script;\n"
	"                        not root\n"
	"  --root=DIR            instead of " DEFAULT_ROOT "\n"
	"  --database=FILE       instead of DIR/left4me.db\n"
	"  --remove              what an earlier call has written\n"
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

/*
 * The alarm has its default action: a handler would not run while the kernel waits for a file system of a hostile
 * server (fuse), but the end of a process interrupts that wait.
 */
static void limit_resources(void)
{
	sigset_t alarm_only;

	(void) setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	(void) signal(SIGALRM, SIG_DFL);
	(void) sigemptyset(&alarm_only);
	(void) sigaddset(&alarm_only, SIGALRM);
	(void) sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
	(void) alarm(ALL_PATIENCE);
}

struct request {
	struct query query;
	const char *id;         /* the same in digits */
	char *database;         /* valid_path() */
	uid_t uid;
	gid_t gid;
	bool remove;
};

static void request_done(struct request *request)
{
	text_done(&request->query.script);
	free(request->database);
}

static const char *check_path(const char *path)
{
	if (!valid_path(path))
		die(EXIT_USAGE, 0, "'%s' is not an absolute, normalised path", path);
	return path;
}

static unsigned check_user(const char *text)
{
	int64_t number;

	if (!parse_decimal(text, 1, UINT32_MAX - 1, &number))
		die(EXIT_USAGE, 0, "'%s' is not the number of a user or group, or is root's", text);
	return (unsigned) number;
}

/* An option with its value; false for one that there is not. */
static bool take_option(int option, struct request *request, const char **root, const char **database)
{
	switch (option) {
	case 'r':
		*root = check_path(optarg);
		return true;
	case 'd':
		*database = check_path(optarg);
		return true;
	case 'u':
		request->uid = check_user(optarg);
		return true;
	case 'g':
		request->gid = check_user(optarg);
		return true;
	case 'x':
		request->remove = true;
		return true;
	case 'h':
		print_and_exit(PROGRAM, usage);
	case 'v':
		print_and_exit(PROGRAM, PROGRAM " " VERSION "\n");
	default:
		return false;
	}
}

static void parse_command_line(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{ "root", required_argument, NULL, 'r' },
		{ "database", required_argument, NULL, 'd' },
		{ "uid", required_argument, NULL, 'u' },
		{ "gid", required_argument, NULL, 'g' },
		{ "remove", no_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	const char *root = DEFAULT_ROOT, *database = NULL;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (!take_option(option, request, &root, &database))
			die(EXIT_USAGE, 0, "'%s' is not an option, or lacks its value; see --help", argv[optind - 1]);
	if (argc - optind != 1)
		die(EXIT_USAGE, 0, "one id is needed; see --help");
	request->id = argv[optind];
	if (!parse_id(request->id, &request->query.id))
		die(EXIT_USAGE, 0, "'%s' is not the id of an overlay", request->id);
	if (!request->remove && (request->uid == 0 || request->gid == 0))
		die(EXIT_USAGE, 0, "--uid and --gid are needed; see --help");
	request->database = database ? xstrdup(database) : xasprintf("%s/left4me.db", root);
}

static void fetch(struct request *request)
{
	cleanup_free char *reason = NULL;

	if (check_host_unreachable(&reason) < 0)
		die(EXIT_FAILED, 0, "%s", reason);
	if (fetch_by_child(request->uid, request->gid, request->database, &request->query, &reason) < 0)
		die(EXIT_FAILED, 0, "cannot read '%s': %s", request->database, reason);
	if (publish_script(request->id, request->gid, &request->query.script, &reason) < 0)
		die(EXIT_FAILED, 0, "%s", reason);
}

int main(int argc, char **argv)
{
	cleanup(request_done) struct request request = { .query.script = TEXT_EMPTY };
	cleanup_free char *reason = NULL;
	int r = start_clean();

	if (r < 0)
		die(EXIT_FAILED, -r, "cannot leave behind what the caller has open");
	parse_command_line(argc, argv, &request);
	limit_resources();
	r = enter_host();
	if (r < 0)
		die(EXIT_FAILED, -r, "cannot enter PID 1's mount namespace");
	if (!request.remove)
		fetch(&request);
	else if (remove_script(request.id, &reason) < 0)
		die(EXIT_FAILED, 0, "%s", reason);
	return 0;
}
