/* What people read: texts in lines as wide as their terminal, and times in words. */
#pragma once

#include "base.h"

/* COLUMNS, as every program of systemd's has it, else standard output's own; 0 where neither says a number. */
unsigned screen_columns(void);

void screen_put_blanks(struct text *out, size_t count);

/*
 * Appends the text in lines, of which all but the first are indented; `used` columns of the first one are taken. Lines break at
 * blanks, and within words that are longer than a line.
 */
void screen_put_wrapped(struct text *out, const char *text, size_t used, size_t indent, size_t columns);

/* "9 s": a time in microseconds; and "9s" for a table. Both owned by the caller. */
char *duration_in_words(int64_t microseconds, bool is_short);
