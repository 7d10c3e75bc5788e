#include "escape.h"

#include <string.h>

#include "name.h"

/* How many bytes at the start no parser of systemd gives a meaning inside a word. */
static size_t plain_length(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') ||
			   (s[n] >= '0' && s[n] <= '9') || (s[n] && strchr("_+-./:,=@", s[n]))))
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

/* "..." with a backslash before '\' and '"', and with '%' doubled where specifiers are expanded. */
static void quote(struct text *out, const char *word, size_t length, bool specifiers)
{
	size_t done = 0;

	text_putc(out, '"');
	for (size_t i = 0; i < length; i++) {
		bool special = word[i] == '\\' || word[i] == '"';

		if (!special && (word[i] != '%' || !specifiers))
			continue;
		text_append(out, word + done, i - done);
		text_putc(out, special ? '\\' : '%');
		done = i;
	}
	text_append(out, word + done, length - done);
	text_putc(out, '"');
}

void escape_word(struct text *out, const char *word)
{
	size_t length = strlen(word);

	if (length > 0 && plain_length(word, length) == length)
		text_append(out, word, length);
	else
		quote(out, word, length, true);
}

void escape_arguments(struct text *out, const char *arguments)
{
	const char *separator = "";

	for (const char *word = arguments; *(word += strspn(word, " ")); separator = " ") {
		size_t length = strcspn(word, " ");

		text_puts(out, separator);
		if (plain_length(word, length) == length)
			text_append(out, word, length);
		else
			quote(out, word, length, false);
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
