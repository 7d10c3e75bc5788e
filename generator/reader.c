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

/* An answer begins with its length, in so many digits and a newline: its reader need not wait for the child's end. */
enum { LENGTH_SIZE = 20 };

/* What a child says instead of rows: this word, '+' when permissions were the reason or '-', the reason. */
#define FAILURE "error "

enum { READ_SIZE = 32 * 1024, PATH_SIZE = 4096 };      /* of a path with its NUL: less than a pipe holds */

/* --- the child ------------------------------------------------------------------------------------------- */

/* Where a copy goes if one is needed; chosen before the fork, since the parent removes it when the child could not. */
static char copy[64];

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
 * The owner of the file, and of its folder where the file is root's: a root-owned file in a folder that is
 * not must not bring a process that parses it as root.
 */
static int become_owner(const char *path)
{
	cleanup_free char *folder = xstrdup(path);
	char *slash = strrchr(folder, '/');
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (lstat(path, &st) < 0)
		return -errno;
	if (st.st_uid == 0 && slash) {
		slash[slash == folder] = '\0';
		if (stat(folder, &st) < 0)
			return -errno;
	}
	return st.st_uid == 0 ? 0 : platform_become(st.st_uid, st.st_gid);
}

/* Numbers as digits of our own: SQLite would keep each as a text of the row. */
static void put_integer(struct text *out, enum value_type type, sqlite3_int64 number)
{
	char digits[24];
	char *end = digits + sizeof(digits), *digit = end;
	sqlite3_uint64 rest = number < 0 ? -(sqlite3_uint64) number : (sqlite3_uint64) number;

	do
		*--digit = (char) ('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (number < 0)
		*--digit = '-';
	rows_put_value(out, type, digit, (size_t) (end - digit));
}

static void put_column(struct text *out, sqlite3_stmt *statement, int column)
{
	int type = sqlite3_column_type(statement, column);
	const char *text;
	size_t length;

	switch (type) {
	case SQLITE_NULL:
		rows_put_value(out, VALUE_NULL, "", 0);
		break;
	case SQLITE_INTEGER:
		put_integer(out, VALUE_INTEGER, sqlite3_column_int64(statement, column));
		break;
	case SQLITE_BLOB:
		put_integer(out, VALUE_BLOB, sqlite3_column_bytes(statement, column));
		break;
	default:
		text = (const char *) sqlite3_column_text(statement, column);
		length = text ? (size_t) sqlite3_column_bytes(statement, column) : 0;
		if (length > VALUE_MAX)
			put_integer(out, VALUE_TOO_LONG, (sqlite3_int64) length);
		else
			rows_put_value(out, type == SQLITE_FLOAT ? VALUE_REAL : VALUE_TEXT, text ? text : "", length);
	}
}

/* "no such table: main.generator_layers" and the like -> a sentence with the view and what makes it. */
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

	out->length = LENGTH_SIZE;
	text_puts(out, ROWS_HEADER);
	for (enum view view = 0; rc == SQLITE_OK && view < VIEW_COUNT; view++)
		rc = read_view(db, view, out, ret_reason);
	rows_put_end(out);
	return rc;
}

/* For one short read by one thread. What SQLite sets aside in advance is some thirty pages, each a fault after the fork. */
static void configure_sqlite(void)
{
	(void) sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void) sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void) sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
	(void) sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

/* Waits for the path; ends the process when none comes, because its parent went, has no use for it or too long a one. */
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
	char path[PATH_SIZE], length[LENGTH_SIZE + 1];
	char *reason = NULL;
	bool denied = false;
	int r;

	limit_resources();
	configure_sqlite();
	(void) sqlite3_initialize();
	receive_path(paths, path);
	(void) text_extend(&out, LENGTH_SIZE);
	r = become_owner(path);
	platform_die_with_parent();    /* not before: the kernel forgets it when the user changes (prctl(2), commit_creds()) */
	if (r < 0)
		reason = xstrdup(strerror(-r));
	else
		r = database_read(path, copy, read_views, &out, &reason, &denied);
	if (r < 0) {
		out.length = LENGTH_SIZE;
		text_printf(&out, FAILURE "%c%.1000s", denied ? '+' : '-', reason);
	}
	(void) snprintf(length, sizeof(length), "%0*zu\n", LENGTH_SIZE - 1, out.length - LENGTH_SIZE);
	memcpy(out.data, length, LENGTH_SIZE);
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

