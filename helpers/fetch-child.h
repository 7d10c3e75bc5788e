/*
 * Reads the row in a child process that has given up root for the build's user before it looks at the database, and is
 * confined to reading it. The file is hostile; what the child sends is taken as bytes and no more.
 */
#pragma once

#include <sys/types.h>

#include "fetch-row.h"

/*
 * fetch_row() by a child of that user and group. 0, or -1 with the reason, owned by the caller: a clause that follows the
 * path and may contain any byte but NUL.
 */
int fetch_by_child(uid_t uid, gid_t gid, const char *database, struct query *query, char **ret_reason);
