/*
 * The database -> struct rows. A child process reads it: it has given up root for the configured user before it looks
 * at any path, whoever owns the file, and it is confined to reading. If it is stuck in a file system that does not
 * respond, its parent goes on without it. The parent itself never touches the file or its directory.
 */
#pragma once

#include <sys/types.h>

#include "rows.h"

/* A read in progress. */
struct reader {
	pid_t child;                   /* 0: none */
	int requests[2], answers;      /* pipes to and from the child, -1: none */
	int64_t deadline;
};
#define READER_NONE ((struct reader){ .requests = { -1, -1 }, .answers = -1 })

/*
 * Forks the child, which then waits for a request. Call this before anything else is read: the child gets a copy of
 * the parent's memory and descriptors, and must hold no secret of the configuration; and every page that the parent
 * has written by then is copied when either of them writes to it again. Errors are left to reader_finish().
 */
void reader_fork(struct reader *ret_reader);

/*
 * Tells the child to read the three views of the database at `path`, and does not wait for it. If it is root it becomes
 * that user and group, decimal numbers, neither of them 0.
 */
void reader_start(struct reader *reader, const char *path, const char *uid, const char *gid);

/*
 * Waits for the answer until READER_PATIENCE seconds after reader_start(). Returns 0 with the rows, or -1 with the
 * reason, a clause that follows the path, and whether a missing permission was that reason. Rows and reason belong to
 * the caller.
 */
enum { READER_PATIENCE = 3 };
int reader_finish(struct reader *reader, struct rows *ret_rows, char **ret_reason, bool *ret_denied);

/* Ends the child if it is still there: no process outlives its reader. */
void reader_wait(struct reader *reader);

/* The same, and closes what the reader has open. */
void reader_done(struct reader *reader);
