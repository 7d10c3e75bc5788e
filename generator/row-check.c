#include "row-check.h"

#include <string.h>

#include "escape.h"
#include "name.h"

static char *check_place(const struct row_check *row, const char *column)
{
	const char *view = views[row->view].name;

	if (row->instance)
		return xasprintf("%s, row %zu (instance '%s'), %s", view, row->number, row->instance, column);
	if (row->overlay)
		return xasprintf("%s, row %zu (overlay %s), %s", view, row->number, row->overlay, column);
	return xasprintf("%s, row %zu, %s", view, row->number, column);
}

void check_refuse_for(struct row_check *row, const char *column, const char *format, va_list arguments)
{
	cleanup_free char *where = check_place(row, column);
	cleanup_free char *message = xvasprintf(format, arguments);
	cleanup_free char *reason = NULL;

	report_problem(row->report, where, "%s", message);
	if (row->refused)
		return;
	reason = xasprintf("%s %s", column, message);
	row->refused = escape_message(reason);
}

void check_refuse(struct row_check *row, const char *column, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	check_refuse_for(row, column, format, arguments);
	va_end(arguments);
}

char *check_show(const struct value *value)
{
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

bool check_integer(struct row_check *row, const char *column, const struct value *value, int64_t min, int64_t max,
		 int64_t *ret_number, const char *expected)
{
	if (value->type == VALUE_INTEGER && parse_decimal(value->text, min, max, ret_number))
		return true;
	cleanup_free char *shown = check_show(value);
	check_refuse(row, column, "%s is not %s", shown, expected);
	return false;
}

bool check_text(struct row_check *row, const char *column, const struct value *value, size_t max, const char **ret_text)
{
	if (value->type == VALUE_TOO_LONG)
		check_refuse(row, column, "is %s bytes long, the limit is %zu", value->text, max);
	else if (value->type != VALUE_TEXT) {
		cleanup_free char *shown = check_show(value);
		check_refuse(row, column, "%s is not a text", shown);
	} else if (value->length > max)
		check_refuse(row, column, "is %zu bytes long, the limit is %zu", value->length, max);
	else if (strlen(value->text) < value->length)
		check_refuse(row, column, "holds a NUL");
	else if (!valid_text(value->text, value->length)) {
		cleanup_free char *shown = check_show(value);
		check_refuse(row, column, "%s holds a control character or is no UTF-8", shown);
	} else {
		*ret_text = value->text;
		return true;
	}
	return false;
}
