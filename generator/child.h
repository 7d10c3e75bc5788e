/*
 * A child process whose answer is waited for until a moment and no longer: it may be stuck in a file system that does not
 * respond, and its parent goes on without it.
 */
#pragma once

#include <sys/types.h>

#include "base.h"

/*
 * In the child: what it would print goes to its parent. A child that is left behind would otherwise keep whoever waits for
 * the end of its parent's output, such as a shell's $(...) or a pager.
 */
void child_leave_output(int fd);

/*
 * Appends what comes through the pipe `fd` to its end. False if the deadline, a moment of CLOCK_MONOTONIC, or an answer longer than
 * `size_max` comes first; what came until then is in *answer.
 */
bool child_read(int fd, int64_t deadline, size_t size_max, struct text *answer);

/*
 * Kills the child unless it has ended, and returns its wait status. Waits 100 ms at most: a process that is stuck in a
 * file system that does not respond dies only when that call returns.
 */
int child_end(pid_t child);

/* Why a child that reads a database gave no whole answer, `otherwise` if its wait status does not tell; owned by the caller. */
char *child_explain(int status, const char *otherwise);
