#include "template.h"

#include <string.h>

/*
 * Lines without a placeholder are joined into one piece. A line with placeholders begins with a PIECE_LINE,
 * whose length counts the pieces that belong to it.
 */
enum piece_kind { PIECE_LITERAL, PIECE_VARIABLE, PIECE_LINE };

struct piece {
	enum piece_kind kind;
	unsigned variable;
	const char *text;
	size_t length;
};

static const char *find_text(const char *name)
{
	for (const struct embedded_template *e = embedded_templates; e->name; e++)
		if (strcmp(e->name, name) == 0)
			return e->text;
	(void) fprintf(stderr, "left4me: there is no template %s\n", name);
	abort();
}

static unsigned find_variable(const char *name, size_t length, const char *const *names)
{
	for (unsigned i = 0; names[i]; i++)
		if (strncmp(names[i], name, length) == 0 && names[i][length] == '\0')
			return i;
	(void) fprintf(stderr, "left4me: there is no variable @%.*s@\n", (int) length, name);
	abort();
}

/* The next "@UPPER_CASE@" before end, or NULL; its length with both signs in *ret_length. */
static const char *find_placeholder(const char *s, const char *end, size_t *ret_length)
{
	for (; (s = memchr(s, '@', (size_t) (end - s))) != NULL; s++) {
		size_t length = strspn(s + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

		if (length > 0 && s[1 + length] == '@') {
			*ret_length = length + 2;
			return s;
		}
	}
	return NULL;
}

static struct piece *add_piece(struct template *template, enum piece_kind kind)
{
	template->pieces = grow_array(template->pieces, template->count, sizeof(*template->pieces));
	template->pieces[template->count] = (struct piece){ .kind = kind };
	return &template->pieces[template->count++];
}

static void add_literal(struct template *template, const char *from, const char *to)
{
	struct piece *piece;

	if (from == to)
		return;
	piece = add_piece(template, PIECE_LITERAL);
	piece->text = from;
	piece->length = (size_t) (to - from);
}

static void parse_line(struct template *template, const char *line, const char *end, const char *const *names)
{
	size_t start = template->count, length;
	const char *placeholder;

	(void) add_piece(template, PIECE_LINE);
	while ((placeholder = find_placeholder(line, end, &length)) != NULL) {
		add_literal(template, line, placeholder);
		add_piece(template, PIECE_VARIABLE)->variable = find_variable(placeholder + 1, length - 2, names);
		line = placeholder + length;
	}
	add_literal(template, line, end);
	template->pieces[start].length = template->count - start - 1;
}

void template_load(const char *name, const char *const *variable_names, struct template *ret_template)
{
	struct template template = { NULL, 0 };
	const char *plain = find_text(name);
	const char *line = plain;
	size_t length;

	while (*line) {
		const char *end = strchr(line, '\n') + 1;

		if (find_placeholder(line, end, &length)) {
			add_literal(&template, plain, line);
			parse_line(&template, line, end, variable_names);
			plain = end;
		}
		line = end;
	}
	add_literal(&template, plain, line);
	*ret_template = template;
}

/* How often a line appears: 0 if one of its variables has no text, else as often as the longest has. */
static size_t count_lines(const struct piece *pieces, size_t count, const struct variable *variables)
{
	size_t lines = 1;

	for (size_t i = 0; i < count; i++) {
		size_t texts = pieces[i].kind == PIECE_VARIABLE ? variables[pieces[i].variable].count : 1;

		if (texts == 0)
			return 0;
		if (texts > lines)
			lines = texts;
	}
	return lines;
}

static void fill_line(const struct piece *pieces, size_t count, const struct variable *variables, size_t line,
		      struct text *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct variable *variable = &variables[pieces[i].variable];

		if (pieces[i].kind == PIECE_LITERAL)
			text_append(out, pieces[i].text, pieces[i].length);
		else
			text_puts(out, variable->texts[variable->count > 1 ? line : 0]);
	}
}

void template_fill(const struct template *template, const struct variable *variables, struct text *out)
{
	const struct piece *end = template->pieces + template->count;

	for (const struct piece *piece = template->pieces; piece < end; piece++) {
		size_t lines;

		if (piece->kind == PIECE_LITERAL) {
			text_append(out, piece->text, piece->length);
			continue;
		}
		lines = count_lines(piece + 1, piece->length, variables);
		for (size_t line = 0; line < lines; line++)
			fill_line(piece + 1, piece->length, variables, line, out);
		piece += piece->length;
	}
}

void template_done(struct template *template)
{
	free(template->pieces);
	*template = (struct template){ NULL, 0 };
}
