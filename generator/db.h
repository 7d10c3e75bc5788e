/*
 * The database -> struct rows, read in a child that has given up root for the file's owner before it looks at
 * the first byte. Nothing in the parent touches the file or its folder: a file system that hangs hangs a child.
 */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "rows.h"

/* A read under way: the child does it while the caller goes on. */
struct db_reader {
	pid_t child;                   /* 0: none */
	int fd;                        /* where its answer comes, -1: nowhere */
	struct timespec deadline;
};

/* Starts to read the three views of the database at `path`. */
void db_start(const char *path, struct db_reader *ret_reader);

/*
 * Waits for the answer, DB_PATIENCE seconds from the start at most. 0 with the rows, or -1 with the reason and
 * whether it was a lack of permission; the caller frees either.
 */
enum { DB_PATIENCE = 3 };
int db_finish(struct db_reader *reader, struct rows *ret_rows, char **ret_reason, bool *ret_denied);

/* Waits for the child, which has answered and takes a moment to go, so that none is left behind. */
void db_done(struct db_reader *reader);
