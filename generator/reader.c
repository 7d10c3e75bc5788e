#include "reader.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "database.h"

/* What the child sends instead of rows: this word, '+' if a permission is missing or '-' if not, the reason. */
#define FAILURE "error "

enum {
	REQUEST_SIZE = 4096,   /* a pipe holds that much, so that writing a request never blocks */
};

/* --- the child ------------------------------------------------------------------------------------------- */

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

/* left4me_length(): bytes of UTF-8 of a text, NULL of NULL, else the name of the type. */
static void measure(sqlite3_context *context, int count, sqlite3_value **values)
{
	static const char *const types[] = { [SQLITE_INTEGER] = "integer", [SQLITE_FLOAT] = "real", [SQLITE_BLOB] = "blob" };
	int type = sqlite3_value_type(values[0]);

	(void) count;
	if (type == SQLITE_TEXT) {
		if (sqlite3_value_text(values[0]))     /* converts it */
			sqlite3_result_int(context, sqlite3_value_bytes(values[0]));
		else
			sqlite3_result_error_nomem(context);
	} else if (type != SQLITE_NULL)
		sqlite3_result_text(context, types[type], -1, SQLITE_STATIC);
}

/* A view may lack what is optional. If something else is wrong with it, the second query fails as well. */
static int prepare(sqlite3 *db, enum view view, sqlite3_stmt **ret_statement)
{
	cleanup_free char *query = view_query(view, true), *without = view_query(view, false);
	int rc = sqlite3_prepare_v2(db, query, -1, ret_statement, NULL);

	if (rc == SQLITE_ERROR && views[view].optional_count > 0)
		rc = sqlite3_prepare_v2(db, without, -1, ret_statement, NULL);
	return rc;
}

