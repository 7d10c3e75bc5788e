#include "rows.h"

#include <string.h>

#include "name.h"

/* The form of hosts that are upgraded: views without their columns, and none of the optional columns. */
#define VERSION_1 "left4me last-good 1\n"

#define COLUMN_INFO(number, name, expression) [number] = { name, expression },

const struct view_info views[VIEW_COUNT] = {
	[VIEW_INSTANCES] = {
		"generator_instances", { INSTANCE_COLUMNS(COLUMN_INFO) }, INSTANCE_COLUMN_COUNT, 1,
		"name", ROWS_PER_UNIT_MAX * SERVERS_MAX,
	},
	[VIEW_LAYERS] = {
		"generator_layers", { LAYER_COLUMNS(COLUMN_INFO) }, LAYER_COLUMN_COUNT, 0,
		"instance, position", 200000,
	},
	[VIEW_OVERLAYS] = {
		"generator_overlays", { OVERLAY_COLUMNS(COLUMN_INFO) }, OVERLAY_COLUMN_COUNT, 0,
		"id", ROWS_PER_UNIT_MAX * OVERLAY_ROWS_MAX,
	},
};

/*
 * One row more than there may be is enough to say that there are too many. Without that end a view that has none is
 * sorted until time or memory ends, and the message would name one of these.
 */
char *view_query(enum view view, bool with_optional)
{
	const struct view_info *info = &views[view];
	struct text query = TEXT_EMPTY;

	for (size_t i = 0; i < info->column_count; i++) {
		const char *name = info->columns[i].name, *expression = info->columns[i].expression;

		if (!with_optional && i >= info->column_count - info->optional_count)
			expression = "NULL";
		text_puts(&query, i == 0 ? "SELECT * FROM (SELECT " : ", ");
		text_printf(&query, expression ? "%s AS %s" : "%s", expression ? expression : name, name);
	}
	text_printf(&query, " FROM main.%s LIMIT %zu) ORDER BY %s", info->name, info->rows_max + 1, info->order);
	return text_take(&query);
}

/* --- writing --------------------------------------------------------------------------------------------- */

void rows_put_view(struct text *out, enum view view)
{
	text_puts(out, views[view].name);
	for (size_t i = 0; i < views[view].column_count; i++) {
		text_putc(out, ' ');
		text_puts(out, views[view].columns[i].name);
	}
	text_putc(out, '\0');
}

/* The number's digits, written to end where `end` points; returns where they begin. */
static char *put_digits(char *end, unsigned long long number)
{
	do
		*--end = (char) ('0' + number % 10);
	while ((number /= 10) > 0);
	return end;
}

void rows_put_value(struct text *out, enum value_type type, const char *text, size_t length)
{
	char head[24], *end = head + sizeof(head), *start, *record;
	size_t size;

	end[-1] = ' ';
	start = put_digits(end - 1, length);
	*--start = (char) type;
	size = (size_t) (end - start);
	record = text_extend(out, size + length + 1);
	memcpy(record, start, size);
	memcpy(record + size, text, length);
	record[size + length] = '\0';
}

void rows_put_number(struct text *out, enum value_type type, long long number)
{
	char digits[24], *end = digits + sizeof(digits), *start;

	start = put_digits(end, number < 0 ? -(unsigned long long) number : (unsigned long long) number);
	if (number < 0)
		*--start = '-';
	rows_put_value(out, type, start, (size_t) (end - start));
}

void rows_put_end(struct text *out)
{
	text_append(out, "end", sizeof("end"));
}

/* --- reading --------------------------------------------------------------------------------------------- */

/* What is left to be read. */
struct rest {
	const char *at, *end;
};

static bool is_type(char c)
{
	switch (c) {
	case VALUE_NULL:
	case VALUE_INTEGER:
	case VALUE_REAL:
	case VALUE_TEXT:
	case VALUE_BLOB:
	case VALUE_TOO_LONG:
		return true;
	default:
		return false;
	}
}

