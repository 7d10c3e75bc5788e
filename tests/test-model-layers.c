/* model.h: overlays, and the stacks of layers that instances make of them (F21, S110). */
#include "model-case.h"

static const struct model_case cases[] = {
	{
		.name = "an instance that its layers refuse holds no port",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001) },
			{ .name = TEXT("b"), .port = INTEGER(27001) },
		},
		.layers = { { .instance = TEXT("a"), .overlay = INTEGER(9) } },
		.model = "instance a refused: overlay 9 is not in generator_overlays\n"
			 "instance b: port 27001, enabled, arguments ''\n",
		.report = "generator_layers, row 1 (instance 'a'), overlay: 9 is not in generator_overlays\n",
		.refused = 1,
	},
	{
		.name = "ids that are none, and the last one",
		.overlays = {
			{ .id = INTEGER(0) },
			{ .id = INTEGER(-1) },
			{ .id = SQL_NULL },
			{ .id = TEXT("1") },
			{ .id = INTEGER(9223372036854775807), .name = TEXT("x") },
		},
		.model = "overlay 9223372036854775807: 'x'\n",
		.report = "generator_overlays, row 1, id: 0 is not a positive integer\n"
			  "generator_overlays, row 2, id: -1 is not a positive integer\n"
			  "generator_overlays, row 3, id: NULL is not a positive integer\n"
			  "generator_overlays, row 4, id: '1' is a text, not a positive integer: CAST it in the view\n",
		.refused = 4,
	},
	{
		.name = "names of overlays",
		.overlays = {
			{ .id = INTEGER(4), .name = SQL_NULL },
			{ .id = INTEGER(5), .name = TOO_LONG(201) },
			{ .id = INTEGER(6), .name = TEXT("x\ty") },
		},
		.model = "overlay 4 refused: name NULL is not a text\n"
			 "overlay 5 refused: name is 201 bytes long, the limit is 200\n"
			 "overlay 6 refused: name 'x\\ty' holds a control character or is no UTF-8\n",
		.report = "generator_overlays, row 1 (overlay 4), name: NULL is not a text\n"
			  "generator_overlays, row 2 (overlay 5), name: is 201 bytes long, the limit is 200\n"
			  "generator_overlays, row 3 (overlay 6), name: "
			  "'x\\ty' holds a control character or is no UTF-8\n",
		.refused = 3,
	},
	{
		.name = "scripts",
		.overlays = {
			{ .id = INTEGER(1), .script = INTEGER(0) },
			{ .id = INTEGER(2), .script = INTEGER(1) },
			{ .id = INTEGER(3), .script = INTEGER(1048576) },
			{ .id = INTEGER(4), .script = INTEGER(1048577) },
			{ .id = INTEGER(5), .script = SQL_NULL },
			{ .id = INTEGER(6), .script = TEXT("blob") },
		},
		.model = "overlay 1: ''\n"
			 "overlay 2 with script: ''\n"
			 "overlay 3 with script: ''\n"
			 "overlay 4 with script refused: script is 1048577 bytes long, the limit is 1048576\n"
			 "overlay 5: ''\n"
			 "overlay 6 with script refused: script is of type blob, not text\n",
		.report = "generator_overlays, row 4 (overlay 4), script: "
			  "is 1048577 bytes long, the limit is 1048576\n"
			  "generator_overlays, row 6 (overlay 6), script: is of type blob, not text\n",
		.refused = 2,
	},
	{
		.name = "an id twice",
		.overlays = {
			{ .id = INTEGER(1), .name = TEXT("a") },
			{ .id = INTEGER(2), .name = TEXT("b") },
			{ .id = INTEGER(1), .name = TEXT("c"), .script = INTEGER(5) },
		},
		.model = "overlay 1 with script refused: id stands in 2 rows, of which none counts\n"
			 "overlay 2: 'b'\n",
		.report = "generator_overlays, row 1 (overlay 1), id: stands in 2 rows, of which none counts\n",
		.refused = 1,
	},
	{
		.name = "layers that refuse their instance",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001) },
			{ .name = TEXT("b"), .port = INTEGER(27002) },
			{ .name = TEXT("c"), .port = INTEGER(27003) },
			{ .name = TEXT("d"), .port = INTEGER(27004) },
			{ .name = TEXT("e"), .port = INTEGER(27005) },
		},
		.layers = {
			{ .instance = TEXT("a"), .position = INTEGER(0), .overlay = INTEGER(1) },
			{ .instance = TEXT("b"), .position = SQL_NULL, .overlay = INTEGER(1) },
			{ .instance = TEXT("c"), .position = INTEGER(1), .overlay = INTEGER(7) },
			{ .instance = TEXT("d"), .position = INTEGER(1), .overlay = TEXT("1") },
			{ .instance = TEXT("e"), .position = INTEGER(1), .overlay = INTEGER(1) },
		},
		.overlays = { { .id = INTEGER(1) } },
		.model = "instance a refused: position 0 is not a positive integer\n"
			 "instance b refused: position NULL is not a positive integer\n"
			 "instance c refused: overlay 7 is not in generator_overlays\n"
			 "instance d refused: overlay '1' is a text, not a positive integer: CAST it in the view\n"
			 "instance e: port 27005, enabled, arguments '', overlays 1\n"
			 "overlay 1: ''\n",
		.report = "generator_layers, row 1 (instance 'a'), position: 0 is not a positive integer\n"
			  "generator_layers, row 2 (instance 'b'), position: NULL is not a positive integer\n"
			  "generator_layers, row 3 (instance 'c'), overlay: 7 is not in generator_overlays\n"
			  "generator_layers, row 4 (instance 'd'), overlay: '1' is a text, not a positive integer: CAST it in the view\n",
		.refused = 4,
	},
	{
		.name = "a layer of nobody",
		.instances = { { .name = TEXT("a") } },
		.layers = {
			{ .instance = TEXT("x") },
			{ .instance = TEXT("a") },
			{ .instance = SQL_NULL },
			{ .instance = TEXT("a "), .position = INTEGER(2) },
		},
		.overlays = { { .id = INTEGER(1) } },
		.model = "instance a: port 27001, enabled, arguments '', overlays 1\n"
			 "overlay 1: ''\n",
		.report = "generator_layers, row 1, instance: 'x' is not in generator_instances\n"
			  "generator_layers, row 3, instance: NULL is not a text\n"
			  "generator_layers, row 4, instance: 'a ' is not in generator_instances\n",
		.refused = 3,
	},
	{
		.name = "a position twice",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001) },
			{ .name = TEXT("b"), .port = INTEGER(27002) },
		},
		.layers = {
			{ .instance = TEXT("a"), .position = INTEGER(1), .overlay = INTEGER(1) },
			{ .instance = TEXT("a"), .position = INTEGER(1), .overlay = INTEGER(2) },
			{ .instance = TEXT("b"), .position = INTEGER(1), .overlay = INTEGER(1) },
			{ .instance = TEXT("b"), .position = INTEGER(2), .overlay = INTEGER(2) },
		},
		.overlays = { { .id = INTEGER(1) }, { .id = INTEGER(2) } },
		.model = "instance a refused: position 1 is taken twice\n"
			 "instance b: port 27002, enabled, arguments '', overlays 1 2\n"
			 "overlay 1: ''\n"
			 "overlay 2: ''\n",
		.report = "generator_layers, row 2 (instance 'a'), position: 1 is taken twice\n",
		.refused = 1,
	},
	{
		.name = "an overlay twice",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001) },
			{ .name = TEXT("b"), .port = INTEGER(27002) },
		},
		.layers = {
			{ .instance = TEXT("a"), .position = INTEGER(1), .overlay = INTEGER(1) },
			{ .instance = TEXT("a"), .position = INTEGER(2), .overlay = INTEGER(2) },
			{ .instance = TEXT("a"), .position = INTEGER(3), .overlay = INTEGER(1) },
			{ .instance = TEXT("b"), .position = INTEGER(1), .overlay = INTEGER(1) },
		},
		.overlays = { { .id = INTEGER(1) }, { .id = INTEGER(2) } },
		.model = "instance a refused: overlay 1 stands in the stack twice\n"
			 "instance b: port 27002, enabled, arguments '', overlays 1\n"
			 "overlay 1: ''\n"
			 "overlay 2: ''\n",
		.report = "generator_layers, row 3 (instance 'a'), overlay: 1 stands in the stack twice\n",
		.refused = 1,
	},
	{
		.name = "a refused overlay refuses its build, not its servers",
		.instances = { { .name = TEXT("a") } },
		.layers = { { .instance = TEXT("a"), .overlay = INTEGER(1) } },
		.overlays = { { .id = INTEGER(1), .name = SQL_NULL, .script = INTEGER(5) } },
		.model = "instance a: port 27001, enabled, arguments '', overlays 1\n"
			 "overlay 1 with script refused: name NULL is not a text\n",
		.report = "generator_overlays, row 1 (overlay 1), name: NULL is not a text\n",
		.refused = 1,
	},
};

