#include "report.h"

#include "escape.h"

static void PRINTF_LIKE(4, 0) add(struct report *report, const char *severity, const char *where,
				  const char *format, va_list arguments)
{
	cleanup_free char *message = NULL;
	cleanup_free char *line = NULL;

	if (report->count++ >= REPORT_LINES_MAX)
		return;
	message = xvasprintf(format, arguments);
	line = xasprintf("%s%s: %s", severity, where, message);
	report->lines = grow_array(report->lines, report->count - 1, sizeof(*report->lines));
	report->lines[report->count - 1] = escape_message(line);
}

void report_problem(struct report *report, const char *where, const char *format, ...)
{
	va_list arguments;

	report->problems++;
	va_start(arguments, format);
	add(report, "", where, format, arguments);
	va_end(arguments);
}

void report_warning(struct report *report, const char *where, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(report, "warning: ", where, format, arguments);
	va_end(arguments);
}

static char *place_of(const struct refusal *refusal)
{
	if (refusal->instance)
		return xasprintf("%s, row %zu (instance '%s'), %s", refusal->view, refusal->row, refusal->instance,
				 refusal->column);
	if (refusal->overlay)
		return xasprintf("%s, row %zu (overlay %s), %s", refusal->view, refusal->row, refusal->overlay,
				 refusal->column);
	return xasprintf("%s, row %zu, %s", refusal->view, refusal->row, refusal->column);
}

void report_row(struct report *report, const struct refusal *place)
{
	cleanup_free char *where = xasprintf("%s, row %zu, %s of instance '%s'", place->view, place->row, place->column,
					     place->instance);

	report_problem(report, where, "%s", place->reason);
}

void report_refusal(struct report *report, const struct refusal *refusal)
{
	cleanup_free char *where = place_of(refusal);

	report_problem(report, where, "%s", refusal->reason);
	if (report->refusal_count == REPORT_LINES_MAX)
		return;
	report->refusals = grow_array(report->refusals, report->refusal_count, sizeof(*report->refusals));
	report->refusals[report->refusal_count] = *refusal;
	report->refusals[report->refusal_count++].reason = escape_message(refusal->reason);
}

void report_write(const struct report *report, struct text *out)
{
	size_t kept = report->count < REPORT_LINES_MAX ? report->count : REPORT_LINES_MAX;

	for (size_t i = 0; i < kept; i++) {
		text_puts(out, report->lines[i]);
		text_putc(out, '\n');
	}
	if (report->count > kept)
		text_printf(out, "and %zu more\n", report->count - kept);
}

void report_done(struct report *report)
{
	for (size_t i = 0; i < report->count && i < REPORT_LINES_MAX; i++)
		free(report->lines[i]);
	for (size_t i = 0; i < report->refusal_count; i++)
		free(report->refusals[i].reason);
	free(report->lines);
	free(report->refusals);
	*report = (struct report){ 0 };
}
