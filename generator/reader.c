#include "reader.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "database.h"
#include "platform.h"

/* What the child sends instead of rows: this word, '+' if a permission is missing or '-' if not, the reason. */
#define FAILURE "error "

enum {
	READ_SIZE = 32 * 1024,
	PATH_SIZE = 4096,      /* with the NUL; a pipe holds that much, so that writing a path never blocks */
};

/* --- the child ------------------------------------------------------------------------------------------- */

static void limit_resource(int resource, rlim_t limit)
{
	(void) setrlimit(resource, &(struct rlimit){ limit, limit });
}

static void limit_resources(void)
{
#if !defined(__SANITIZE_ADDRESS__)     /* whose shadow memory alone is larger */
	limit_resource(RLIMIT_AS, 384UL * 1024 * 1024);
#endif
	limit_resource(RLIMIT_CPU, READER_PATIENCE);
}

/*
 * Becomes the file's owner, or the owner of its directory if the file belongs to root: a root-owned file in
 * somebody else's directory must not be parsed as root. 0 or -errno.
 */
static int become_owner(const char *path)
{
	cleanup_free char *directory = xstrdup(path);
	char *slash = strrchr(directory, '/');
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (lstat(path, &st) < 0)
		return -errno;
	if (st.st_uid == 0 && slash) {
		slash[slash == directory] = '\0';
		if (stat(directory, &st) < 0)
			return -errno;
	}
	return st.st_uid == 0 ? 0 : platform_become(st.st_uid, st.st_gid);
}

static void put_column(struct text *out, sqlite3_stmt *statement, int column)
{
	static const enum value_type types[] = {
		[SQLITE_INTEGER] = VALUE_INTEGER, [SQLITE_FLOAT] = VALUE_REAL, [SQLITE_TEXT] = VALUE_TEXT,
		[SQLITE_BLOB] = VALUE_BLOB, [SQLITE_NULL] = VALUE_NULL,
	};
	enum value_type type = types[sqlite3_column_type(statement, column)];
	const char *text;
	size_t length;

	if (type == VALUE_INTEGER) {
		rows_put_number(out, type, sqlite3_column_int64(statement, column));
		return;
	}
	text = type == VALUE_BLOB ? "" : (const char *) sqlite3_column_text(statement, column);
	length = text ? (size_t) sqlite3_column_bytes(statement, column) : 0;
	if (type == VALUE_BLOB || length > VALUE_MAX)
		rows_put_number(out, type == VALUE_BLOB ? type : VALUE_TOO_LONG, (long long) length);
	else
		rows_put_value(out, type, text ? text : "", length);
}

/* SQLite's message, with the view's name and, where the view or a column is missing, the file that creates it. */
static char *explain(sqlite3 *db, const struct view_info *view)
{
	cleanup_free char *missing = xasprintf("no such table: main.%s", view->name);
	const char *message = sqlite3_errmsg(db);

	if (strcmp(message, missing) == 0)
		return xasprintf("has no view %s; deploy/schema/views.sql creates it", view->name);
	if (strncmp(message, "no such column: ", 16) == 0)
		return xasprintf("view %s: %s; deploy/schema/views.sql creates it", view->name, message);
	return xasprintf("view %s: %s", view->name, message);
}

static int read_view(sqlite3 *db, enum view view, struct text *out, char **ret_reason)
{
	const struct view_info *info = &views[view];
	cleanup_free char *query = view_query(view);
	sqlite3_stmt *statement = NULL;
	size_t count = 0;
	int rc = sqlite3_prepare_v2(db, query, -1, &statement, NULL);

	rows_put_view(out, view);
	while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		if (++count > info->rows_max) {
			*ret_reason = xasprintf("view %s: has more than %zu rows", info->name, info->rows_max);
			rc = SQLITE_FULL;
		} else if (out->length > ROWS_SIZE_MAX) {
			*ret_reason = xasprintf("view %s: its rows are larger than 64 MiB", info->name);
			rc = SQLITE_FULL;
		} else
			for (size_t i = 0; i < info->column_count; i++)
				put_column(out, statement, (int) i);
	}
	if (rc == SQLITE_INTERRUPT)
		*ret_reason = xasprintf("view %s: could not be read within %d seconds", info->name, DATABASE_PATIENCE);
	else if (rc != SQLITE_DONE && !*ret_reason)
		*ret_reason = explain(db, info);
	(void) sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int read_views(sqlite3 *db, void *userdata, char **ret_reason)
{
	struct text *out = userdata;
	int rc = SQLITE_OK;

	out->length = 0;
	text_puts(out, ROWS_HEADER);
	for (enum view view = 0; rc == SQLITE_OK && view < VIEW_COUNT; view++)
		rc = read_view(db, view, out, ret_reason);
	rows_put_end(out);
	return rc;
}

/*
 * No mutexes, no statistics, no buffers allocated in advance: each of those pages is a page fault after the fork. It saves
 * 16 faults and 3.5 % of a run without rows.
 */
static void configure_sqlite(void)
{
	(void) sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void) sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void) sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
	(void) sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

