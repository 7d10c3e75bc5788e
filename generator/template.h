/*
 * Unit text with placeholders @UPPER_CASE@, filled in line by line:
 *   1. a placeholder becomes a text that is already escaped for its place;
 *   2. a line with a placeholder that has no text is dropped;
 *   3. a line with a placeholder that has several texts is repeated, once for each.
 */
#pragma once

#include <stdbool.h>

#include "base.h"

/* The files in templates/, compiled in by templates/embed.sh; ends with a NULL name. */
struct embedded_template {
	const char *name;
	const char *text;
};
extern const struct embedded_template embedded_templates[];

/* The texts of one variable, borrowed: none, one or several. */
struct variable {
	const char *const *texts;
	size_t count;
};

/*
 * Variables have numbers. Those below `bound` are the same in all that is made from a template; they go into
 * it when it is loaded, so that filling it thousands of times is little more than copying.
 */
struct vocabulary {
	const char *const *names;              /* by number, ends with NULL */
	const struct variable *variables;      /* of those below `bound` */
	unsigned bound;
};

/* A template in pieces: text, variables, and where a line begins that depends on variables. */
struct template {
	struct piece *pieces;
	size_t count;
	struct text text;
};

/* An unknown template or placeholder is a fault of the program and ends it. */
void template_load(const char *name, const struct vocabulary *vocabulary, struct template *ret_template);

/* Appends the template's text with variables[number] for each placeholder. Cannot fail. */
void template_fill(const struct template *template, const struct variable *variables, struct text *out);

void template_done(struct template *template);
