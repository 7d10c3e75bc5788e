#include "template.h"

/* How often a line appears: not at all if one of its variables has no text, else as often as its longest list says. */
static size_t count_lines(const struct piece *pieces, size_t count, const struct variable *variables)
{
	size_t lines = 1;

	for (size_t i = 0; i < count; i++) {
		const struct variable *variable;

		if (pieces[i].variable == NO_VARIABLE)
			continue;
		variable = &variables[pieces[i].variable];
		if (!variable->text && variable->count == 0)
			return 0;
		if (variable->count > lines)
			lines = variable->count;
	}
	return lines;
}

static void put_variable(const struct variable *variable, size_t line, struct text *out)
{
	if (variable->text)
		text_append(out, variable->text, variable->length);
	else
		text_puts(out, variable->list[line < variable->count ? line : variable->count - 1]);
}

static void fill_line(const struct piece *pieces, size_t count, const struct variable *variables, size_t line,
		      struct text *out)
{
	for (const struct piece *piece = pieces; piece < pieces + count; piece++) {
		text_append(out, piece->literal, piece->length);
		if (piece->variable != NO_VARIABLE)
			put_variable(&variables[piece->variable], line, out);
	}
}

void template_fill(const struct template *template, const struct variable *variables, struct text *out)
{
	const struct piece *piece = template->pieces, *end = piece + template->count;

	while (piece < end) {
		if (piece->line == 0) {
			text_append(out, piece->literal, piece->length);
			piece++;
			continue;
		}
		for (size_t lines = count_lines(piece, piece->line, variables), line = 0; line < lines; line++)
			fill_line(piece, piece->line, variables, line, out);
		piece += piece->line;
	}
}
