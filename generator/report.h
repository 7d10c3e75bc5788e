/*
 * What a run found, a line each: "PLACE: what is wrong", in the order in which it was found. A problem is something
 * that is refused or replaced by a default; a warning is worth knowing and changes no exit status.
 * Lines are printable UTF-8: control characters and broken bytes of quoted values show as \n or \xNN.
 */
#pragma once

#include "base.h"

/* A row that is refused. Texts are borrowed from views and rows, but for the reason. */
struct refusal {
	const char *view, *column;
	size_t row;                    /* of the view, from 1 */
	const char *instance, *overlay;        /* the name or id that the row is about, or NULL */
	char *reason;                  /* what is wrong with the column; printable */
};

struct report {
	char **lines;
	size_t count;
	size_t problems;       /* how many of the lines are not warnings */
	struct refusal *refusals;      /* those of the problems that are rows */
	size_t refusal_count;
	bool blind;            /* something could not be looked at, for want of permission */
};

/* Where a reload leaves its report. */
#define REPORT_FILE "report"
#define REPORT "/run/left4me/" REPORT_FILE

/* So many lines are kept; further ones are only counted. */
enum { REPORT_LINES_MAX = 10000 };

/* `where` is the place in the user's terms: "left4me.conf:12", "instance 'foo'", a path. Both are copied. */
void report_problem(struct report *report, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);
void report_warning(struct report *report, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);

/* A problem of an instance's row that stays in force: "VIEW, row NUMBER, COLUMN of instance 'NAME': REASON". */
void report_row(struct report *report, const struct refusal *place);

/* A row that is refused: "VIEW, row NUMBER (instance 'NAME'), COLUMN: REASON"; left4me-views(5). The reason is copied. */
void report_refusal(struct report *report, const struct refusal *refusal);

/* Appends all lines, each ended by a newline; nothing when the run was clean. */
void report_write(const struct report *report, struct text *out);

void report_done(struct report *report);
