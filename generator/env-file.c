#include "env-file.h"

#include <stdbool.h>
#include <string.h>

#include "config-file.h"

#define BLANKS " \t\r"

struct env_text {
	const char *next;
	unsigned line;
};

/* '\0' at the end, however often. */
static char take(struct env_text *text)
{
	char c = *text->next;

	text->line += c == '\n';
	text->next += c != '\0';
	return c;
}

static void skip_line(struct env_text *text)
{
	text->next += strcspn(text->next, "\n");
	(void) take(text);
}

/*
 * The name before the '=', or all of a line that has none, which is passed over; NULL for a comment or an empty line. Owned by
 * the caller.
 */
static char *take_key(struct env_text *text, bool *ret_is_assigned)
{
	size_t length = strcspn(text->next, "=\n");
	const char *key = text->next;

	*ret_is_assigned = !strchr("#;", *key) && key[length] == '=';
	if (*ret_is_assigned)
		text->next += length + 1;
	else
		skip_line(text);
	if (strchr("#;\n", *key))
		return NULL;
	while (length > 0 && strchr(BLANKS, key[length - 1]))
		length--;
	return xasprintf("%.*s", (int) length, key);
}

/* Up to the quote that ends it, over lines. Returns the end of what was appended at `end`, as the next one. */
static char *take_quoted(struct env_text *text, char quote, char *end)
{
	char c;

	while ((c = take(text)) != '\0' && c != quote) {
		if (c == '\\' && quote == '"') {
			c = take(text);
			if (c == '\n' || c == '\0')
				continue;
			if (!strchr("\"\\`$", c))
				*end++ = '\\';
		}
		*end++ = c;
	}
	return end;
}

/* Up to the end of the line, blanks there excepted; an escaped one continues it. */
static char *take_plain(struct env_text *text, char *end)
{
	char *kept = end;
	char c;

	while ((c = take(text)) != '\0' && c != '\n') {
		bool is_escaped = c == '\\';

		if (is_escaped && ((c = take(text)) == '\n' || c == '\0'))
			continue;
		*end++ = c;
		if (is_escaped || !strchr(BLANKS, c))
			kept = end;
	}
	return kept;
}

/* Quoted parts first, then what is not; owned by the caller. */
static char *take_value(struct env_text *text, const char *text_end)
{
	char *value = xrealloc(NULL, (size_t) (text_end - text->next) + 1, 1), *end = value;

	for (;;) {
		text->next += strspn(text->next, BLANKS);
		if (*text->next != '"' && *text->next != '\'')
			break;
		end = take_quoted(text, take(text), end);
	}
	end = take_plain(text, end);
	*end = '\0';
	return value;
}

void env_file_parse(const char *text, const char *label,
		    void (*set)(void *userdata, const char *key, const char *value, const char *where), void *userdata)
{
	struct env_text rest = { .next = text, .line = 1 };
	const char *end = text + strlen(text);

	while (*rest.next) {
		cleanup_free char *where = NULL, *key = NULL;
		cleanup(config_file_freep) char *value = NULL;
		bool is_assigned;

		rest.next += strspn(rest.next, BLANKS);
		where = xasprintf("%s:%u", label, rest.line);
		key = take_key(&rest, &is_assigned);
		if (is_assigned)
			value = take_value(&rest, end);
		if (key)
			set(userdata, key, value, where);
	}
}
