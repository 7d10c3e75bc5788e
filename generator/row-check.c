#include "row-check.h"

#include <limits.h>
#include <string.h>

#include "escape.h"
#include "name.h"

void check_refuse_for(struct row_check *row, unsigned column, const char *format, va_list arguments)
{
	cleanup_free char *message = xvasprintf(format, arguments);
	cleanup_free char *reason = NULL;
	const struct refusal refusal = {
		.view = views[row->view].name, .column = views[row->view].columns[column].name, .row = row->number,
		.instance = row->instance, .overlay = row->overlay, .reason = message,
	};

	report_refusal(row->report, &refusal);
	if (row->refused)
		return;
	reason = xasprintf("%s %s", views[row->view].columns[column].name, message);
	row->refused = escape_message(reason);
}

void check_refuse(struct row_check *row, unsigned column, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	check_refuse_for(row, column, format, arguments);
	va_end(arguments);
}

char *check_show(const struct row_check *row, unsigned column)
{
	const struct value *value = &row->values[column];

	switch (value->type) {
	case VALUE_NULL:
		return xstrdup("NULL");
	case VALUE_TEXT:
		if (strlen(value->text) < value->length)
			return xasprintf("'%.60s' with a NUL behind it", value->text);
		return xasprintf("'%.60s'%s", value->text, strlen(value->text) > 60 ? " and so on" : "");
	case VALUE_BLOB:
		return xasprintf("a blob of %s bytes", value->text);
	case VALUE_TOO_LONG:
		return xasprintf("a text of %s bytes", value->text);
	default:
		return xstrdup(value->text);
	}
}

void check_refuse_type(struct row_check *row, unsigned column, const char *expected)
{
	/* Any other is shown as what it is. */
	static const char *const names[UCHAR_MAX] = {
		[VALUE_INTEGER] = "an integer", [VALUE_REAL] = "a real number", [VALUE_TEXT] = "a text",
	};
	cleanup_free char *shown = check_show(row, column);
	const char *name = names[row->values[column].type];

	if (name)
		check_refuse(row, column, "%s is %s, not %s: CAST it in the view", shown, name, expected);
	else
		check_refuse(row, column, "%s is not %s", shown, expected);
}

static void refuse_number(struct row_check *row, unsigned column, const char *expected)
{
	if (row->values[column].type == VALUE_INTEGER)
		check_refuse(row, column, "%s is not %s", row->values[column].text, expected);
	else
		check_refuse_type(row, column, expected);
}

bool check_integer(struct row_check *row, unsigned column, int64_t min, int64_t max, int64_t *ret_number,
		   const char *expected)
{
	const struct value *value = &row->values[column];

	if (value->type == VALUE_INTEGER && parse_decimal(value->text, min, max, ret_number))
		return true;
	refuse_number(row, column, expected);
	return false;
}

bool check_text(struct row_check *row, unsigned column, size_t max, const char **ret_text)
{
	const struct value *value = &row->values[column];
	cleanup_free char *shown = NULL;

	if (value->type == VALUE_TEXT && value->length <= max && valid_text(value->text, value->length)) {
		*ret_text = value->text;
		return true;
	}
	shown = check_show(row, column);
	if (value->type == VALUE_TOO_LONG)
		check_refuse(row, column, "is %s bytes long, the limit is %zu", value->text, max);
	else if (value->type != VALUE_TEXT)
		check_refuse_type(row, column, "a text");
	else if (value->length > max)
		check_refuse(row, column, "is %u bytes long, the limit is %zu", value->length, max);
	else if (strlen(value->text) < value->length)
		check_refuse(row, column, "holds a NUL");
	else
		check_refuse(row, column, "%s holds a control character or is no UTF-8", shown);
	return false;
}
