/*
 * model.h: rows -> model (F21, S109, S110). A refused row stops no other, keeps its unit where its name is valid, and
 * is reported with view, row and column. The messages as a user sees them are in cases/ and hostile.t; overlays and
 * layers are test-model-layers.c's.
 */
#include "model-case.h"

#define FORM " is not of the form [a-z0-9][a-z0-9_-]{0,63}\n"

static const struct model_case cases[] = {
	{
		.name = "nothing",
	},
	{
		.name = "a host",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001), .arguments = TEXT("-x") },
			{ .name = TEXT("b"), .port = INTEGER(27000), .enabled = INTEGER(0) },
		},
		.layers = {
			{ .instance = TEXT("a"), .position = INTEGER(1), .overlay = INTEGER(3) },
			{ .instance = TEXT("a"), .position = INTEGER(7), .overlay = INTEGER(1) },
		},
		.overlays = {
			{ .id = INTEGER(1), .name = TEXT("base"), .script = INTEGER(5) },
			{ .id = INTEGER(2), .name = TEXT("maps") },
			{ .id = INTEGER(3), .name = TEXT("x"), .script = INTEGER(1048576) },
		},
		.model = "instance a: port 27001, enabled, arguments '-x', overlays 3 1\n"
			 "instance b: port 27000, disabled, arguments ''\n"
			 "overlay 1 with script: 'base'\n"
			 "overlay 2: 'maps'\n"
			 "overlay 3 with script: 'x'\n",
	},
	{
		.name = "any order of rows",
		.instances = {
			{ .name = TEXT("b"), .port = INTEGER(27000), .enabled = INTEGER(0) },
			{ .name = TEXT("a"), .port = INTEGER(27001), .arguments = TEXT("-x") },
		},
		.layers = {
			{ .instance = TEXT("a"), .position = INTEGER(7), .overlay = INTEGER(1) },
			{ .instance = TEXT("b"), .position = INTEGER(1), .overlay = INTEGER(2) },
			{ .instance = TEXT("a"), .position = INTEGER(1), .overlay = INTEGER(3) },
		},
		.overlays = {
			{ .id = INTEGER(3), .name = TEXT("x"), .script = INTEGER(1) },
			{ .id = INTEGER(1), .name = TEXT("base"), .script = INTEGER(5) },
			{ .id = INTEGER(2), .name = TEXT("maps") },
		},
		.model = "instance a: port 27001, enabled, arguments '-x', overlays 3 1\n"
			 "instance b: port 27000, disabled, arguments '', overlays 2\n"
			 "overlay 1 with script: 'base'\n"
			 "overlay 2: 'maps'\n"
			 "overlay 3 with script: 'x'\n",
	},
	{
		.name = "numbers are not sorted as text",
		.instances = { { .name = TEXT("a") } },
		.layers = {
			{ .position = INTEGER(10), .overlay = INTEGER(9) },
			{ .position = INTEGER(9), .overlay = INTEGER(10) },
		},
		.overlays = { { .id = INTEGER(9) }, { .id = INTEGER(10) } },
		.model = "instance a: port 27001, enabled, arguments '', overlays 10 9\n"
			 "overlay 9: ''\n"
			 "overlay 10: ''\n",
	},
	{
		.name = "names that are none",
		.instances = {
			{ .name = TEXT("../x"), .port = INTEGER(27001) },
			{ .name = SQL_NULL, .port = INTEGER(27002) },
			{ .name = INTEGER(5), .port = INTEGER(27003) },
			{ .name = TEXT("A"), .port = INTEGER(27004) },
			{ .name = TEXT("a"), .port = INTEGER(27005) },
		},
		.model = "instance a: port 27005, enabled, arguments ''\n",
		.report = "generator_instances, row 1, name: '../x'" FORM
			  "generator_instances, row 2, name: NULL is not a text\n"
			  "generator_instances, row 3, name: 5 is an integer, not a text: CAST it in the view\n"
			  "generator_instances, row 4, name: 'A'" FORM,
		.refused = 4,
	},
	{
		.name = "ports out of range",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(26999) },
			{ .name = TEXT("b"), .port = INTEGER(27000) },
			{ .name = TEXT("c"), .port = INTEGER(27009) },
			{ .name = TEXT("d"), .port = INTEGER(27010) },
			{ .name = TEXT("e"), .port = INTEGER(-1) },
		},
		.model = "instance a refused: port 26999 is not in 27000-27009 ([game] ports)\n"
			 "instance b: port 27000, enabled, arguments ''\n"
			 "instance c: port 27009, enabled, arguments ''\n"
			 "instance d refused: port 27010 is not in 27000-27009 ([game] ports)\n"
			 "instance e refused: port -1 is not in 27000-27009 ([game] ports)\n",
		.report = "generator_instances, row 1 (instance 'a'), port: 26999 is not in 27000-27009 ([game] ports)\n"
			  "generator_instances, row 4 (instance 'd'), port: 27010 is not in 27000-27009 ([game] ports)\n"
			  "generator_instances, row 5 (instance 'e'), port: -1 is not in 27000-27009 ([game] ports)\n",
		.refused = 3,
	},
	{
		.name = "ports that are no integers",
		.instances = {
			{ .name = TEXT("f"), .port = TEXT("27001") },
			{ .name = TEXT("g"), .port = SQL_NULL },
			{ .name = TEXT("h"), .port = REAL(27001.0) },
		},
		.model = "instance f refused: port '27001' is a text, not an integer: CAST it in the view\n"
			 "instance g refused: port NULL is not an integer\n"
			 "instance h refused: port 27001.0 is a real number, not an integer: CAST it in the view\n",
		.report = "generator_instances, row 1 (instance 'f'), port: '27001' is a text, not an integer: CAST it in the view\n"
			  "generator_instances, row 2 (instance 'g'), port: NULL is not an integer\n"
			  "generator_instances, row 3 (instance 'h'), port: 27001.0 is a real number, not an integer: CAST it in the view\n",
		.refused = 3,
	},
	{
		.name = "one port: the first by name keeps it",
		.instances = {
			{ .name = TEXT("c"), .port = INTEGER(27001) },
			{ .name = TEXT("a"), .port = INTEGER(27001), .enabled = INTEGER(0) },
			{ .name = TEXT("b"), .port = INTEGER(27002) },
		},
		.model = "instance a: port 27001, disabled, arguments ''\n"
			 "instance b: port 27002, enabled, arguments ''\n"
			 "instance c refused: port 27001 belongs to instance 'a'\n",
		.report = "generator_instances, row 1 (instance 'c'), port: 27001 belongs to instance 'a'\n",
		.refused = 1,
	},
	{
		.name = "a refused row holds no port",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001), .enabled = INTEGER(2) },
			{ .name = TEXT("b"), .port = INTEGER(27001) },
		},
		.model = "instance a refused: enabled 2 is not 0 or 1\n"
			 "instance b: port 27001, enabled, arguments ''\n",
		.report = "generator_instances, row 1 (instance 'a'), enabled: 2 is not 0 or 1\n",
		.refused = 1,
	},
	{
		.name = "enabled",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001), .enabled = INTEGER(1) },
			{ .name = TEXT("b"), .port = INTEGER(27002), .enabled = INTEGER(-1) },
			{ .name = TEXT("c"), .port = INTEGER(27003), .enabled = SQL_NULL },
			{ .name = TEXT("d"), .port = INTEGER(27004), .enabled = TEXT("1") },
			{ .name = TEXT("e"), .port = INTEGER(27005), .enabled = REAL(1.0) },
		},
		.model = "instance a: port 27001, enabled, arguments ''\n"
			 "instance b refused: enabled -1 is not 0 or 1\n"
			 "instance c refused: enabled NULL is not 0 or 1\n"
			 "instance d refused: enabled '1' is a text, not 0 or 1: CAST it in the view\n"
			 "instance e refused: enabled 1.0 is a real number, not 0 or 1: CAST it in the view\n",
		.report = "generator_instances, row 2 (instance 'b'), enabled: -1 is not 0 or 1\n"
			  "generator_instances, row 3 (instance 'c'), enabled: NULL is not 0 or 1\n"
			  "generator_instances, row 4 (instance 'd'), enabled: '1' is a text, not 0 or 1: CAST it in the view\n"
			  "generator_instances, row 5 (instance 'e'), enabled: 1.0 is a real number, not 0 or 1: CAST it in the view\n",
		.refused = 4,
	},
	{
		.name = "arguments that are no text",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001), .arguments = SQL_NULL },
			{ .name = TEXT("b"), .port = INTEGER(27002), .arguments = BLOB(3) },
			{ .name = TEXT("c"), .port = INTEGER(27003), .arguments = INTEGER(7) },
		},
		.model = "instance a refused: arguments NULL is not a text\n"
			 "instance b refused: arguments a blob of 3 bytes is not a text\n"
			 "instance c refused: arguments 7 is an integer, not a text: CAST it in the view\n",
		.report = "generator_instances, row 1 (instance 'a'), arguments: NULL is not a text\n"
			  "generator_instances, row 2 (instance 'b'), arguments: a blob of 3 bytes is not a text\n"
			  "generator_instances, row 3 (instance 'c'), arguments: 7 is an integer, not a text: CAST it in the view\n",
		.refused = 3,
	},
	{
		.name = "arguments with what no line of a unit may hold, and with what it may",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001), .arguments = TEXT("x\ny") },
			{ .name = TEXT("b"), .port = INTEGER(27002), .arguments = TEXT("\xff") },
			{ .name = TEXT("c"), .port = INTEGER(27003), .arguments = TOO_LONG(5000) },
			{ .name = TEXT("d"), .port = INTEGER(27004), .arguments = TEXT("100% \"$x\",") },
		},
		.model = "instance a refused: arguments 'x\\ny' holds a control character or is no UTF-8\n"
			 "instance b refused: arguments '\\xff' holds a control character or is no UTF-8\n"
			 "instance c refused: arguments is 5000 bytes long, the limit is 4096\n"
			 "instance d: port 27004, enabled, arguments '100% \"$x\",'\n",
		.report = "generator_instances, row 1 (instance 'a'), arguments: "
			  "'x\\ny' holds a control character or is no UTF-8\n"
			  "generator_instances, row 2 (instance 'b'), arguments: "
			  "'\\xff' holds a control character or is no UTF-8\n"
			  "generator_instances, row 3 (instance 'c'), arguments: is 5000 bytes long, the limit is 4096\n",
		.refused = 3,
	},
	{
		.name = "several faults: all reported, the first one kept",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(1), .arguments = SQL_NULL, .enabled = INTEGER(2) },
		},
		.model = "instance a refused: port 1 is not in 27000-27009 ([game] ports)\n",
		.report = "generator_instances, row 1 (instance 'a'), port: 1 is not in 27000-27009 ([game] ports)\n"
			  "generator_instances, row 1 (instance 'a'), arguments: NULL is not a text\n"
			  "generator_instances, row 1 (instance 'a'), enabled: 2 is not 0 or 1\n",
		.refused = 1,
	},
	{
		.name = "a name twice: none counts, one unit stays",
		.instances = {
			{ .name = TEXT("a"), .port = INTEGER(27001) },
			{ .name = TEXT("b"), .port = INTEGER(27002) },
			{ .name = TEXT("a"), .port = INTEGER(27003) },
			{ .name = TEXT("c"), .port = INTEGER(27003) },
		},
		.model = "instance a refused: name stands in 2 rows, of which none counts\n"
			 "instance b: port 27002, enabled, arguments ''\n"
			 "instance c: port 27003, enabled, arguments ''\n",
		.report = "generator_instances, row 1 (instance 'a'), name: stands in 2 rows, of which none counts\n",
		.refused = 1,
	},
};

int main(void)
{
	for (size_t i = 0; i < ELEMENTS(cases); i++)
		test_case(&cases[i]);
	return done_testing();
}
