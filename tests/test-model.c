/*
 * model.h: rows -> model (F21, S109, S110). A refused row stops no other, keeps its unit where its
 * name is valid, and is reported with view, row and column. The messages as a user sees them are in cases/ and hostile.t.
 */
#include "model.h"

#include <stdlib.h>

#include "tap.h"

/* "|" separates rows, "," columns: i1 f1.5 n stext b3 l5000, "" for no rows. */
struct views_text {
	const char *instances, *layers, *overlays;
};

static void put_view(struct text *out, enum view view, const char *rows)
{
	cleanup_free char *copy = xstrdup(rows);
	char *rest = NULL;

	rows_put_view(out, view);
	for (char *value = strtok_r(copy, "|,", &rest); value; value = strtok_r(NULL, "|,", &rest))
		rows_put_value(out, (enum value_type) value[0], value + 1, strlen(value + 1));
}

static void make_rows(const struct views_text *views_text, struct rows *ret_rows)
{
	struct text out = TEXT_EMPTY;

	text_puts(&out, ROWS_HEADER);
	put_view(&out, VIEW_INSTANCES, views_text->instances);
	put_view(&out, VIEW_LAYERS, views_text->layers);
	put_view(&out, VIEW_OVERLAYS, views_text->overlays);
	rows_put_end(&out);
	if (!rows_take(&out.data, out.length, ret_rows)) {
		(void) printf("# not taken: %s / %s / %s\n", views_text->instances, views_text->layers, views_text->overlays);
		abort();
	}
}

/* One line an instance and an overlay: "a 27001 on <-x> 3,1", "a refused: REASON", "1 script <name>". */
static char *describe(const struct model *model)
{
	struct text out = TEXT_EMPTY;

	text_puts(&out, "");
	for (size_t i = 0; i < model->instance_count; i++) {
		const struct instance *instance = &model->instances[i];

		if (instance->refused) {
			text_printf(&out, "%s refused: %s\n", instance->name, instance->refused);
			continue;
		}
		text_printf(&out, "%s %u=%s %s <%s>", instance->name, instance->port, instance->port_text,
			    instance->enabled ? "on" : "off", instance->arguments);
		for (size_t k = 0; k < instance->layer_count; k++) {
			const struct layer *layer = &model->layers[instance->first_layer + k];

			text_printf(&out, "%s%s", k ? "," : " ", model->overlays[layer->overlay].id_text);
		}
		text_putc(&out, '\n');
	}
	for (size_t i = 0; i < model->overlay_count; i++) {
		const struct overlay *overlay = &model->overlays[i];

		text_printf(&out, "%s%s", overlay->id_text, overlay->has_script ? " script" : "");
		if (overlay->refused)
			text_printf(&out, " refused: %s\n", overlay->refused);
		else
			text_printf(&out, " <%s>\n", overlay->name);
	}
	text_printf(&out, "%zu refused\n", model->refused);
	return out.data;
}

static void is_model(const char *name, const struct views_text *views_text, const char *model_text, const char *lines)
{
	const struct config config = { .port_first = 27000, .port_last = 27009 };
	cleanup_text struct text out = TEXT_EMPTY;
	cleanup_free char *description = NULL;
	struct report report = { 0 };
	struct model model;
	struct rows rows;

	make_rows(views_text, &rows);
	model_build(&config, &rows, &report, &model);
	description = describe(&model);
	text_puts(&out, "");
	report_write(&report, &out);
	is_str(description, model_text, "%s", name);
	is_str(out.data, lines, "%s: report", name);
	ok((report.problems > 0) == (model.refused > 0), "%s: reported when and only when refused", name);
	report_done(&report);
	model_done(&model);
	rows_done(&rows);
}

#define I "generator_instances, row "
#define L "generator_layers, row "
#define O "generator_overlays, row "
#define ONE "i1,s1,n"
#define FORM " is not of the form [a-z0-9][a-z0-9_-]{0,63}\n"

