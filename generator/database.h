/*
 * Reads a database that somebody else writes, without leaving a trace in its folder and whatever state its
 * writer left it in. The file is hostile: call this in a process that has given up root for its owner.
 * Also used by left4me-fetch-script.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

/*
 * A reader is called with an open, hardened database inside one read transaction. It returns an SQLite
 * result code, SQLITE_OK when it has all it wants, and is called anew, from the start, when a writer came in
 * between. With *ret_reason set (owned by the caller) that text says what is wrong, else SQLite's does.
 */
typedef int (*database_query)(sqlite3 *db, void *userdata, char **ret_reason);

/*
 * Opens the file at `path` (followed to its folder, then no symlink) and calls the reader until one run saw
 * nothing but committed rows of one moment. Waits DATABASE_LOCK_PATIENCE seconds for a writer and reads for
 * DATABASE_PATIENCE seconds at most. Changes the working directory of the process.
 * What a crashed writer left may have to be copied first: into the folder `copy`, an absolute path at which
 * nothing is, made for that and removed again.
 * Returns 0, or -1 with the reason in *ret_reason and in *ret_denied whether permissions were it.
 */
enum { DATABASE_LOCK_PATIENCE = 1, DATABASE_PATIENCE = 2 };
int database_read(const char *path, const char *copy, database_query reader, void *userdata, char **ret_reason,
		  bool *ret_denied);

/* Removes the copy of a database_read() that was ended, if there is one. */
void database_remove_copy(const char *copy);
