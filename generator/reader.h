/*
 * The database -> struct rows, read in a child that has given up root for the file's owner before it looks at
 * the first byte. Nothing in the parent touches the file or its folder: a file system that hangs hangs a child.
 */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "rows.h"

/* A read under way: the child does it while the caller goes on. */
struct reader {
	pid_t child;                   /* 0: none */
	int paths[2], answers;         /* pipes to and from the child, -1: none */
	struct timespec deadline;
};
#define READER_NONE ((struct reader){ .paths = { -1, -1 }, .answers = -1 })

/*
 * Makes the child. To be called first of all: what the parent has read or opened is the child's as well, and each
 * page that it has written to is copied as soon as either of them writes to it again.
 */
void reader_fork(struct reader *ret_reader);

/* Has the child read the three views of the database at `path`. */
void reader_start(struct reader *reader, const char *path);

/*
 * Waits for the answer, READER_PATIENCE seconds from the start at most. 0 with the rows, or -1 with the reason and
 * whether it was a lack of permission; the caller frees either.
 */
enum { READER_PATIENCE = 3 };
int reader_finish(struct reader *reader, struct rows *ret_rows, char **ret_reason, bool *ret_denied);

/* Waits for the child, which has answered and takes a moment to go, so that none is left behind. */
void reader_wait(struct reader *reader);

/* The same, and closes what was open. */
void reader_done(struct reader *reader);
