#include "rows.h"

#include <string.h>

#include "name.h"

const struct view_info views[VIEW_COUNT] = {
	[VIEW_INSTANCES] = {
		"generator_instances", { "name", "port", "arguments", "enabled" }, 4,
		"SELECT name, port, arguments, enabled FROM main.generator_instances ORDER BY name", 20000,
	},
	[VIEW_LAYERS] = {
		"generator_layers", { "instance", "position", "overlay" }, 3,
		"SELECT instance, position, overlay FROM main.generator_layers ORDER BY instance, position", 200000,
	},
	/* The script itself stays in the database: its length, or a type it must not have. As a blob, length()
	   counts bytes and past a NUL. */
	[VIEW_OVERLAYS] = {
		"generator_overlays", { "id", "name", "script" }, 3,
		"SELECT id, name, CASE typeof(script) WHEN 'text' THEN length(CAST(script AS BLOB)) WHEN 'null' THEN NULL"
		" ELSE typeof(script) END FROM main.generator_overlays ORDER BY id", 20000,
	},
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

void rows_put_view(struct text *out, enum view view)
{
	text_append(out, views[view].name, strlen(views[view].name) + 1);
}

void rows_put_value(struct text *out, enum value_type type, const char *text, size_t length)
{
	char digits[24];
	size_t start = sizeof(digits), rest = length;
	char *record;

	digits[--start] = ' ';
	do
		digits[--start] = (char) ('0' + rest % 10);
	while ((rest /= 10) > 0);
	digits[--start] = (char) type;
	record = text_extend(out, sizeof(digits) - start + length + 1);
	memcpy(record, digits + start, sizeof(digits) - start);
	record += sizeof(digits) - start;
	memcpy(record, text, length);
	record[length] = '\0';
}

void rows_put_end(struct text *out)
{
	text_append(out, "end", sizeof("end"));
}

/* Reads the value at *position if one is there, without leaving the data. */
static bool take_value(const char *data, size_t end, size_t *position, struct value *ret_value)
{
	size_t at = *position, length = 0;
	char type = at < end ? data[at] : '\0';

	if (!is_type(type))
		return false;
	for (at++; at < end && data[at] >= '0' && data[at] <= '9' && length <= VALUE_MAX; at++)
		length = length * 10 + (size_t) (data[at] - '0');
	if (length > VALUE_MAX || end - at < length + 2 || data[at] != ' ' || data[at + 1 + length] != '\0')
		return false;
	*ret_value = (struct value){ (enum value_type) type, data + at + 1, length };
	*position = at + length + 2;
	return true;
}

static bool take_record(const char *data, size_t end, size_t *position, const char *record)
{
	size_t size = strlen(record) + 1;

	if (end - *position < size || memcmp(data + *position, record, size) != 0)
		return false;
	*position += size;
	return true;
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

bool rows_take(char **data, size_t length, struct rows *ret_rows)
{
	struct rows rows = { .data = *data, .length = length };
	size_t position = strlen(ROWS_HEADER);

	if (length < position || memcmp(*data, ROWS_HEADER, position) != 0)
		return false;
	for (enum view view = 0; view < VIEW_COUNT; view++) {
		size_t values = 0;
		struct value value;

		if (!take_record(*data, length, &position, views[view].name))
			return false;
		rows.of[view].start = position;
		for (; take_value(*data, length, &position, &value); values++)
			if (!is_sane(&value))
				return false;
		rows.of[view].count = values / views[view].column_count;
		if (values % views[view].column_count || rows.of[view].count > views[view].rows_max)
			return false;
	}
	if (!take_record(*data, length, &position, "end") || position != length)
		return false;
	*data = NULL;
	*ret_rows = rows;
	return true;
}

/* What rows_take() has taken has no surprise left. */
void rows_next(const struct rows *rows, enum view view, size_t *position, struct value ret_row[COLUMNS_MAX])
{
	const char *data = rows->data + *position;

	for (size_t i = 0; i < views[view].column_count; i++) {
		enum value_type type = (enum value_type) *data++;
		size_t length = 0;

		while (*data != ' ')
			length = length * 10 + (size_t) (*data++ - '0');
		ret_row[i] = (struct value){ type, data + 1, length };
		data += length + 2;
	}
	*position = (size_t) (data - rows->data);
}

void rows_done(struct rows *rows)
{
	free(rows->data);
	*rows = (struct rows){ 0 };
}
