/*
 * Rows of arbitrary text through model and render; what comes out is judged by oracle.h. The input is one row a line:
 *
 *   i NAME|PORT|ARGUMENTS|ENABLED    l INSTANCE|POSITION|OVERLAY    o ID|NAME|LENGTH OF THE SCRIPT
 *   L INSTANCE|COUNT                 layers and overlays 1 to COUNT
 *   r NAME, R ID                     a server, a build that runs
 *   h                                on the other host
 *
 * A value is NULL, a number, &REAL, !LENGTH of a text that was too long, ^LENGTH of a blob, or text; after ' text
 * in any case. In it ~XX is the byte of that hexadecimal number and ~*XXXX the byte before so many times.
 */
#include "fuzz.h"
#include "oracle.h"

enum { STACK_MAX = 600 };      /* layers by L of one input: it takes long */

/* The bytes of hexadecimal digits, -1 where they are not there. */
static int hex(const char *s, const char *end, int digits)
{
	int number = 0;

	if (end - s < digits)
		return -1;
	for (int i = 0; i < digits; i++) {
		const char *digit = strchr("0123456789abcdef", s[i]);

		if (!digit || !s[i])
			return -1;
		number = number * 16 + (int) (digit - "0123456789abcdef");
	}
	return number;
}

static void decode(const char *from, const char *end, struct text *out)
{
	while (from < end) {
		bool repeat = *from == '~' && end - from > 1 && from[1] == '*';
		int number = *from != '~' ? -1 : hex(from + (repeat ? 2 : 1), end, repeat ? 4 : 2);

		if (number < 0)
			text_putc(out, *from++);
		else if (repeat) {
			for (char last = out->length ? out->data[out->length - 1] : 'x'; number > 0; number--)
				text_putc(out, last);
			from += 6;
		} else {
			text_putc(out, (char) number);
			from += 3;
		}
	}
}

static bool is_number(const char *s, size_t length)
{
	size_t sign = length > 0 && *s == '-';

	if (length == sign || length > 19)
		return false;
	for (size_t i = sign; i < length; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return s[sign] != '0' || length == 1;
}

static void put_value(struct text *out, const char *from, const char *end)
{
	cleanup_text struct text text = TEXT_EMPTY;
	enum value_type type = VALUE_TEXT;
	static const char marks[] = "&!^'", types[] = { VALUE_REAL, VALUE_TOO_LONG, VALUE_BLOB, VALUE_TEXT };
	const char *mark;

	text_puts(&text, "");
	decode(from, end, &text);
	mark = text.length > 0 && *text.data ? strchr(marks, *text.data) : NULL;
	if (mark)
		type = (enum value_type) types[mark - marks];
	else if (text.length == 4 && memcmp(text.data, "NULL", 4) == 0)
		type = VALUE_NULL;
	else if (is_number(text.data, text.length))
		type = VALUE_INTEGER;
	if (mark && (type == VALUE_TOO_LONG || type == VALUE_BLOB) && !is_number(text.data + 1, text.length - 1))
		type = VALUE_TEXT;
	if (mark && type == VALUE_REAL && (text.length > 30 || strspn(text.data + 1, "0123456789.e+-") != text.length - 1))
		type = VALUE_TEXT;
	if (type == VALUE_NULL)
		text.length = 0;
	if (text.length - (mark != NULL) > VALUE_MAX)
		text.length = VALUE_MAX;
	rows_put_value(out, type, text.data + (mark != NULL), text.length - (mark != NULL));
}

static void put_row(struct text *out, enum view view, const char *from, const char *end)
{
	for (size_t i = 0; i < views[view].column_count; i++) {
		const char *bar = from < end ? memchr(from, '|', (size_t) (end - from)) : NULL;
		const char *stop = bar && i + 1 < views[view].column_count ? bar : end;

		put_value(out, from, stop);
		from = stop < end ? stop + 1 : end;
	}
}

static void put_number(struct text *out, size_t number)
{
	cleanup_free char *digits = xasprintf("%zu", number);

	rows_put_value(out, VALUE_INTEGER, digits, strlen(digits));
}

static void put_stack(struct text *layers, struct text *overlays, const char *from, const char *end, size_t *left)
{
	const char *bar = memchr(from, '|', (size_t) (end - from));
	size_t count = bar ? strtoul(bar + 1, NULL, 10) : 0;

	for (size_t i = 1; i <= count && *left > 0; i++, (*left)--) {
		put_value(layers, from, bar);
		put_number(layers, i);
		put_number(layers, i);
		put_number(overlays, i);
		rows_put_value(overlays, VALUE_TEXT, "", 0);
		rows_put_value(overlays, VALUE_NULL, "", 0);
	}
}

static void add_running(char *name, bool server, struct running *running)
{
	bool good = server ? *name && strlen(name) <= 64 && !strchr("_-", *name) &&
			     name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0'
			   : is_number(name, strlen(name)) && *name != '-' && *name != '0' && strlen(name) < 19;
	char ***names = server ? &running->servers : &running->builds;
	size_t *count = server ? &running->server_count : &running->build_count;

	if (good) {
		*names = grow_array(*names, *count, sizeof(**names));
		(*names)[(*count)++] = name;
	} else
		free(name);
}

static void take_line(const char *line, const char *end, struct text of[VIEW_COUNT], struct running *running,
		      size_t *stack_left)
{
	static const char letters[VIEW_COUNT + 1] = "ilo";
	const char *letter = strchr(letters, *line);

	if (end - line < 2 || line[1] != ' ')
		return;
	if (letter && *letter)
		put_row(&of[letter - letters], (enum view) (letter - letters), line + 2, end);
	else if (*line == 'L')
		put_stack(&of[VIEW_LAYERS], &of[VIEW_OVERLAYS], line + 2, end, stack_left);
	else if (*line == 'r' || *line == 'R')
		add_running(xasprintf("%.*s", (int) (end - line - 2), line + 2), *line == 'r', running);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *input = xasprintf("%.*s", (int) size, (const char *) data);
	struct text of[VIEW_COUNT] = { TEXT_EMPTY, TEXT_EMPTY, TEXT_EMPTY }, out = TEXT_EMPTY;
	struct running running = { NULL, 0, NULL, 0 };
	struct rows rows;
	size_t stack_left = STACK_MAX;
	unsigned host = 0;

	for (const char *line = input; *line; line += line[0] == '\n') {
		const char *end = line + strcspn(line, "\n");

		host += end == line + 1 && *line == 'h';
		take_line(line, end, of, &running, &stack_left);
		line = end;
	}
	text_puts(&out, ROWS_HEADER);
	for (enum view view = 0; view < VIEW_COUNT; view++) {
		rows_put_view(&out, view);
		if (of[view].length > 0)
			text_append(&out, of[view].data, of[view].length);
		text_done(&of[view]);
	}
	rows_put_end(&out);
	EXPECT(rows_take(&out, &rows), "the program does not read its own rows");
	oracle_rows(&rows, &running, host);
	rows_done(&rows);
	running_done(&running);
	return 0;
}