/* An instance on `count` overlays, of which the last is the topmost. */
static void stack_rows(size_t count, struct rows *ret_rows)
{
	cleanup_text struct text layers = TEXT_EMPTY, overlays = TEXT_EMPTY;
	struct text out = TEXT_EMPTY;

	text_puts(&out, ROWS_HEADER);
	put_view(&out, VIEW_INSTANCES, (const struct row[]){ { .name = TEXT("a") }, { .name = { 0 } } });
	for (size_t i = 1; i <= count; i++) {
		cleanup_free char *up = xasprintf("%zu", i), *down = xasprintf("%zu", count + 1 - i);
		const struct value number = { .type = VALUE_INTEGER, .text = up, .length = (unsigned) strlen(up) };
		const struct value other = { .type = VALUE_INTEGER, .text = down, .length = (unsigned) strlen(down) };

		put_row(&layers, VIEW_LAYERS, &(struct row){ .position = number, .overlay = other });
		put_row(&overlays, VIEW_OVERLAYS, &(struct row){ .id = number });
	}
	rows_put_view(&out, VIEW_LAYERS);
	text_append(&out, layers.data, layers.length);
	rows_put_view(&out, VIEW_OVERLAYS);
	text_append(&out, overlays.data, overlays.length);
	take_rows(&out, ret_rows);
}

static void test_longest_stack(void)
{
	struct report report = { 0 };
	struct model model;
	struct rows rows;

	stack_rows(499, &rows);
	model_build(&config, &rows, &report, &model);
	ok(model.refused == 0 && model.instances[0].layer_count == 499 && model.layers[0].overlay == 498,
	   "499 overlays, topmost first");
	model_done(&model);
	rows_done(&rows);

	stack_rows(500, &rows);
	model_build(&config, &rows, &report, &model);
	is_str(model.instances[0].refused, "instance has 500 overlays, the limit is 499", "500 overlays");
	model_done(&model);
	rows_done(&rows);
	report_done(&report);
}

int main(void)
{
	for (size_t i = 0; i < ELEMENTS(cases); i++)
		test_case(&cases[i]);
	test_longest_stack();
	return done_testing();
}
