/* One row of a view under examination: checks of its values, and the report of what is wrong with them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "report.h"
#include "rows.h"

struct row_check {
	enum view view;
	size_t number;                 /* from 1, in the order of the view's query */
	const char *instance, *overlay;        /* the name or id it is about, or NULL */
	char *refused;                 /* the first thing that is wrong, printable; owned; NULL for a good row */
	struct report *report;
};

/* Reports "VIEW, row NUMBER (...), COLUMN: MESSAGE" and keeps the first "COLUMN MESSAGE". */
void check_refuse(struct row_check *row, const char *column, const char *format, ...) PRINTF_LIKE(3, 4);
void check_refuse_for(struct row_check *row, const char *column, const char *format, va_list arguments) PRINTF_LIKE(3, 0);

/* How a value looks in a message; owned by the caller. */
char *check_show(const struct value *value);

/* True with the number, or refuses the row: the value "is not EXPECTED". */
bool check_integer(struct row_check *row, const char *column, const struct value *value, int64_t min, int64_t max,
		 int64_t *ret_number, const char *expected);

/* True with the text, borrowed from the row: valid_text() of at most max bytes. Or refuses the row. */
bool check_text(struct row_check *row, const char *column, const struct value *value, size_t max, const char **ret_text);
