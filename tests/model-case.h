/*
 * For the tests of model.h: rows by the names of their columns, and a case: what becomes of some rows, and what is
 * reported about them.
 */
#pragma once

#include "model.h"

#include <stddef.h>
#include <stdlib.h>

#include "tap.h"

/* --- rows by the names of their columns --------------------------------------------------------------------------- */

/* A row of any view; what a case leaves out is as `columns` says. */
struct row {
	struct value name, port, arguments, enabled;   /* of generator_instances */
	struct value instance, position, overlay;      /* of generator_layers */
	struct value id, script;                       /* of generator_overlays, as is name */
};

/* A script is known by its length, or by the name of a type that it must not have. */
#define TEXT(string) { .type = VALUE_TEXT, .text = (string), .length = sizeof(string) - 1 }
#define INTEGER(number) { .type = VALUE_INTEGER, .text = #number, .length = sizeof(#number) - 1 }
#define REAL(number) { .type = VALUE_REAL, .text = #number, .length = sizeof(#number) - 1 }
#define BLOB(bytes) { .type = VALUE_BLOB, .text = #bytes, .length = sizeof(#bytes) - 1 }
#define TOO_LONG(bytes) { .type = VALUE_TOO_LONG, .text = #bytes, .length = sizeof(#bytes) - 1 }
#define SQL_NULL { .type = VALUE_NULL, .text = "" }

static const struct {
	const char *name;
	size_t offset;
	struct value otherwise;
} columns[] = {
	{ "name", offsetof(struct row, name), TEXT("") },
	{ "port", offsetof(struct row, port), INTEGER(27001) },
	{ "arguments", offsetof(struct row, arguments), TEXT("") },
	{ "enabled", offsetof(struct row, enabled), INTEGER(1) },
	{ "instance", offsetof(struct row, instance), TEXT("a") },
	{ "position", offsetof(struct row, position), INTEGER(1) },
	{ "overlay", offsetof(struct row, overlay), INTEGER(1) },
	{ "id", offsetof(struct row, id), INTEGER(1) },
	{ "script", offsetof(struct row, script), SQL_NULL },
};

static inline const struct value *column_of(const struct row *row, size_t i)
{
	return (const void *) ((const char *) row + columns[i].offset);
}

/* A column that is not in the table is NULL. */
static inline struct value value_of(const struct row *row, const char *column)
{
	for (size_t i = 0; i < ELEMENTS(columns); i++)
		if (strcmp(columns[i].name, column) == 0)
			return column_of(row, i)->text ? *column_of(row, i) : columns[i].otherwise;
	return (struct value) SQL_NULL;
}

static inline void put_row(struct text *out, enum view view, const struct row *row)
{
	for (size_t i = 0; i < views[view].column_count; i++) {
		const struct value value = value_of(row, views[view].columns[i].name);

		rows_put_value(out, value.type, value.text, value.length);
	}
}

static inline bool is_row(const struct row *row)
{
	for (size_t i = 0; i < ELEMENTS(columns); i++)
		if (column_of(row, i)->text)
			return true;
	return false;
}

/* Up to the first that is empty. */
static inline void put_view(struct text *out, enum view view, const struct row *rows)
{
	rows_put_view(out, view);
	for (; is_row(rows); rows++)
		put_row(out, view, rows);
}

static inline void take_rows(struct text *out, struct rows *ret_rows)
{
	rows_put_end(out);
	if (!rows_take(out, ret_rows)) {
		(void) puts("Bail out! these rows are not taken");
		abort();
	}
}

/* --- what comes of them ------------------------------------------------------------------------------------------- */

static const struct config config = {
	.port_first = 27000, .port_last = 27009, .server_limit = 8, .overlay_limit = 1000,
};

static inline void describe_instance(struct text *out, const struct model *model, const struct instance *instance)
{
	cleanup_free char *digits = xasprintf("%u", instance->port);

	if (instance->refused) {
		text_printf(out, "instance %s refused: %s\n", instance->name, instance->refused);
		return;
	}
	text_printf(out, "instance %s: port %s, %s, arguments '%s'", instance->name, instance->port_text,
		    instance->enabled ? "enabled" : "disabled", instance->arguments);
	if (strcmp(digits, instance->port_text) != 0)
		text_printf(out, ", but port is %s", digits);
	for (size_t i = 0; i < instance->layer_count; i++)
		text_printf(out, "%s%s", i > 0 ? " " : ", overlays ",
			    model->overlays[model->layers[instance->first_layer + i].overlay].id_text);
	text_putc(out, '\n');
}

static inline void describe_overlay(struct text *out, const struct overlay *overlay)
{
	text_printf(out, "overlay %s%s", overlay->id_text, overlay->has_script ? " with script" : "");
	if (overlay->refused)
		text_printf(out, " refused: %s\n", overlay->refused);
	else
		text_printf(out, ": '%s'\n", overlay->name);
}

static inline char *describe(const struct model *model)
{
	struct text out = TEXT_EMPTY;

	for (size_t i = 0; i < model->instance_count; i++)
		describe_instance(&out, model, &model->instances[i]);
	for (size_t i = 0; i < model->overlay_count; i++)
		describe_overlay(&out, &model->overlays[i]);
	return out.data;
}

/* --- a case ------------------------------------------------------------------------------------------------------- */

struct model_case {
	const char *name;
	struct row instances[9], layers[9], overlays[9];       /* an empty one after the last */
	const char *model, *report;                            /* NULL: nothing */
	size_t refused;
};

static inline void test_case(const struct model_case *tested)
{
	cleanup_text struct text lines = TEXT_EMPTY;
	cleanup_free char *description = NULL;
	struct text out = TEXT_EMPTY;
	struct report report = { 0 };
	struct model model;
	struct rows rows;

	text_puts(&out, ROWS_HEADER);
	put_view(&out, VIEW_INSTANCES, tested->instances);
	put_view(&out, VIEW_LAYERS, tested->layers);
	put_view(&out, VIEW_OVERLAYS, tested->overlays);
	take_rows(&out, &rows);
	model_build(&config, &rows, &report, &model);
	description = describe(&model);
	report_write(&report, &lines);
	is_str(description ? description : "", tested->model ? tested->model : "", "%s", tested->name);
	is_str(lines.data ? lines.data : "", tested->report ? tested->report : "", "%s: report", tested->name);
	is_int((long long) model.refused, (long long) tested->refused, "%s: refused rows", tested->name);
	ok((report.problems > 0) == (model.refused > 0), "%s: reported when and only when refused", tested->name);
	report_done(&report);
	model_done(&model);
	rows_done(&rows);
}
