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
	int paths[2], answers;         /* pipes to and from the child, -1: none */
	struct timespec deadline;
};
#define DB_NO_READER ((struct db_reader){ .paths = { -1, -1 }, .answers = -1 })

/*
 * Makes the child. To be called first of all: what the parent has read or opened is the child's as well, and each
 * page that it has written to is copied as soon as either of them writes to it again.
 */
void db_fork(struct db_reader *ret_reader);

/* Has the child read the three views of the database at `path`. */
void db_start(struct db_reader *reader, const char *path);

/*
 * Waits for the answer, DB_PATIENCE seconds from the start at most. 0 with the rows, or -1 with the reason and
 * whether it was a lack of permission; the caller frees either.
 */
enum { DB_PATIENCE = 3 };
int db_finish(struct db_reader *reader, struct rows *ret_rows, char **ret_reason, bool *ret_denied);

/* Waits for the child, which has answered and takes a moment to go, so that none is left behind. */
void db_wait(struct db_reader *reader);

/* The same, and closes what was open. */
void db_done(struct db_reader *reader);
