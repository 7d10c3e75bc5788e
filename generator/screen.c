#include "screen.h"

#include <stdlib.h>
#include <unistd.h>

#include "name.h"
#include "platform.h"

unsigned screen_columns(void)
{
	const char *columns = getenv("COLUMNS");
	int64_t number;

	if (columns && parse_decimal(columns, 1, 1000, &number))
		return (unsigned) number;
	return platform_terminal_columns(STDOUT_FILENO);
}

void screen_put_blanks(struct text *out, size_t count)
{
	while (count-- > 0)
		text_putc(out, ' ');
}

/* How many bytes of the text go on a line of that width: up to a blank, or, of a word that is longer, as many as fit. */
static size_t fit(const char *text, size_t width)
{
	size_t length = 0, blank = 0;

	for (size_t used = 0; text[length] && used < width; used++) {
		size_t bytes = character_length(text + length, strlen(text + length));

		if (text[length] == ' ')
			blank = length;
		length += bytes > 0 ? bytes : 1;
	}
	if (!text[length] || text[length] == ' ' || blank == 0)
		return length;
	return blank;
}

void screen_put_wrapped(struct text *out, const char *text, size_t used, size_t indent, size_t columns)
{
	for (;;) {
		size_t length = fit(text, columns > used + 1 ? columns - used : 1);

		text_append(out, text, length);
		text += length + strspn(text + length, " ");
		text_putc(out, '\n');
		if (!*text)
			return;
		screen_put_blanks(out, indent);
		used = indent;
	}
}