/* Waits for the path. Ends the process if none comes: the parent is gone, needs no rows, or the path is too long. */
static void receive_path(int paths, char path[PATH_SIZE])
{
	size_t length = 0;

	while (length == 0 || path[length - 1] != '\0') {
		ssize_t n = read(paths, path + length, PATH_SIZE - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		length += (size_t) n;
	}
}

static _Noreturn void child(int paths, int answers)
{
	struct text out = TEXT_EMPTY;
	char path[PATH_SIZE];
	char *reason = NULL;
	bool denied = false;
	int r;

	limit_resources();
	configure_sqlite();
	(void) sqlite3_initialize();
	receive_path(paths, path);
	r = become_owner(path);
	platform_die_with_parent();    /* only now: a change of user clears it (PR_SET_PDEATHSIG in prctl(2)) */
	if (r < 0)
		reason = xstrdup(strerror(-r));
	else
		r = database_read(path, read_views, &out, &reason, &denied);
	if (r < 0) {
		out.length = 0;
		text_printf(&out, FAILURE "%c%.1000s", denied ? '+' : '-', reason);
	}
	(void) write_all(answers, out.data, out.length);
	_exit(0);
}

/* --- the parent ------------------------------------------------------------------------------------------ */

static int milliseconds_until(const struct timespec *deadline)
{
	struct timespec now;
	long left;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	left = (deadline->tv_sec - now.tv_sec) * 1000L + (deadline->tv_nsec - now.tv_nsec) / 1000000L;
	return left > 0 ? (int) left : 0;
}

/* Reads the answer to the end of the pipe; false if the deadline or the limit of its size is reached first. */
static bool read_answer(const struct reader *reader, struct text *ret_answer)
{
	struct pollfd poller = { .fd = reader->answers, .events = POLLIN };

	for (;;) {
		int ready = poll(&poller, 1, milliseconds_until(&reader->deadline));
		ssize_t n;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0 || ret_answer->length > ROWS_SIZE_MAX)
			return false;
		text_make_room(ret_answer, READ_SIZE);
		n = read(reader->answers, ret_answer->data + ret_answer->length, READ_SIZE);
		if (n <= 0)
			return n == 0;
		ret_answer->length += (size_t) n;
		ret_answer->data[ret_answer->length] = '\0';
	}
}

/*
 * Kills the child unless it has ended, and returns its wait status. Waits 100 ms at most: a process that is stuck in a
 * file system that does not respond dies only when that call returns.
 */
static int end_child(struct reader *reader)
{
	int status = 0;

	(void) kill(reader->child, SIGKILL);
	for (long nap = 50000L; waitpid(reader->child, &status, WNOHANG) == 0 && nap < 100000000L; nap *= 2)
		(void) nanosleep(&(struct timespec){ .tv_nsec = nap }, NULL);
	reader->child = 0;
	return status;
}

void reader_fork(struct reader *ret_reader)
{
	int paths[2], answers[2];

	*ret_reader = READER_NONE;
	if (pipe(paths) < 0)
		return;
	memcpy(ret_reader->paths, paths, sizeof(paths));
	if (pipe(answers) < 0)
		return;
	ret_reader->answers = answers[0];
	ret_reader->child = fork();
	if (ret_reader->child == 0) {
		(void) close(paths[1]);
		(void) close(answers[0]);
		child(paths[0], answers[1]);
	}
	(void) close(answers[1]);
}

void reader_start(struct reader *reader, const char *path)
{
	size_t size = strlen(path) + 1;

	(void) clock_gettime(CLOCK_MONOTONIC, &reader->deadline);
	reader->deadline.tv_sec += READER_PATIENCE;
	/* The parent keeps the reading end open as well, so that a child that is gone causes no SIGPIPE. */
	if (reader->child > 0)
		(void) write_all(reader->paths[1], path, size < PATH_SIZE ? size : PATH_SIZE);
	closep(&reader->paths[1]);
	reader->paths[1] = -1;
}

void reader_wait(struct reader *reader)
{
	if (reader->child > 0)
		(void) end_child(reader);
}

void reader_done(struct reader *reader)
{
	closep(&reader->paths[0]);
	closep(&reader->paths[1]);
	reader_wait(reader);
	closep(&reader->answers);
	*reader = READER_NONE;
}

/* Why the child sent neither rows nor a reason. */
static char *explain_end(struct reader *reader)
{
	int status = end_child(reader);

	if (WIFSIGNALED(status))
		return xasprintf("the reading process was ended by signal %d", WTERMSIG(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)     /* out_of_memory() */
		return xstrdup("the reading process ran out of memory");
	return xstrdup("the reading process did not give whole rows");
}

/* Takes the rows over and returns NULL, or returns why there are none. */
static char *judge(struct reader *reader, struct text *answer, struct rows *ret_rows, bool *ret_denied)
{
	const size_t prefix = sizeof(FAILURE) - 1;

	if (answer->length > prefix + 1 && strncmp(answer->data, FAILURE, prefix) == 0) {
		*ret_denied = answer->data[prefix] == '+';
		return xstrdup(answer->data + prefix + 1);
	}
	return rows_take(answer, ret_rows) ? NULL : explain_end(reader);
}

int reader_finish(struct reader *reader, struct rows *ret_rows, char **ret_reason, bool *ret_denied)
{
	cleanup_text struct text answer = TEXT_EMPTY;

	*ret_denied = false;
	if (reader->child <= 0)
		*ret_reason = xstrdup("there is no process to read it in");
	else if (read_answer(reader, &answer))
		*ret_reason = judge(reader, &answer, ret_rows, ret_denied);
	else {
		*ret_reason = xasprintf("could not be read within %d seconds", READER_PATIENCE);
		(void) end_child(reader);
	}
	return *ret_reason ? -1 : 0;
}