static bool is_whole(const struct text *answer)
{
	return answer->length >= LENGTH_SIZE &&
	       strtoul(answer->data, NULL, 10) <= answer->length - LENGTH_SIZE;
}

/* Reads a whole answer, or to the end of the pipe; false when the time or the limit is reached first. */
static bool read_answer(const struct reader *reader, struct text *ret_answer)
{
	struct pollfd poller = { .fd = reader->answers, .events = POLLIN };

	while (!is_whole(ret_answer)) {
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
	return true;
}

/*
 * Ends a child that did not answer. One that waits for a file system that hangs cannot be waited for; it is gone
 * as soon as the kernel lets it.
 */
static void end_child(pid_t pid)
{
	(void) kill(pid, SIGKILL);
	for (int tries = 0; tries < 20 && waitpid(pid, NULL, WNOHANG) != pid; tries++)
		(void) nanosleep(&(struct timespec){ .tv_nsec = 5000000L }, NULL);
}

void reader_fork(struct reader *ret_reader)
{
	struct timespec now;
	int paths[2], answers[2];

	*ret_reader = READER_NONE;
	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	(void) snprintf(copy, sizeof(copy), "/tmp/left4me-%ld-%ld", (long) now.tv_sec, now.tv_nsec);
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
	/* both ends are open here: that the child is gone is no SIGPIPE */
	if (reader->child > 0)
		(void) write_all(reader->paths[1], path, size < PATH_SIZE ? size : PATH_SIZE);
	closep(&reader->paths[1]);     /* the end of the path */
	reader->paths[1] = -1;
}

void reader_wait(struct reader *reader)
{
	while (reader->child > 0 && waitpid(reader->child, NULL, 0) < 0 && errno == EINTR)
		;
	reader->child = 0;
}

void reader_done(struct reader *reader)
{
	closep(&reader->paths[0]);
	closep(&reader->paths[1]);
	reader_wait(reader);
	closep(&reader->answers);
	*reader = READER_NONE;
}

/* What became of a child that went without a whole answer. */
static char *explain_end(struct reader *reader)
{
	int status = 0;

	while (waitpid(reader->child, &status, 0) < 0 && errno == EINTR)
		;
	reader->child = 0;
	if (WIFSIGNALED(status))
		return xasprintf("the reading process was ended by signal %d", WTERMSIG(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)     /* out_of_memory() */
		return xstrdup("the reading process ran out of memory");
	return xstrdup("the reading process did not answer");
}

/* NULL when the answer is rows. */
static char *judge(struct text *answer, struct rows *ret_rows, bool *ret_denied)
{
	const size_t prefix = sizeof(FAILURE) - 1;

	answer->length -= LENGTH_SIZE;
	memmove(answer->data, answer->data + LENGTH_SIZE, answer->length + 1);
	if (answer->length > prefix + 1 && strncmp(answer->data, FAILURE, prefix) == 0) {
		*ret_denied = answer->data[prefix] == '+';
		return xstrdup(answer->data + prefix + 1);
	}
	if (!rows_take(answer, ret_rows))
		return xstrdup("the reading process did not give whole rows");
	return NULL;
}

int reader_finish(struct reader *reader, struct rows *ret_rows, char **ret_reason, bool *ret_denied)
{
	cleanup_text struct text answer = TEXT_EMPTY;

	*ret_denied = false;
	if (reader->child <= 0)
		*ret_reason = xstrdup("there is no process to read it in");
	else if (!read_answer(reader, &answer)) {
		*ret_reason = xasprintf("could not be read within %d seconds", READER_PATIENCE);
		end_child(reader->child);
		reader->child = 0;
	} else if (!is_whole(&answer))
		*ret_reason = explain_end(reader);
	else
		*ret_reason = judge(&answer, ret_rows, ret_denied);
	database_remove_copy(copy);    /* what the child did not, or could not */
	return *ret_reason ? -1 : 0;
}
