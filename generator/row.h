/* One row of a view under examination: checks of its values, and the report of what is wrong with them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "report.h"
#include "rows.h"

struct row {
	enum view view;
	size_t number;                 /* from 1, in the order of the view's query */
	const char *instance, *overlay;        /* the name or id it is about, or NULL */
	char *refused;                 /* the first thing that is wrong, printable; owned; NULL for a good row */
	struct report *report;
};

/* Reports "VIEW, row NUMBER (...), COLUMN: MESSAGE" and keeps the first "COLUMN MESSAGE". */
void row_refuse(struct row *row, const char *column, const char *format, ...) PRINTF_LIKE(3, 4);
void row_refuse_for(struct row *row, const char *column, const char *format, va_list arguments) PRINTF_LIKE(3, 0);

/* How a value looks in a message; owned by the caller. */
char *row_show(const struct value *value);

/* True with the number, or refuses the row: the value "is not EXPECTED". */
bool row_integer(struct row *row, const char *column, const struct value *value, int64_t min, int64_t max,
		 int64_t *ret_number, const char *expected);

/* True with the text, borrowed from the row: valid_text() of at most max bytes. Or refuses the row. */
bool row_text(struct row *row, const char *column, const struct value *value, size_t max, const char **ret_text);