/* An integer reaches the model as digits: it is printed and compared as text as well. */
static bool is_sane(const struct value *value)
{
	size_t digits = 0;

	if (value->type == VALUE_TEXT)
		return true;
	if (value->type == VALUE_REAL)
		return valid_text(value->text, value->length) && value->length < 40;
	while ((value->text[digits] >= '0' && value->text[digits] <= '9') || value->text[digits] == '-')
		digits++;
	return digits == value->length && digits <= 20 && (digits == 0) == (value->type == VALUE_NULL);
}

/* The value that is next, if it is one. */
static bool take_value(struct rest *rest, struct value *ret_value)
{
	const char *at = rest->at;
	struct value value = { .length = 0 };

	if (at == rest->end || !is_type(*at))
		return false;
	value.type = (enum value_type) *at++;
	for (; at < rest->end && *at >= '0' && *at <= '9' && value.length <= VALUE_MAX; at++)
		value.length = value.length * 10 + (unsigned) (*at - '0');
	if (value.length > VALUE_MAX || (size_t) (rest->end - at) < value.length + 2u ||
	    at[0] != ' ' || at[1 + value.length] != '\0')
		return false;
	value.text = at + 1;
	if (!is_sane(&value))
		return false;
	rest->at = at + value.length + 2;
	*ret_value = value;
	return true;
}

static bool take_record(struct rest *rest, const char *record, size_t size)
{
	if ((size_t) (rest->end - rest->at) < size || memcmp(rest->at, record, size) != 0)
		return false;
	rest->at += size;
	return true;
}

static bool take_view(struct rest *rest, enum view view, struct rows *rows, size_t *count)
{
	cleanup_text struct text record = TEXT_EMPTY;
	struct value value;

	rows_put_view(&record, view);
	if (!take_record(rest, record.data, record.length))
		return false;
	rows->of[view].first = *count;
	while (take_value(rest, &value)) {
		rows->values = grow_array(rows->values, *count, sizeof(value));
		rows->values[(*count)++] = value;
	}
	rows->of[view].count = (*count - rows->of[view].first) / views[view].column_count;
	return (*count - rows->of[view].first) % views[view].column_count == 0 &&
	       rows->of[view].count <= views[view].rows_max;
}

bool rows_take(struct text *text, struct rows *ret_rows)
{
	struct rest rest = { text_string(text), text_string(text) + text->length };
	struct rows rows = ROWS_EMPTY;
	size_t count = 0;
	bool good = take_record(&rest, ROWS_HEADER, strlen(ROWS_HEADER));

	for (enum view view = 0; good && view < VIEW_COUNT; view++)
		good = take_view(&rest, view, &rows, &count);
	if (!good || !take_record(&rest, "end", sizeof("end")) || rest.at != rest.end) {
		free(rows.values);
		return false;
	}
	rows.text = *text;
	*text = TEXT_EMPTY;
	*ret_rows = rows;
	return true;
}

bool rows_from_version_1(struct text *text)
{
	struct rest rest = { text_string(text), text_string(text) + text->length };
	cleanup_text struct text out = TEXT_EMPTY;

	if (!take_record(&rest, VERSION_1, strlen(VERSION_1)))
		return false;
	text_puts(&out, ROWS_HEADER);
	for (enum view view = 0; view < VIEW_COUNT; view++) {
		const struct view_info *info = &views[view];
		size_t given = info->column_count - info->optional_count, number = 0;
		struct value value;

		if (!take_record(&rest, info->name, strlen(info->name) + 1))
			return false;
		rows_put_view(&out, view);
		while (take_value(&rest, &value)) {
			rows_put_value(&out, value.type, value.text, value.length);
			if (++number % given == 0)
				for (size_t i = given; i < info->column_count; i++)
					rows_put_value(&out, VALUE_NULL, "", 0);
		}
	}
	text_append(&out, rest.at, (size_t) (rest.end - rest.at));
	text_done(text);
	*text = out;
	out = TEXT_EMPTY;
	return true;
}

const struct value *rows_row(const struct rows *rows, enum view view, size_t number)
{
	return rows->values + rows->of[view].first + number * views[view].column_count;
}

void rows_done(struct rows *rows)
{
	text_done(&rows->text);
	free(rows->values);
	*rows = ROWS_EMPTY;
}
