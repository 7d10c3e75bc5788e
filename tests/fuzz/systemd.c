#include "systemd.h"

#include <ctype.h>

#define BLANKS " \t\n\r"

/* The code point at *at, which is moved behind it; -1 for what is no UTF-8. */
static long take_character(const unsigned char *s, size_t length, size_t *at)
{
	static const long least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned char first = s[(*at)++];
	int more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	long point = first & (0xff >> (more ? more + 2 : 0));

	if ((first >= 0x80 && first < 0xc0) || first >= 0xf8)
		return -1;
	for (int i = 0; i < more; i++) {
		if (*at >= length || s[*at] >> 6 != 2)
			return -1;
		point = point << 6 | (s[(*at)++] & 0x3f);
	}
	return point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? -1 : point;
}

bool is_printable(const char *text, size_t length)
{
	for (size_t at = 0; at < length; ) {
		long point = take_character((const unsigned char *) text, length, &at);

		if (point < 0x20 || (point >= 0x7f && point < 0xa0))
			return false;
	}
	return true;
}

/* --- files ----------------------------------------------------------------------------------------------- */

static char *cut(const char *from, const char *end)
{
	while (from < end && strchr(BLANKS, *from))
		from++;
	while (end > from && strchr(BLANKS, end[-1]))
		end--;
	return xasprintf("%.*s", (int) (end - from), from);
}

static void add_entry(struct unit *unit, const char *section, char *key, char *value)
{
	unit->entries = grow_array(unit->entries, unit->count, sizeof(*unit->entries));
	unit->entries[unit->count++] = (struct entry){ xstrdup(section), key, value };
}

