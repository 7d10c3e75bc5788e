#include "template.h"

#include <string.h>

/* A PIECE_LINE stands before the pieces of a line with free variables; its length is how many they are. */
enum piece_kind { PIECE_TEXT, PIECE_VARIABLE, PIECE_LINE };

struct piece {
	enum piece_kind kind;
	unsigned variable;
	size_t offset, length;         /* of a text, within the template's */
};

/* A template being loaded. Texts that follow each other become one, unless a line begins or ends between them. */
struct loader {
	const struct vocabulary *vocabulary;
	struct template template;
	size_t closed;                 /* pieces before this one get no more text */
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
		if (names[i][0] == name[0] && strncmp(names[i], name, length) == 0 && names[i][length] == '\0')
			return i;
	(void) fprintf(stderr, "left4me: there is no variable @%.*s@\n", (int) length, name);
	abort();
}

/* The next "@UPPER_CASE@" before end, or NULL; its length with both signs in *ret_length. */
static const char *find_placeholder(const char *s, const char *end, size_t *ret_length)
{
	for (; (s = memchr(s, '@', (size_t) (end - s))) != NULL; s++) {
		size_t length = 0;

		while ((s[1 + length] >= 'A' && s[1 + length] <= 'Z') || s[1 + length] == '_')
			length++;
		if (length > 0 && s[1 + length] == '@') {
			*ret_length = length + 2;
			return s;
		}
	}
	return NULL;
}

static struct piece *add_piece(struct loader *loader, enum piece_kind kind)
{
	struct template *template = &loader->template;

	template->pieces = grow_array(template->pieces, template->count, sizeof(*template->pieces));
	template->pieces[template->count] = (struct piece){ .kind = kind, .offset = template->text.length };
	return &template->pieces[template->count++];
}

static void add_text(struct loader *loader, const char *text, size_t length)
{
	struct template *template = &loader->template;
	struct piece *last = template->count > loader->closed ? &template->pieces[template->count - 1] : NULL;

	if (length == 0)
		return;
	if (!last || last->kind != PIECE_TEXT)
		last = add_piece(loader, PIECE_TEXT);
	last->length += length;
	text_append(&template->text, text, length);
}

/* What a line holds: whether a variable is free, and how often bound ones let it appear. */
struct line {
	bool is_free;
	size_t repeat;
};

static struct line look_at_line(const struct vocabulary *vocabulary, const char *from, const char *end)
{
	struct line line = { false, 1 };
	size_t length;

	while ((from = find_placeholder(from, end, &length)) != NULL) {
		unsigned number = find_variable(from + 1, length - 2, vocabulary->names);
		size_t count = number < vocabulary->bound ? vocabulary->variables[number].count : 1;

		line.is_free |= number >= vocabulary->bound;
		line.repeat = count == 0 || line.repeat == 0 ? 0 : count > line.repeat ? count : line.repeat;
		from += length;
	}
	return line;
}

static void add_line(struct loader *loader, const char *from, const char *end, size_t repetition)
{
	const struct vocabulary *vocabulary = loader->vocabulary;
	const char *placeholder;
	size_t length;

	while ((placeholder = find_placeholder(from, end, &length)) != NULL) {
		unsigned number = find_variable(placeholder + 1, length - 2, vocabulary->names);

		add_text(loader, from, (size_t) (placeholder - from));
		if (number < vocabulary->bound) {
			const struct variable *variable = &vocabulary->variables[number];
			const char *text = variable->texts[variable->count > 1 ? repetition : 0];

			add_text(loader, text, strlen(text));
		} else
			add_piece(loader, PIECE_VARIABLE)->variable = number;
		from = placeholder + length;
	}
	add_text(loader, from, (size_t) (end - from));
}

static void load_line(struct loader *loader, const char *from, const char *end)
{
	struct line line = look_at_line(loader->vocabulary, from, end);
	size_t start = loader->template.count;

	if (line.is_free && line.repeat > 0) {
		(void) add_piece(loader, PIECE_LINE);
		loader->closed = start + 1;
	}
	for (size_t i = 0; i < line.repeat; i++)
		add_line(loader, from, end, i);
	if (line.is_free && line.repeat > 0) {
		loader->template.pieces[start].length = loader->template.count - start - 1;
		loader->closed = loader->template.count;
	}
}

void template_load(const char *name, const struct vocabulary *vocabulary, struct template *ret_template)
{
	struct loader loader = { .vocabulary = vocabulary, .template = { .text = TEXT_EMPTY } };
	const char *line = find_text(name);

	text_make_room(&loader.template.text, strlen(line));
	while (*line) {
		const char *end = strchr(line, '\n') + 1;

		load_line(&loader, line, end);
		line = end;
	}
	*ret_template = loader.template;
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

static void fill_line(const struct template *template, const struct piece *pieces, size_t count,
		      const struct variable *variables, size_t line, struct text *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct variable *variable = &variables[pieces[i].variable];

		if (pieces[i].kind == PIECE_TEXT)
			text_append(out, template->text.data + pieces[i].offset, pieces[i].length);
		else
			text_puts(out, variable->texts[variable->count > 1 ? line : 0]);
	}
}

void template_fill(const struct template *template, const struct variable *variables, struct text *out)
{
	for (size_t i = 0; i < template->count; i++) {
		const struct piece *piece = &template->pieces[i];
		size_t lines;

		if (piece->kind == PIECE_TEXT) {
			text_append(out, template->text.data + piece->offset, piece->length);
			continue;
		}
		lines = count_lines(piece + 1, piece->length, variables);
		for (size_t line = 0; line < lines; line++)
			fill_line(template, piece + 1, piece->length, variables, line, out);
		i += piece->length;
	}
}

void template_done(struct template *template)
{
	free(template->pieces);
	text_done(&template->text);
	*template = (struct template){ .text = TEXT_EMPTY };
}
