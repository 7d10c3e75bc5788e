/*
 * Reads a database that somebody else writes, whatever state its writer has left it in, and leaves no trace in its
 * directory. The file is hostile: a process of its own calls this, that of the generator's reader or of
 * left4me-fetch-script.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Why the database could not be read: a clause that follows its path, owned by the caller, and whether the reason was that
 * a permission is missing.
 */
struct database_error {
	char *reason;
	bool denied;
};

/*
 * Makes the calling process one that can read the database at `path` and nothing else, for good: if it is root it becomes that
 * user; it enters the directory, following the links that an operator may have made; its memory and time are limited,
 * and platform_confine() takes away the rest. It dies with its parent. 0, or -1 with the error; then it must not go on.
 */
int database_enter(const char *path, uid_t uid, gid_t gid, struct database_error *ret_error);

/*
 * Fills the error for a path that could not be opened or entered: for want of a permission, whose, and how the file stands
 * there. `what` is "read it" or "enter '/srv'". -1.
 */
int database_refuse(struct database_error *ret_error, int error, const char *path, const char *what);

/*
 * Called with an open, hardened database inside one read transaction. Returns an SQLite result code, SQLITE_OK when
 * it has all it wants. If a writer interfered it is called again and starts over. It may set *ret_reason (owned by
 * database_read()) to say what is wrong; otherwise SQLite's message does.
 */
typedef int (*database_query)(sqlite3 *db, void *userdata, char **ret_reason);

/*
 * Opens the file of that name in the working directory, which must not be a link, and calls the query until one run saw
 * nothing but committed rows of one moment. `path` may have directories in front of the name. Waits
 * DATABASE_LOCK_PATIENCE seconds for a writer and reads for DATABASE_PATIENCE seconds at most. 0, or -1 with the error.
 */
enum { DATABASE_LOCK_PATIENCE = 1, DATABASE_PATIENCE = 2 };
int database_read(const char *path, database_query query, void *userdata, struct database_error *ret_error);

/* What SQLite's last message means for that view, and what cures it; owned by the caller. For a database_query. */
char *database_explain(sqlite3 *db, const char *view);
