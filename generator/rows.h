/*
 * What the three views contain, unchecked: the form in which the reading child hands it to its parent, and in
 * which it is kept as the last good rows. A text that names its version, then records, each ended by a NUL:
 *
 *     generator_instances          a view's name; its rows follow, a value a record:
 *     s5 alpha   i5 27015   n0     type, length in bytes, a blank, that many bytes
 *     end
 *
 * The child parsed a hostile file, so its parent trusts nothing in the form either.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base.h"

#define ROWS_HEADER "left4me last-good 1\n"

enum view { VIEW_INSTANCES, VIEW_LAYERS, VIEW_OVERLAYS, VIEW_COUNT };

enum { COLUMNS_MAX = 4, VALUE_MAX = 4096, ROWS_SIZE_MAX = 64 * 1024 * 1024 };

/* A view's contract (design.md 4): its columns, the order its rows are read in, how many there may be. */
struct view_info {
	const char *name;
	const char *columns[COLUMNS_MAX];      /* NULL after the last */
	size_t column_count;
	const char *query;
	size_t rows_max;
};
extern const struct view_info views[VIEW_COUNT];

enum value_type {
	VALUE_NULL = 'n',
	VALUE_INTEGER = 'i',
	VALUE_REAL = 'f',
	VALUE_TEXT = 's',
	VALUE_BLOB = 'b',      /* text is its length in bytes */
	VALUE_TOO_LONG = 'l',  /* a text of more than VALUE_MAX bytes; text is its length */
};

struct value {
	enum value_type type;
	const char *text;      /* NUL-terminated; a VALUE_TEXT may hold NULs of its own */
	size_t length;
};

struct rows {
	char *data;
	size_t length;
	struct {
		size_t start;  /* offset of the first value */
		size_t count;
	} of[VIEW_COUNT];
};

/* Writing: ROWS_HEADER, then a view and its values at a time, then the end. */
void rows_put_view(struct text *out, enum view view);
void rows_put_value(struct text *out, enum value_type type, const char *text, size_t length);
void rows_put_end(struct text *out);

/* Checks the form from the first to the last byte and takes data over; false when anything is off. */
bool rows_take(char **data, size_t length, struct rows *ret_rows);

/* Reads the next row of a view; *position starts at rows->of[view].start. */
void rows_next(const struct rows *rows, enum view view, size_t *position, struct value ret_row[COLUMNS_MAX]);

void rows_done(struct rows *rows);
