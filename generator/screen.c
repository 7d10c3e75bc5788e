#include "screen.h"

#include <inttypes.h>
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

char *duration_in_words(int64_t microseconds, bool is_short)
{
	static const struct {
		int64_t below, seconds;        /* so many of this unit are said in the next one */
		const char *one, *word;
	} units[] = {
		{ 60, 1, "s", "s" }, { 60, 60, "m", "min" }, { 48, 3600, "h", "h" }, { INT64_MAX, 86400, "d", "d" },
	};
	int64_t seconds = microseconds > 0 ? microseconds / USEC_PER_SEC : 0;
	size_t i = 0;

	while (seconds / units[i].seconds >= units[i].below)
		i++;
	return xasprintf("%" PRId64 "%s%s", seconds / units[i].seconds, is_short ? "" : " ",
			 is_short ? units[i].one : units[i].word);
}
