/*
 * The database -> struct rows, read in a child that has given up root for the file's owner before it looks at
 * the first byte. Nothing in the parent touches the file or its folder: a file system that hangs hangs a child.
 */
#pragma once

#include "rows.h"

/*
 * Reads the three views of the database at `path` within DB_PATIENCE seconds. 0 with the rows, or -1 with the
 * reason and whether it was a lack of permission; the caller frees either.
 */
enum { DB_PATIENCE = 3 };
int db_read(const char *path, struct rows *ret_rows, char **ret_reason, bool *ret_denied);
