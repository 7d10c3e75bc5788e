/*
 * What a run found, a line each: "PLACE: what is wrong", in the order in which it was found. A problem is something
 * that is refused or replaced by a default; a warning is worth knowing and changes no exit status.
 * Lines are printable UTF-8: control characters and broken bytes of quoted values show as \n or \xNN.
 */
#pragma once

#include "base.h"

struct report {
	char **lines;
	size_t count;
	size_t problems;       /* how many of the lines are not warnings */
	bool blind;            /* something could not be looked at, for want of permission */
};

/* So many lines are kept; further ones are only counted. */
enum { REPORT_LINES_MAX = 10000 };

/* `where` is the place in the user's terms: "left4me.conf:12", "instance 'foo'", a path. Both are copied. */
void report_problem(struct report *report, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);
void report_warning(struct report *report, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);

/* Appends all lines, each ended by a newline; nothing when the run was clean. */
void report_write(const struct report *report, struct text *out);

void report_done(struct report *report);