static int read_view(sqlite3 *db, enum view view, struct text *out, char **ret_reason)
{
	const struct view_info *info = &views[view];
	sqlite3_stmt *statement = NULL;
	size_t count = 0;
	int rc = prepare(db, view, &statement);

	rows_put_view(out, view);
	while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		if (++count > info->rows_max) {
			*ret_reason = xasprintf("view %s: has more than %zu rows", info->name, info->rows_max);
			rc = SQLITE_FULL;
		} else if (out->length > ROWS_SIZE_MAX) {
			*ret_reason = xasprintf("view %s: its rows are larger than %d MiB", info->name,
						ROWS_SIZE_MAX / 1024 / 1024);
			rc = SQLITE_FULL;
		} else
			for (size_t i = 0; i < info->column_count; i++)
				put_column(out, statement, (int) i);
	}
	if (rc == SQLITE_INTERRUPT)
		*ret_reason = xasprintf("view %s: could not be read within %d seconds", info->name, DATABASE_PATIENCE);
	else if (rc != SQLITE_DONE && !*ret_reason)
		*ret_reason = database_explain(db, info->name);
	(void) sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int read_views(sqlite3 *db, void *userdata, char **ret_reason)
{
	struct text *out = userdata;
	int rc = sqlite3_create_function(db, "left4me_length", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, measure, NULL,
					 NULL);

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

/* What the child is sent: three texts, each with its NUL. */
struct request {
	char bytes[REQUEST_SIZE];
	size_t length;
	const char *uid, *gid, *path;
};

/* Finds the three texts; false while they are not all there. */
static bool take_request(struct request *request)
{
	const char *text = request->bytes, *end = request->bytes + request->length;
	const char **texts[] = { &request->uid, &request->gid, &request->path };

	for (size_t i = 0; i < ELEMENTS(texts); i++) {
		const char *nul = memchr(text, '\0', (size_t) (end - text));

		if (!nul)
			return false;
		*texts[i] = text;
		text = nul + 1;
	}
	return true;
}

/* Waits for a request. Ends the process if none comes: the parent is gone, needs no rows, or the path is too long. */
static void receive_request(int requests, struct request *ret_request)
{
	ret_request->length = 0;
	while (!take_request(ret_request)) {
		ssize_t n = read(requests, ret_request->bytes + ret_request->length, REQUEST_SIZE - ret_request->length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		ret_request->length += (size_t) n;
	}
}

static _Noreturn void child(int requests, int answers)
{
	struct database_error error = { .reason = NULL };
	struct text out = TEXT_EMPTY;
	struct request request;
	int r;

	configure_sqlite();
	(void) sqlite3_initialize();
	receive_request(requests, &request);
	r = database_enter(request.path, (uid_t) strtoul(request.uid, NULL, 10), (gid_t) strtoul(request.gid, NULL, 10),
			   &error);
	if (r == 0)
		r = database_read(request.path, read_views, &out, &error);
	if (r < 0) {
		out.length = 0;
		text_printf(&out, FAILURE "%c%.1000s", error.denied ? '+' : '-', error.reason);
	}
	(void) write_all(answers, out.data, out.length);
	_exit(0);
}

/* --- the parent ------------------------------------------------------------------------------------------ */

/* Kills the child unless it has ended, and returns its wait status. */
static int end_child(struct reader *reader)
{
	pid_t child = reader->child;

	reader->child = 0;
	return child_end(child);
}

void reader_fork(struct reader *ret_reader)
{
	int requests[2], answers[2];

	*ret_reader = READER_NONE;
	if (pipe(requests) < 0)
		return;
	memcpy(ret_reader->requests, requests, sizeof(requests));
	if (pipe(answers) < 0)
		return;
	ret_reader->answers = answers[0];
	ret_reader->child = fork();
	if (ret_reader->child == 0) {
		(void) close(requests[1]);
		(void) close(answers[0]);
		child_leave_output(answers[1]);
		child(requests[0], answers[1]);
	}
	(void) close(answers[1]);
}

void reader_start(struct reader *reader, const char *path, const char *uid, const char *gid)
{
	cleanup_text struct text request = TEXT_EMPTY;

	reader->deadline = time_now(CLOCK_MONOTONIC) + READER_PATIENCE * USEC_PER_SEC;
	text_append(&request, uid, strlen(uid) + 1);
	text_append(&request, gid, strlen(gid) + 1);
	text_append(&request, path, strlen(path) + 1);
	/* The parent keeps the reading end open as well, so that a child that is gone causes no SIGPIPE. */
	if (reader->child > 0 && request.length <= REQUEST_SIZE)
		(void) write_all(reader->requests[1], request.data, request.length);
	closep(&reader->requests[1]);
	reader->requests[1] = -1;
}

static bool is_asked(const struct reader *reader)
{
	return reader->deadline > 0;
}

void reader_wait(struct reader *reader)
{
	if (reader->child > 0)
		(void) end_child(reader);
}

void reader_done(struct reader *reader)
{
	closep(&reader->requests[0]);
	closep(&reader->requests[1]);          /* a child that still waits for a request ends by itself */
	if (is_asked(reader))
		reader_wait(reader);
	else if (reader->child > 0)
		while (waitpid(reader->child, NULL, 0) < 0 && errno == EINTR)
			;
	closep(&reader->answers);
	*reader = READER_NONE;
}

/* Takes the rows over and returns NULL, or returns why there are none. */
static char *judge(struct reader *reader, struct text *answer, struct rows *ret_rows, bool *ret_denied)
{
	const char *failure = startswith(text_string(answer), FAILURE);

	if (failure && *failure && failure[1]) {
		*ret_denied = *failure == '+';
		return xstrdup(failure + 1);
	}
	if (rows_take(answer, ret_rows))
		return NULL;
	return child_explain(end_child(reader), "the reading process did not give whole rows");
}

int reader_finish(struct reader *reader, struct rows *ret_rows, char **ret_reason, bool *ret_denied)
{
	cleanup_text struct text answer = TEXT_EMPTY;

	*ret_denied = false;
	if (reader->child <= 0)
		*ret_reason = xstrdup("there is no process to read it in");
	else if (child_read(reader->answers, reader->deadline, ROWS_SIZE_MAX, &answer))
		*ret_reason = judge(reader, &answer, ret_rows, ret_denied);
	else {
		*ret_reason = xasprintf("could not be read within %d seconds", READER_PATIENCE);
		(void) end_child(reader);
	}
	return *ret_reason ? -1 : 0;
}
