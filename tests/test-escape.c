/*
 * escape.h: what an unprivileged web user wrote, on its way into units (S109, S117). Beside tables the
 * words are read back by a second writing of systemd's rules; hostile.t does the same from finished units.
 */
#include "escape.h"

#include <stdlib.h>

#include "name.h"
#include "tap.h"

typedef void (*escape_function)(struct text *out, const char *value);

static char *escaped(escape_function escape, const char *value)
{
	struct text out = TEXT_EMPTY;

	text_puts(&out, "");
	escape(&out, value);
	return out.data;
}

static void test_tables(void)
{
	static const struct {
		const char *name;
		escape_function escape;
		const char *value, *expected;
	} rows[] = {
		{ "value", escape_value, "", "" },
		{ "value", escape_value, "plain", "plain" },
		{ "value", escape_value, "100%", "100%%" },
		{ "value", escape_value, "%n%i%%", "%%n%%i%%%%" },
		{ "value", escape_value, "a \"b\" 'c' \\ ; # $X", "a \"b\" 'c' \\ ; # $X" },
		{ "word", escape_word, "", "\"\"" },
		{ "word", escape_word, "plain_+-./:,=@9Z", "plain_+-./:,=@9Z" },
		{ "word", escape_word, "a b", "\"a b\"" },
		{ "word", escape_word, "\"q\"", "\"\\\"q\\\"\"" },
		{ "word", escape_word, "it's", "\"it's\"" },
		{ "word", escape_word, "trail\\", "\"trail\\\\\"" },
		{ "word", escape_word, "a\\nb", "\"a\\\\nb\"" },
		{ "word", escape_word, "100%", "\"100%%\"" },
		{ "word", escape_word, "$HOME", "\"$HOME\"" },
		{ "word", escape_word, ";", "\";\"" },
		{ "word", escape_word, "#x", "\"#x\"" },
		{ "word", escape_word, "\xc3\xa9", "\"\xc3\xa9\"" },
		{ "arguments", escape_arguments, "", "" },
		{ "arguments", escape_arguments, "   ", "" },
		{ "arguments", escape_arguments, "+map c1m1_hotel", " +map c1m1_hotel" },
		{ "arguments", escape_arguments, "  +map   c1m1_hotel ", " +map c1m1_hotel" },
		{ "arguments", escape_arguments, "+sv_tags a,b -x", " +sv_tags a,b -x" },
		{ "arguments", escape_arguments, "100% %n", " \"100%%\" \"%%n\"" },
		{ "arguments", escape_arguments, "\"x y\"", " \"\\\"x\" \"y\\\"\"" },
		{ "arguments", escape_arguments, "a\\ ;", " \"a\\\\\" \";\"" },
		{ "arguments", escape_arguments, "$HOME ${X} $$", " \"$HOME\" \"${X}\" \"$$\"" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		cleanup_free char *got = escaped(rows[i].escape, rows[i].value);

		is_str(got, rows[i].expected, "%s: '%s'", rows[i].name, rows[i].value);
	}
}

/*
 * The next word of a line as systemd splits it: blanks separate, quotes and backslashes as in systemd.syntax(7),
 * specifiers resolved afterwards. NULL at the end and where systemd would complain.
 */
static char *read_word(const char **line)
{
	struct text out = TEXT_EMPTY;
	const char *s = *line + strspn(*line, " ");
	char quote = '\0';

	if (!*s)
		return NULL;
	text_puts(&out, "");
	for (; *s && (quote || *s != ' '); s++) {
		if (*s == quote) {
			quote = '\0';
		} else if (!quote && (*s == '"' || *s == '\'')) {
			quote = *s;
		} else if (*s == '\\' && strchr("\\\"'", s[1]) && s[1]) {
			text_putc(&out, *++s);
		} else if (*s == '\\' || (*s == '%' && s[1] != '%')) {
			text_done(&out);       /* an escape or a specifier that nobody meant */
			return NULL;
		} else {
			text_putc(&out, *s);
			s += *s == '%';
		}
	}
	if (quote)
		text_done(&out);
	*line = s;
	return out.data;
}

static const char *const nasty[] = {
	"", "a", "trail\\", "it's", "\"q\"", ";", "#x", "$HOME", "${X}", "%n", "%%", "$$", "\xc3\xa9", "a\\\"b", "\\\\", "'",
	"\"", "+map", "-x", "*", "~", "\\x41", "\\n", "a=b", "@NAME@", "%", "\\%", "%\\", "\"\"", "''", "[Service]", "|", "!",
};

static void test_words_back(void)
{
	for (size_t i = 0; i < ELEMENTS(nasty); i++) {
		cleanup_free char *line = escaped(escape_word, nasty[i]);
		const char *rest = line;
		cleanup_free char *word = read_word(&rest);
		cleanup_free char *more = read_word(&rest);

		is_str(word, nasty[i], "word '%s' comes back", nasty[i]);
		is_str(more, NULL, "and is one word");
	}
}

static void test_arguments_back(void)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < ELEMENTS(nasty) * ELEMENTS(nasty); i++) {
		const char *words[] = { nasty[i / ELEMENTS(nasty)], nasty[i % ELEMENTS(nasty)] };
		cleanup_free char *arguments = xasprintf("%s  %s", words[0], words[1]);
		cleanup_free char *line = escaped(escape_arguments, arguments);
		const char *rest = line;

		for (size_t k = 0; k < 2; k++) {
			cleanup_free char *word = *words[k] ? read_word(&rest) : xstrdup("");

			if (!word || strcmp(word, words[k]) != 0) {
				wrong++;
				(void) printf("# '%s' and '%s' as %s\n", words[0], words[1], line);
			}
		}
		wrong += *rest != '\0';
	}
	is_int(wrong, 0, "arguments come back word for word, %zu pairs", ELEMENTS(nasty) * ELEMENTS(nasty));
}