/* A line that ends in a backslash which no other one escapes goes on. */
static bool goes_on(const struct text *line)
{
	size_t n = 0;

	while (n < line->length && line->data[line->length - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

static bool parse_line(struct unit *unit, const char *line, char **section)
{
	const char *end = line + strlen(line), *equals = strchr(line, '=');

	line += strspn(line, BLANKS);
	if (!*line)
		return true;
	if (*line == '[') {
		if (end[-1] != ']')
			return false;
		free(*section);
		*section = cut(line + 1, end - 1);
		return true;
	}
	if (!equals || equals == line || !*section)
		return false;
	add_entry(unit, *section, cut(line, equals), cut(equals + 1, end));
	return true;
}

bool unit_parse(const char *text, size_t length, struct unit *ret_unit)
{
	cleanup_text struct text joined = TEXT_EMPTY;
	cleanup_free char *section = NULL;
	const char *end = text + length;
	bool good = length == 0 || end[-1] == '\n';

	*ret_unit = (struct unit){ 0 };
	text_puts(&joined, "");
	for (const char *line = text; good && line < end; ) {
		const char *stop = memchr(line, '\n', (size_t) (end - line));

		for (const char *c = line; c < stop; c++)
			good &= (unsigned char) *c >= ' ' && *c != 0x7f;
		good &= is_printable(line, (size_t) (stop - line));
		if (good && strchr("#;", line[strspn(line, " \t")]) && line < stop)
			add_entry(ret_unit, section ? section : "", xstrdup("#"), cut(line, stop));
		else {
			text_append(&joined, line, (size_t) (stop - line));
			if (goes_on(&joined))
				joined.data[joined.length - 1] = ' ';
			else {
				good &= parse_line(ret_unit, joined.data, &section);
				joined.length = 0;
				text_puts(&joined, "");
			}
		}
		line = stop + 1;
	}
	return good && joined.length == 0;
}

void unit_done(struct unit *unit)
{
	for (size_t i = 0; i < unit->count; i++) {
		free(unit->entries[i].section);
		free(unit->entries[i].key);
		free(unit->entries[i].value);
	}
	free(unit->entries);
	*unit = (struct unit){ 0 };
}

/* --- words ----------------------------------------------------------------------------------------------- */

static void put_character(struct text *word, unsigned long point)
{
	if (point < 0x80)
		text_putc(word, (char) point);
	else if (point < 0x800)
		text_putc(word, (char) (0xc0 | point >> 6));
	else if (point < 0x10000) {
		text_putc(word, (char) (0xe0 | point >> 12));
		text_putc(word, (char) (0x80 | (point >> 6 & 0x3f)));
	} else {
		text_putc(word, (char) (0xf0 | point >> 18));
		text_putc(word, (char) (0x80 | (point >> 12 & 0x3f)));
		text_putc(word, (char) (0x80 | (point >> 6 & 0x3f)));
	}
	if (point >= 0x80)
		text_putc(word, (char) (0x80 | (point & 0x3f)));
}

/* Exactly `digits` of them; -1 where they are not there. */
static long take_number(const char *s, int digits, int base)
{
	long number = 0;

	for (int i = 0; i < digits; i++) {
		int c = tolower((unsigned char) s[i]);
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;

		if (digit >= base)
			return -1;
		number = number * base + digit;
	}
	return number;
}

/* What stands behind a backslash; returns how many bytes that is, 0 where it has no meaning. */
static size_t take_escape(const char *s, struct text *word)
{
	static const char letters[] = "abfnrtvs\\\"'", meant[] = "\a\b\f\n\r\t\v \\\"'";
	const char *letter = *s ? strchr(letters, *s) : NULL;
	int digits = *s == 'x' ? 2 : *s == 'u' ? 4 : *s == 'U' ? 8 : 0;
	long number = digits ? take_number(s + 1, digits, 16) : take_number(s, 3, 8);

	if (letter) {
		text_putc(word, meant[letter - letters]);
		return 1;
	}
	if (number <= 0 || (digits <= 2 && number > 255) || number > 0x10ffff ||
	    (digits == 8 && number >= 0xd800 && number < 0xe000))      /* \ud800 is taken, and no UTF-8 then */
		return 0;
	if (digits <= 2)       /* \xHH and \OOO are bytes, the others characters */
		text_putc(word, (char) number);
	else
		put_character(word, (unsigned long) number);
	return digits ? (size_t) digits + 1 : 3;
}

/* Takes a word off *s; 1, 0 where none is left, or -1 for an error. */
static int take_word(const char **s, enum words_rule rule, struct text *word)
{
	bool strict = rule == WORDS_OF_LINE;
	const char *c = *s + strspn(*s, BLANKS);
	char quote = '\0';

	if (!*c)
		return 0;
	for (; *c && (quote || !strchr(BLANKS, *c)); c++) {
		if (*c == '\\' && strict) {
			size_t length = take_escape(c + 1, word);

			if (length == 0)
				return -1;
			c += length;
		} else if (*c == '\\') {
			if (!c[1])
				break;
			text_putc(word, *++c);
		} else if (quote ? *c == quote : *c == '"' || *c == '\'')
			quote = quote ? '\0' : *c;
		else
			text_putc(word, *c);
	}
	if (quote && strict)
		return -1;
	*s = *c == '\\' ? c + 1 : c;
	return 1;
}

bool words_split(const char *text, enum words_rule rule, struct words *ret_words)
{
	int r;

	*ret_words = (struct words){ 0 };
	for (;;) {
		struct text word = TEXT_EMPTY;

		text_puts(&word, "");
		r = take_word(&text, rule, &word);
		if (r <= 0) {
			text_done(&word);
			return r == 0;
		}
		ret_words->of = grow_array(ret_words->of, ret_words->count, sizeof(*ret_words->of));
		ret_words->of[ret_words->count++] = word.data;
	}
}

void words_done(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->of[i]);
	free(words->of);
	*words = (struct words){ 0 };
}

char *specifiers_expand(const char *text, const char *instance)
{
	struct text out = TEXT_EMPTY;

	text_puts(&out, "");
	for (; *text; text++) {
		if (*text != '%')
			text_putc(&out, *text);
		else if (*++text == '%')
			text_putc(&out, '%');
		else if (*text == 'i')
			text_puts(&out, instance);
		else {
			text_done(&out);
			return NULL;
		}
	}
	return out.data;
}
