#include "fetch-row.h"

#include <inttypes.h>
#include <string.h>

#include "database.h"
#include "name.h"

static void finalizep(sqlite3_stmt **statement)
{
	(void) sqlite3_finalize(*statement);
}

/* Appends the script in the current row; returns what is wrong with it, owned by the caller, or NULL. */
static char *take_script(sqlite3_stmt *statement, struct text *script)
{
	int type = sqlite3_column_type(statement, 0);
	const char *bytes = type == SQLITE_TEXT ? (const char *) sqlite3_column_text(statement, 0) : NULL;
	size_t length = bytes ? (size_t) sqlite3_column_bytes(statement, 0) : 0;

	if (type == SQLITE_NULL)
		return NULL;
	if (!bytes)
		return xstrdup(type == SQLITE_TEXT ? "out of memory" : "the script is not a text");
	if (length > SCRIPT_MAX)
		return xasprintf("the script is %zu bytes long, the limit is %d", length, SCRIPT_MAX);
	if (memchr(bytes, '\0', length))
		return xstrdup("the script holds a NUL");
	text_append(script, bytes, length);
	return NULL;
}

/* A database_query. */
static int read_row(sqlite3 *db, void *userdata, char **ret_reason)
{
	cleanup(finalizep) sqlite3_stmt *statement = NULL;
	struct query *query = userdata;
	int rc = sqlite3_prepare_v2(db, "SELECT script FROM main.generator_overlays WHERE id = ?1", -1, &statement,
				    NULL);

	query->script.length = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(statement, 1, query->id);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_DONE)
		*ret_reason = xasprintf("view generator_overlays has no row with id %" PRId64, query->id);
	else if (rc == SQLITE_ROW) {
		*ret_reason = take_script(statement, &query->script);
		rc = *ret_reason ? SQLITE_MISMATCH : sqlite3_step(statement);
		if (rc == SQLITE_DONE)
			return SQLITE_OK;
		if (rc == SQLITE_ROW)
			*ret_reason = xasprintf("view generator_overlays has more than one row with id %" PRId64,
						query->id);
	}
	if (*ret_reason)
		return SQLITE_MISMATCH;
	/* SQLITE_ERROR: the view or a column is missing. For all others SQLite's own message is the better one. */
	if ((rc & 0xff) == SQLITE_ERROR)
		*ret_reason = database_explain(db, "generator_overlays");
	return rc;
}

int fetch_row(const char *database, struct query *query, char **ret_reason)
{
	struct database_error error = { .reason = NULL };
	int r = database_read(database, read_row, query, &error);

	*ret_reason = error.reason;
	return r;
}