static const struct {
	const char *name;
	struct views_text rows;
	const char *model, *report;
} rows_and_models[] = {
	{ "nothing", { "", "", "" }, "0 refused\n", "" },
	{ "a host", { "sa,i27001,s-x,i1|sb,i27000,s,i0", "sa,i1,i3|sa,i7,i1", "i1,sbase,i5|i2,smaps,n|i3,sx,i1048576" },
	  "a 27001=27001 on <-x> 3,1\nb 27000=27000 off <>\n1 script <base>\n2 <maps>\n3 script <x>\n0 refused\n", "" },
	{ "any order of rows", { "sb,i27000,s,i0|sa,i27001,s-x,i1", "sa,i7,i1|sb,i1,i2|sa,i1,i3", "i3,sx,i1|i1,sbase,i5|i2,smaps,n" },
	  "a 27001=27001 on <-x> 3,1\nb 27000=27000 off <> 2\n1 script <base>\n2 <maps>\n3 script <x>\n0 refused\n", "" },
	{ "numbers are not sorted as text", { "sa,i27001,s,i1", "sa,i10,i9|sa,i9,i10", "i9,s,n|i10,s,n" },
	  "a 27001=27001 on <> 10,9\n9 <>\n10 <>\n0 refused\n", "" },
	{ "names that are none", { "s../x,i27001,s,i1|n,i27002,s,i1|i5,i27003,s,i1|sA,i27004,s,i1|sa,i27005,s,i1", "", "" },
	  "a 27005=27005 on <>\n4 refused\n",
	  I "1, name: '../x'" FORM I "2, name: NULL" FORM I "3, name: 5" FORM I "4, name: 'A'" FORM },
	{ "ports out of range", { "sa,i26999,s,i1|sb,i27000,s,i1|sc,i27009,s,i1|sd,i27010,s,i1|se,i-1,s,i1|sf,s27001,s,i1|sg,n,s,i1|sh,f27001.0,s,i1", "", "" },
	  "a refused: port 26999 is not in 27000-27009\nb 27000=27000 on <>\nc 27009=27009 on <>\n"
	  "d refused: port 27010 is not in 27000-27009\ne refused: port -1 is not in 27000-27009\n"
	  "f refused: port '27001' is not in 27000-27009\ng refused: port NULL is not in 27000-27009\n"
	  "h refused: port 27001.0 is not in 27000-27009\n6 refused\n",
	  I "1 (instance 'a'), port: 26999 is not in 27000-27009\n" I "4 (instance 'd'), port: 27010 is not in 27000-27009\n"
	  I "5 (instance 'e'), port: -1 is not in 27000-27009\n" I "6 (instance 'f'), port: '27001' is not in 27000-27009\n"
	  I "7 (instance 'g'), port: NULL is not in 27000-27009\n" I "8 (instance 'h'), port: 27001.0 is not in 27000-27009\n" },
	{ "one port: the first by name keeps it", { "sc,i27001,s,i1|sa,i27001,s,i0|sb,i27002,s,i1", "", "" },
	  "a 27001=27001 off <>\nb 27002=27002 on <>\nc refused: port 27001 belongs to instance 'a'\n1 refused\n",
	  I "1 (instance 'c'), port: 27001 belongs to instance 'a'\n" },
	{ "a refused row holds no port", { "sa,i27001,s,i2|sb,i27001,s,i1", "", "" },
	  "a refused: enabled 2 is not 0 or 1\nb 27001=27001 on <>\n1 refused\n",
	  I "1 (instance 'a'), enabled: 2 is not 0 or 1\n" },
	{ "nor does one that its layers refuse", { "sa,i27001,s,i1|sb,i27001,s,i1", "sa,i1,i9", "" },
	  "a refused: overlay 9 is not in generator_overlays\nb 27001=27001 on <>\n1 refused\n",
	  L "1 (instance 'a'), overlay: 9 is not in generator_overlays\n" },
	{ "enabled", { "sa,i27001,s,i1|sb,i27002,s,i-1|sc,i27003,s,n|sd,i27004,s,s1|se,i27005,s,f1.0", "", "" },
	  "a 27001=27001 on <>\nb refused: enabled -1 is not 0 or 1\nc refused: enabled NULL is not 0 or 1\n"
	  "d refused: enabled '1' is not 0 or 1\ne refused: enabled 1.0 is not 0 or 1\n4 refused\n",
	  I "2 (instance 'b'), enabled: -1 is not 0 or 1\n" I "3 (instance 'c'), enabled: NULL is not 0 or 1\n"
	  I "4 (instance 'd'), enabled: '1' is not 0 or 1\n" I "5 (instance 'e'), enabled: 1.0 is not 0 or 1\n" },
	{ "arguments", { "sa,i27001,sx\ny,i1|sb,i27002,n,i1|sc,i27003,l5000,i1|sd,i27004,b3,i1|se,i27005,i7,i1|sf,i27006,s\xff,i1|sg,i27007,s100% \"$x\",i1", "", "" },
	  "a refused: arguments 'x\\ny' holds a control character or is no UTF-8\nb refused: arguments NULL is not a text\n"
	  "c refused: arguments is 5000 bytes long, the limit is 4096\nd refused: arguments a blob of 3 bytes is not a text\n"
	  "e refused: arguments 7 is not a text\nf refused: arguments '\\xff' holds a control character or is no UTF-8\n"
	  "g 27007=27007 on <100% \"$x\">\n6 refused\n",
	  I "1 (instance 'a'), arguments: 'x\\ny' holds a control character or is no UTF-8\n"
	  I "2 (instance 'b'), arguments: NULL is not a text\n"
	  I "3 (instance 'c'), arguments: is 5000 bytes long, the limit is 4096\n"
	  I "4 (instance 'd'), arguments: a blob of 3 bytes is not a text\n" I "5 (instance 'e'), arguments: 7 is not a text\n"
	  I "6 (instance 'f'), arguments: '\\xff' holds a control character or is no UTF-8\n" },
	{ "several faults: all reported, the first one kept", { "sa,i1,n,i2", "", "" },
	  "a refused: port 1 is not in 27000-27009\n1 refused\n",
	  I "1 (instance 'a'), port: 1 is not in 27000-27009\n" I "1 (instance 'a'), arguments: NULL is not a text\n"
	  I "1 (instance 'a'), enabled: 2 is not 0 or 1\n" },
	{ "a name twice: none counts, one unit stays", { "sa,i27001,s,i1|sb,i27002,s,i1|sa,i27003,s,i1|sc,i27003,s,i1", "", "" },
	  "a refused: name stands in 2 rows, of which none counts\nb 27002=27002 on <>\nc 27003=27003 on <>\n1 refused\n",
	  I "1 (instance 'a'), name: stands in 2 rows, of which none counts\n" },
	{ "overlays", { "", "", "i0,sx,n|i-1,sx,n|n,sx,n|s1,sx,n|i9223372036854775807,sx,n|i4,n,n|i5,l201,n|i6,sx\ty,n" },
	  "4 refused: name NULL is not a text\n5 refused: name is 201 bytes long, the limit is 200\n"
	  "6 refused: name 'x\\ty' holds a control character or is no UTF-8\n9223372036854775807 <x>\n7 refused\n",
	  O "1, id: 0 is not a positive integer\n" O "2, id: -1 is not a positive integer\n"
	  O "3, id: NULL is not a positive integer\n" O "4, id: '1' is not a positive integer\n"
	  O "6 (overlay 4), name: NULL is not a text\n" O "7 (overlay 5), name: is 201 bytes long, the limit is 200\n"
	  O "8 (overlay 6), name: 'x\\ty' holds a control character or is no UTF-8\n" },
	{ "scripts", { "", "", "i1,sx,i0|i2,sx,i1|i3,sx,i1048576|i4,sx,i1048577|i5,sx,n|i6,sx,sblob" },
	  "1 <x>\n2 script <x>\n3 script <x>\n4 script refused: script is 1048577 bytes long, the limit is 1048576\n5 <x>\n"
	  "6 script refused: script is of type blob, not text\n2 refused\n",
	  O "4 (overlay 4), script: is 1048577 bytes long, the limit is 1048576\n"
	  O "6 (overlay 6), script: is of type blob, not text\n" },
	{ "an id twice", { "", "", "i1,sa,n|i2,sb,n|i1,sc,i5" },
	  "1 script refused: id stands in 2 rows, of which none counts\n2 <b>\n1 refused\n",
	  O "1 (overlay 1), id: stands in 2 rows, of which none counts\n" },
	{ "layers that refuse their instance", { "sa,i27001,s,i1|sb,i27002,s,i1|sc,i27003,s,i1|sd,i27004,s,i1|se,i27005,s,i1",
	    "sa,i0,i1|sb,n,i1|sc,i1,i7|sd,i1,s1|se,i1,i1", ONE },
	  "a refused: position 0 is not a positive integer\nb refused: position NULL is not a positive integer\n"
	  "c refused: overlay 7 is not in generator_overlays\nd refused: overlay '1' is not a positive integer\n"
	  "e 27005=27005 on <> 1\n1 <1>\n4 refused\n",
	  L "1 (instance 'a'), position: 0 is not a positive integer\n" L "2 (instance 'b'), position: NULL is not a positive integer\n"
	  L "3 (instance 'c'), overlay: 7 is not in generator_overlays\n" L "4 (instance 'd'), overlay: '1' is not a positive integer\n" },
	{ "a layer of nobody", { "sa,i27001,s,i1", "sx,i1,i1|sa,i1,i1|n,i1,i1|sa ,i2,i1", ONE },
	  "a 27001=27001 on <> 1\n1 <1>\n3 refused\n",
	  L "1, instance: 'x' is not in generator_instances\n" L "3, instance: NULL is not in generator_instances\n"
	  L "4, instance: 'a ' is not in generator_instances\n" },
	{ "a position twice", { "sa,i27001,s,i1|sb,i27002,s,i1", "sa,i1,i1|sa,i1,i2|sb,i1,i1|sb,i2,i2", "i1,s1,n|i2,s2,n" },
	  "a refused: position 1 is taken twice\nb 27002=27002 on <> 1,2\n1 <1>\n2 <2>\n1 refused\n",
	  L "2 (instance 'a'), position: 1 is taken twice\n" },
	{ "an overlay twice", { "sa,i27001,s,i1|sb,i27002,s,i1", "sa,i1,i1|sa,i2,i2|sa,i3,i1|sb,i1,i1", "i1,s1,n|i2,s2,n" },
	  "a refused: overlay 1 stands in the stack twice\nb 27002=27002 on <> 1\n1 <1>\n2 <2>\n1 refused\n",
	  L "3 (instance 'a'), overlay: 1 stands in the stack twice\n" },
	{ "a refused overlay refuses its build, not its servers", { "sa,i27001,s,i1", "sa,i1,i1", "i1,n,i5" },
	  "a 27001=27001 on <> 1\n1 script refused: name NULL is not a text\n1 refused\n",
	  O "1 (overlay 1), name: NULL is not a text\n" },
};

