#include "escape.h"

#include <string.h>

#include "name.h"

/* What no parser of systemd gives a meaning inside a word. */
static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-./:,=@";

void escape_value(struct text *out, const char *value)
{
	for (const char *c = value; *c; c++) {
		if (*c == '%')
			text_putc(out, '%');
		text_putc(out, *c);
	}
}

/* "..." with a backslash before '\' and '"'; characters of `doubled` are written twice. */
static void quote(struct text *out, const char *word, size_t length, const char *doubled)
{
	text_putc(out, '"');
	for (size_t i = 0; i < length; i++) {
		if (word[i] == '\\' || word[i] == '"')
			text_putc(out, '\\');
		if (strchr(doubled, word[i]))
			text_putc(out, word[i]);
		text_putc(out, word[i]);
	}
	text_putc(out, '"');
}

void escape_word(struct text *out, const char *word)
{
	size_t length = strlen(word);

	if (length > 0 && strspn(word, plain) == length)
		text_append(out, word, length);
	else
		quote(out, word, length, "%");
}

void escape_arguments(struct text *out, const char *arguments)
{
	const char *separator = "";

	for (const char *word = arguments; *(word += strspn(word, " ")); separator = " ") {
		size_t length = strcspn(word, " ");

		text_puts(out, separator);
		if (strspn(word, plain) >= length)
			text_append(out, word, length);
		else
			quote(out, word, length, "");
		word += length;
	}
}

static void escape_byte(struct text *out, unsigned char byte)
{
	static const char letters[] = "tnvfr";

	if (byte >= '\t' && byte <= '\r')
		text_printf(out, "\\%c", letters[byte - '\t']);
	else
		text_printf(out, "\\x%02x", byte);
}

char *escape_message(const char *message)
{
	struct text out = TEXT_EMPTY;
	size_t left = strlen(message);

	text_puts(&out, "");
	while (left > 0) {
		size_t n = character_length(message, left);

		if (n > 0)
			text_append(&out, message, n);
		else
			escape_byte(&out, (unsigned char) *message);
		message += n ? n : 1;
		left -= n ? n : 1;
	}
	return out.data;
}
