#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advice.h"
#include "last-good.h"
#include "log.h"
#include "run.h"

/*
 * Seconds. Reading may hang: when its time is over the process ends. Writing, before and after, can only be slow, on a
 * machine that swaps say, and its result is wanted even then; when its time is over what is not whole is taken back.
 * All of it ends well before systemd's own 90 seconds.
 */
enum { READ_PATIENCE = 5, WRITE_PATIENCE = 30, LAST_PATIENCE = 1 };

/* Seconds. PID 1 waits for the reading, so that after a longer one the next reload has to wait (templates/reload-slow.conf). */
enum { READ_SLOW = 1 };

enum { LOGGED_LINES_MAX = 20 };

static volatile sig_atomic_t is_writing, out_of_time;

/* The first alarm of the writing asks for the tree to be taken back; any other ends the process where it is. */
static void on_alarm(int signal)
{
	static const char message[] = "<3>left4me-generator: gave up, it takes too long: left4me-generator check says what\n";
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

/* ".../systemd/generator" -> ".../NAME", owned by the caller; NULL for any other directory. */
static char *run_directory(const char *units, const char *name)
{
	static const char suffix[] = "/systemd/generator";
	size_t length = strlen(units);

	while (length > 1 && units[length - 1] == '/')
		length--;
	if (length < sizeof(suffix) || strncmp(units + length - sizeof(suffix) + 1, suffix, sizeof(suffix) - 1) != 0)
		return NULL;
	return xasprintf("%.*s/%s", (int) (length - sizeof(suffix) + 1), units, name);
}

/* In an initrd and for a user manager there is nothing to do (systemd.generator(7), "Environment"). */
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

static int put_text(struct sink *sink, const char *name, mode_t mode, const struct text *text)
{
	const struct file file = { .tree = TREE_STATE, .directory = "", .name = name, .mode = mode };
	struct text *out = sink->open(sink, &file);

	if (!out)
		return -1;
	text_append(out, text_string(text), text->length);
	return sink->close(sink, &file);
}

/* What is kept beside units and rules: for the worker what this run refused, for the next one its rows. */
static int put_state(const struct run *run, bool with_rows, struct sink *sink)
{
	cleanup_text struct text lines = TEXT_EMPTY;

	report_write(&run->report, &lines);
	if (put_text(sink, REPORT_FILE, 0644, &lines) < 0)
		return -1;
	return with_rows && run->origin == ROWS_DATABASE ? put_text(sink, LAST_GOOD_FILE, 0600, &run->rows.text) : 0;
}

static void start_writing(void)
{
	is_writing = 1;
	(void) alarm(WRITE_PATIENCE);
}

/*
 * What the configuration says comes before the rows are read and stays whatever becomes of them: the fallback templates
 * serve what runs. NULL when it cannot be written.
 */
static struct sink *write_host(struct run *run, const char *units, const char *state)
{
	struct sink *sink = sink_directories(units, state, &out_of_time, &run->report);

	start_writing();
	if (sink && run_render_host(run, sink) < 0) {
		(void) sink->finish(sink, false);
		sink = NULL;
	}
	if (sink)
		sink->settle(sink);
	is_writing = 0;
	return sink;
}

/* When what the rows say does not fit the sudo rules of an earlier run stay. */
static int write_rows(struct run *run, struct sink *sink)
{
	int rows;

	if (run_render_origin(run, sink) < 0)
		return sink->finish(sink, false);
	sink->settle(sink);
	rows = run_render_rows(run, sink);
	if (rows < 0)
		sink->retract(sink);
	return sink->finish(sink, put_state(run, rows == 0, sink) == 0) == 0 ? rows : -1;
}

/* The report's first *ret_logged lines are logged. */
static int read_and_write(struct run *run, const struct options *options, const char *state, const char *started,
			  struct sink *sink, size_t *ret_logged)
{
	cleanup_free char *last_good = state ? xconcat(state, "/", LAST_GOOD_FILE) : NULL;
	cleanup_free char *counts = NULL;
	const int64_t begin = time_now(CLOCK_MONOTONIC);

	(void) alarm(READ_PATIENCE);
	(void) run_read_rows(run, options, last_good);
	run->is_slow = time_now(CLOCK_MONOTONIC) - begin > READ_SLOW * USEC_PER_SEC;
	start_writing();
	run_build_model(run);
	if (started)
		running_read(started, &run->report, &run->running);
	if (run->model.instance_count > 0)
		drop_ins_read(options->prefix, &run->drop_ins);
	counts = run_counts(run);
	log_line(LOG_INFO, "%s", counts);
	log_report(&run->report, 0);
	advice_give(&run->config, &run->model, &run->report);
	*ret_logged = run->report.count;
	return write_rows(run, sink);
}

int mode_generator(const struct options *options)
{
	const char *units = options->words[0];
	cleanup_free char *state = run_directory(units, "left4me");
	cleanup_free char *started = run_directory(units, "systemd/units");
	cleanup(run_done) struct run run = RUN_EMPTY;
	struct sink *sink;
	size_t logged = 0;
	int r = -1;

	if (is_not_for_us())
		return EXIT_CLEAN;
	(void) sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	(void) alarm(READ_PATIENCE);
	run_read_config(&run, options, true);
	if (getenv("SYSTEMD_SCOPE") && !*options->prefix)
		log_to_kernel();
	sink = write_host(&run, units, state);
	if (sink)
		r = read_and_write(&run, options, state, started, sink, &logged);
	if (r < 0)
		log_report(&run.report, logged);
	reader_wait(&run.reader);
	/* Straight out: tidying up what ends anyway, libraries included, takes a twentieth of a short run. */
	_exit(r < 0 ? EXIT_PROBLEMS : EXIT_CLEAN);
}