static void test_longest_stack(size_t layers)
{
	cleanup_text struct text stack = TEXT_EMPTY, overlays = TEXT_EMPTY;
	const struct config config = { .port_first = 27000, .port_last = 27009 };
	struct report report = { 0 };
	struct model model;
	struct rows rows;

	for (size_t i = 1; i <= layers; i++) {
		text_printf(&stack, "sa,i%zu,i%zu|", i, layers + 1 - i);
		text_printf(&overlays, "i%zu,s,n|", i);
	}
	make_rows(&(struct views_text){ "sa,i27001,s,i1", stack.data, overlays.data }, &rows);
	model_build(&config, &rows, &report, &model);
	if (layers <= 499)
		ok(model.refused == 0 && model.instances[0].layer_count == layers &&
		   model.layers[0].overlay == layers - 1, "%zu layers, topmost first", layers);
	else
		is_str(model.instances[0].refused, "instance has 500 overlays, the limit is 499", "%zu layers", layers);
	report_done(&report);
	model_done(&model);
	rows_done(&rows);
}

int main(void)
{
	for (size_t i = 0; i < ELEMENTS(rows_and_models); i++)
		is_model(rows_and_models[i].name, &rows_and_models[i].rows, rows_and_models[i].model,
			 rows_and_models[i].report);
	test_longest_stack(499);
	test_longest_stack(500);
	return done_testing();
}
