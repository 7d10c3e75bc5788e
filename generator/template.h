/*
 * Unit text with placeholders @UPPER_CASE@, filled in line by line:
 *   1. a placeholder becomes a text that is already escaped for where it stands;
 *   2. a line with a placeholder that has no text is dropped;
 *   3. a line with a placeholder that has several texts is repeated, once for each.
 * The files in templates/ are taken apart at build time, by templates/compile.awk: a placeholder that no variable
 * has (variables.h) does not compile.
 */
#pragma once

#include "base.h"

enum { NO_VARIABLE = -1 };

/* A literal and the variable behind it, if any. */
struct piece {
	unsigned line;         /* how many pieces make up the line that begins here; 0: nothing depends on a variable */
	int variable;
	size_t length;         /* of the literal, in bytes */
	const char *literal;
};

struct template {
	const struct piece *pieces;
	size_t count;
};

/* What a placeholder stands for, borrowed: one text, a list of texts, or with neither nothing. */
struct variable {
	const char *text;
	size_t length;         /* of the text, in bytes */
	const char *const *list;
	size_t count;          /* of the list */
};

/* Appends the template's text, with variables[number] for each placeholder. Cannot fail. */
void template_fill(const struct template *template, const struct variable *variables, struct text *out);
