/*
 * What the three views contain, unchecked: the form in which the reading child hands it to its parent and in which
 * it is kept as the last good rows. A text that names its version, then records, each ended by a NUL:
 *
 *     generator_instances name port arguments enabled created     a view with its columns; its rows follow, a value a record:
 *     s5 alpha   i5 27015   s0    i1 1   n0                       type, length in bytes, a blank, that many bytes
 *     end
 *
 * The child parsed a hostile file, so its parent trusts nothing in the form either.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base.h"

/*
 * To be raised when the form changes, or what a value of a column means. A column more, less or elsewhere needs
 * nothing: the columns are part of the form, so rows of another version do not pass for rows of this one.
 */
#define ROWS_HEADER "left4me last-good 2\n"

/*
 * The columns of each view, in the order in which they are read: number, name, and what is asked for where that is
 * not the column itself. left4me-views(5) is their contract.
 */
#define INSTANCE_COLUMNS(COLUMN) \
	COLUMN(INSTANCE_NAME, "name", NULL) \
	COLUMN(INSTANCE_PORT, "port", NULL) \
	COLUMN(INSTANCE_ARGUMENTS, "arguments", NULL) \
	COLUMN(INSTANCE_ENABLED, "enabled", NULL) \
	COLUMN(INSTANCE_CREATED, "created", NULL)

#define LAYER_COLUMNS(COLUMN) \
	COLUMN(LAYER_INSTANCE, "instance", NULL) \
	COLUMN(LAYER_POSITION, "position", NULL) \
	COLUMN(LAYER_OVERLAY, "overlay", NULL)

/*
 * The script itself stays in the database: its length in bytes of UTF-8, or the name of a type that it must not have.
 * The function is reader.c's: length() of a blob counts the database's encoding, which may be UTF-16.
 */
#define OVERLAY_COLUMNS(COLUMN) \
	COLUMN(OVERLAY_ID, "id", NULL) \
	COLUMN(OVERLAY_NAME, "name", NULL) \
	COLUMN(OVERLAY_SCRIPT, "script", "left4me_length(script)")

#define COLUMN_NUMBER(number, name, expression) number,
enum { INSTANCE_COLUMNS(COLUMN_NUMBER) INSTANCE_COLUMN_COUNT };
enum { LAYER_COLUMNS(COLUMN_NUMBER) LAYER_COLUMN_COUNT };
enum { OVERLAY_COLUMNS(COLUMN_NUMBER) OVERLAY_COLUMN_COUNT };

/* A view with more than so many times the rows that get a unit is no view of servers: it counts as unreadable. */
enum { ROWS_PER_UNIT_MAX = 10 };

enum view { VIEW_INSTANCES, VIEW_LAYERS, VIEW_OVERLAYS, VIEW_COUNT };

/* Bytes, but for the number of columns that a view may have. */
enum { COLUMNS_MAX = 8, VALUE_MAX = 4096, ROWS_SIZE_MAX = 64 * 1024 * 1024 };

struct view_info {
	const char *name;
	struct {
		const char *name, *expression;
	} columns[COLUMNS_MAX];
	size_t column_count;
	size_t optional_count;         /* of them, the last ones: NULL in each row where the view lacks any of these */
	const char *order;             /* of its rows: what ORDER BY names */
	size_t rows_max;
};
extern const struct view_info views[VIEW_COUNT];

/* The query that reads a view's columns in their order, the optional ones as NULL unless asked for; owned by the caller. */
char *view_query(enum view view, bool with_optional);

enum value_type {
	VALUE_NULL = 'n',
	VALUE_INTEGER = 'i',
	VALUE_REAL = 'f',
	VALUE_TEXT = 's',
	VALUE_BLOB = 'b',      /* text is its length in bytes */
	VALUE_TOO_LONG = 'l',  /* a text of more than VALUE_MAX bytes; text is its length */
};

struct value {
	const char *text;      /* NUL-terminated; a VALUE_TEXT may hold NULs of its own */
	unsigned length;       /* bytes, at most VALUE_MAX */
	enum value_type type;
};

struct rows {
	struct text text;      /* the form above, as it came */
	struct value *values;  /* of all views; their texts are in `text` */
	struct {
		size_t first;  /* of its values */
		size_t count;  /* of its rows */
	} of[VIEW_COUNT];
};
#define ROWS_EMPTY ((struct rows){ .text = TEXT_EMPTY })

/* Writing: ROWS_HEADER, then a view and its values at a time, then the end. */
void rows_put_view(struct text *out, enum view view);
void rows_put_value(struct text *out, enum value_type type, const char *text, size_t length);
void rows_put_number(struct text *out, enum value_type type, long long number);
void rows_put_end(struct text *out);

/* Checks the form from the first to the last byte and takes the text over; false, and nothing taken, when it is off. */
bool rows_take(struct text *text, struct rows *ret_rows);

/*
 * Puts rows of version 1 into the present form, which is for rows_take() to check; false, and nothing changed, when they
 * are none. For the last good rows of a host that is upgraded: no child sends them.
 */
bool rows_from_version_1(struct text *text);

/* The values of row `number`, from 0, by the numbers of the view's columns. Borrowed. */
const struct value *rows_row(const struct rows *rows, enum view view, size_t number);

void rows_done(struct rows *rows);
