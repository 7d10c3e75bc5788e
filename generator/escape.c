#include "escape.h"

#include <string.h>

#include "name.h"

/* Whether no parser of systemd gives the byte a meaning inside a word. */
static bool is_plain(char c)
{
	switch (c) {
	case '_': case '+': case '-': case '.': case '/': case ':': case ',': case '=': case '@':
		return true;
	default:
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
	}
}

static size_t plain_length(const char *s)
{
	size_t n = 0;

	while (is_plain(s[n]))
		n++;
	return n;
}

void escape_value(struct text *out, const char *value)
{
	const char *percent;

	for (; (percent = strchr(value, '%')) != NULL; value = percent + 1) {
		text_append(out, value, (size_t) (percent + 1 - value));
		text_putc(out, '%');
	}
	text_puts(out, value);
}

/* In double quotes, within which '\\', '"' and '%' have a meaning to take away. */
static void quote(struct text *out, const char *word, size_t length)
{
	text_putc(out, '"');
	while (length > 0) {
		size_t plain = strcspn(word, "\\\"%"), n = plain < length ? plain : length;

		text_append(out, word, n);
		if (n < length) {
			text_putc(out, word[n] == '%' ? '%' : '\\');
			text_putc(out, word[n++]);
		}
		word += n;
		length -= n;
	}
	text_putc(out, '"');
}

static void put_word(struct text *out, const char *word, size_t length)
{
	if (length > 0 && plain_length(word) >= length)
		text_append(out, word, length);
	else
		quote(out, word, length);
}

void escape_word(struct text *out, const char *word)
{
	put_word(out, word, strlen(word));
}

void escape_arguments(struct text *out, const char *arguments)
{
	for (const char *word = arguments; *(word += strspn(word, " "));) {
		size_t length = strcspn(word, " ");

		text_putc(out, ' ');
		put_word(out, word, length);
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

	while (left > 0) {
		size_t n = character_length(message, left);

		if (n > 0)
			text_append(&out, message, n);
		else
			escape_byte(&out, (unsigned char) *message);
		message += n ? n : 1;
		left -= n ? n : 1;
	}
	return text_take(&out);
}
