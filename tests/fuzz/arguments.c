/*
 * A server's arguments and texts of rows through the escaping of units, and back by systemd's rules (systemd.h): the
 * words that srcds_run gets are those that stand in the row.
 */
#include "escape.h"
#include "fuzz.h"
#include "systemd.h"

/* Exactly one entry with these values comes of the line in a unit's text; returns its value. */
static char *in_a_unit(const char *key, const char *value, const char *behind)
{
	cleanup_free char *text = xasprintf("[Service]\nType=exec\n%s=%s%s\nUser=games\n", key, value, behind);
	struct unit unit;
	char *read;

	EXPECT(unit_parse(text, strlen(text), &unit), "systemd would not take:\n%s", text);
	EXPECT(unit.count == 3 && strcmp(unit.entries[1].key, key) == 0 && strcmp(unit.entries[2].key, "User") == 0 &&
	       strcmp(unit.entries[2].value, "games") == 0, "%zu lines come of:\n%s", unit.count, text);
	read = xstrdup(unit.entries[1].value);
	unit_done(&unit);
	return read;
}

static char *one_word(const char *line)
{
	struct words words;
	char *word;

	EXPECT(words_split(line, WORDS_OF_LINE, &words) && words.count == 1, "%zu words in: %s", words.count, line);
	word = specifiers_expand(words.of[0], "INSTANCE");
	EXPECT(word, "a specifier in: %s", line);
	words_done(&words);
	return word;
}

static void check_arguments(const char *arguments)
{
	cleanup_text struct text line = TEXT_EMPTY;
	cleanup_free char *read = NULL, *copy = xstrdup(arguments);
	struct words words;
	char *rest = NULL, *word = strtok_r(copy, " ", &rest);

	text_puts(&line, ":/x");
	escape_arguments(&line, arguments);
	read = in_a_unit("ExecStart", line.data, "");
	EXPECT(words_split(read, WORDS_OF_LINE, &words) && words.count > 0, "not words: %s", read);
	for (size_t i = 1; i < words.count; i++, word = strtok_r(NULL, " ", &rest)) {
		cleanup_free char *got = specifiers_expand(words.of[i], "INSTANCE");

		EXPECT(word && got && strcmp(word, got) == 0, "word %zu is '%s', not '%s', by %s", i, got ? got : "a specifier",
		       word ? word : "", read);
	}
	EXPECT(!word, "no word '%s' by %s", word, read);
	words_done(&words);
}

static void check_word(const char *word)
{
	struct text line = TEXT_EMPTY;
	cleanup_free char *read = NULL, *again = NULL;

	escape_word(&line, word);
	read = in_a_unit("ExecStartPre", line.data, "");
	again = one_word(read);
	EXPECT(strcmp(word, again) == 0, "'%s' is read as '%s'", word, again);
	text_done(&line);
}

/* As in Description=: something stands before and behind it. */
static void check_value(const char *value)
{
	cleanup_text struct text line = TEXT_EMPTY;
	cleanup_free char *read = NULL, *again = NULL, *whole = xasprintf("\"%s\"", value);

	text_putc(&line, '"');
	escape_value(&line, value);
	read = in_a_unit("Description", line.data, "\"");
	again = specifiers_expand(read, "INSTANCE");
	EXPECT(again && strcmp(whole, again) == 0, "'%s' is read as '%s'", whole, again ? again : "a specifier");
}

static void check_message(const char *message)
{
	cleanup_free char *shown = escape_message(message);

	EXPECT(is_printable(shown, strlen(shown)), "not printable: %s", shown);
	EXPECT(!is_printable(message, strlen(message)) || strcmp(message, shown) == 0, "'%s' is shown as '%s'", message, shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xcalloc(size + 1, 1);

	memcpy(text, data, size);
	check_message(text);
	if (strlen(text) < size || !is_printable(text, size))
		return 0;
	check_arguments(text);
	check_word(text);
	check_value(text);
	return 0;
}