/* Random printable text in each function never gives a line break and, for words, is always one word. */
static void test_random(void)
{
	static const char characters[16] = "\\\"'%$; #=nx4a~";     /* two NULs at the end */
	unsigned wrong = 0, seed = 4;

	for (int round = 0; round < 20000; round++) {
		char word[12] = "";

		for (size_t i = 0; i < sizeof(word) - 1; i++) {
			seed = seed * 1103515245 + 12345;
			word[i] = characters[seed >> 16 & 15];
			if (!word[i])
				break;
		}
		cleanup_free char *line = escaped(escape_word, word);
		cleanup_free char *value = escaped(escape_value, word);
		const char *rest = line;
		cleanup_free char *back = read_word(&rest);

		wrong += !back || strcmp(back, word) != 0 || *rest;
		for (const char *percent = value; (percent = strchr(percent, '%')) != NULL; percent += 2)
			wrong += percent[1] != '%';
	}
	is_int(wrong, 0, "random words come back");
}

static void test_messages(void)
{
	static const struct {
		const char *message, *expected;
	} rows[] = {
		{ "", "" }, { "plain % \\ \" text", "plain % \\ \" text" }, { "a\nb", "a\\nb" }, { "\t\v\f\r\n", "\\t\\v\\f\\r\\n" },
		{ "\x1b[31m", "\\x1b[31m" }, { "\x7f\x01", "\\x7f\\x01" }, { "\xff", "\\xff" }, { "\xc2\x85", "\\xc2\\x85" },
		{ "Z\xc3\xbcrich", "Z\xc3\xbcrich" }, { "\xe2\x82", "\\xe2\\x82" }, { "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xf0\x9f\x8e\xae!", "\xf0\x9f\x8e\xae!" }, { "a\x08", "a\\x08" }, { "\x0e", "\\x0e" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		cleanup_free char *got = escape_message(rows[i].message);

		is_str(got, rows[i].expected, "message '%s'", rows[i].message);
		ok(valid_text(got, strlen(got)), "is printable");
	}
}

int main(void)
{
	test_tables();
	test_words_back();
	test_arguments_back();
	test_random();
	test_messages();
	return done_testing();
}
