/*
 * Reads a database that somebody else writes, whatever state its writer has left it in, and leaves no trace in its
 * directory. The file is hostile: call this in a process that has given up root. Used by the generator's reading
 * child and by left4me-fetch-script.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

/*
 * Called with an open, hardened database inside one read transaction. Returns an SQLite result code, SQLITE_OK when
 * it has all it wants. If a writer interfered it is called again and starts over. It may set *ret_reason (owned by
 * database_read()) to say what is wrong; otherwise SQLite's message does.
 */
typedef int (*database_query)(sqlite3 *db, void *userdata, char **ret_reason);

/*
 * Opens the file at `path` and calls the query until one run saw nothing but committed rows of one moment. Links on the
 * way to its directory are followed; the file itself must not be one. Waits DATABASE_LOCK_PATIENCE seconds for a writer
 * and reads for DATABASE_PATIENCE seconds at most. Changes the working directory of the process.
 * Returns 0, or -1 with the reason in *ret_reason, owned by the caller: a clause that follows the path. *ret_denied says
 * whether a missing permission was the reason.
 */
enum { DATABASE_LOCK_PATIENCE = 1, DATABASE_PATIENCE = 2 };
int database_read(const char *path, database_query query, void *userdata, char **ret_reason, bool *ret_denied);
