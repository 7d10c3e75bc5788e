/*
 * What a run found: one line each, "PLACE: what is wrong", in the order of finding. A problem is something
 * refused or fallen back from; a warning is worth knowing but changes no exit status.
 * Lines are valid, printable UTF-8: control characters and broken bytes of quoted values show as \n or \xNN.
 */
#pragma once

#include "base.h"

struct report {
	char **lines;
	size_t count;
	size_t problems;       /* of the lines, how many are no warnings */
	bool blind;            /* something could not be looked at for lack of permission */
};

/* One line is kept in full up to REPORT_LINES_MAX of them, then only counted. */
enum { REPORT_LINES_MAX = 10000 };

void report_problem(struct report *report, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);
void report_warning(struct report *report, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);

/* All lines, each ended by a newline; empty when the run was clean. */
void report_write(const struct report *report, struct text *out);

void report_done(struct report *report);
