/* One row of a view under examination: checks of its values, and the report of what is wrong with them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "report.h"
#include "rows.h"

struct row_check {
	enum view view;
	size_t number;                 /* of the row, from 1, in the order of the view's query */
	const struct value *values;    /* by the numbers of the view's columns; borrowed */
	const char *instance, *overlay;        /* the name or id that the row is about, or NULL; borrowed */
	char *refused;                 /* the first thing that is wrong, printable; owned; NULL for a good row */
	struct report *report;
};

/* Reports "VIEW, row NUMBER (...), COLUMN: MESSAGE" and keeps the first "COLUMN MESSAGE" in `refused`. */
void check_refuse(struct row_check *row, unsigned column, const char *format, ...) PRINTF_LIKE(3, 4);
void check_refuse_for(struct row_check *row, unsigned column, const char *format, va_list arguments)
	PRINTF_LIKE(3, 0);

/* How the value looks in a message; owned by the caller. */
char *check_show(const struct row_check *row, unsigned column);

/* Refuses the row for a value of another type: it "is a real number, not EXPECTED". */
void check_refuse_type(struct row_check *row, unsigned column, const char *expected);

/* True with the number, or refuses the row: the value "is not EXPECTED", whatever its type. */
bool check_integer(struct row_check *row, unsigned column, int64_t min, int64_t max, int64_t *ret_number,
		   const char *expected);

/* True with the text, borrowed from the row: valid_text() of at most `max` bytes. Or refuses the row. */
bool check_text(struct row_check *row, unsigned column, size_t max, const char **ret_text);
