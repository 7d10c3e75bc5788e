/*
 * words FILE...: what systemd.h makes of unit files, a line for each: name, description, then the value of the
 * variable X or "-", then the words of $X; all but the name in hexadecimal. For tests/system-arguments.t.
 */
#include "systemd.h"

static void print_hex(const char *text)
{
	(void) putchar(' ');
	(void) putchar('x');
	for (; *text; text++)
		(void) printf("%02x", (unsigned char) *text);
}

/* UTF-8 with any control characters: what systemd takes as a value. */
static bool is_value(const char *value)
{
	cleanup_free char *copy = xstrdup(value);

	for (char *c = copy; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = ' ';
		else if ((unsigned char) *c == 0xc2 && (unsigned char) c[1] < 0xa0 && (unsigned char) c[1] >= 0x80)
			c[0] = c[1] = ' ';
	return is_printable(copy, strlen(copy));
}

/* The last assignment of a line counts; one of a word in error and what stands behind that do not. False where systemd.h has
   no word for it. */
static bool take_assignments(const char *line, const char *instance, char **value)
{
	struct words words;
	bool known = true;

	(void) words_split(line, WORDS_OF_LINE, &words);
	for (size_t i = 0; i < words.count; i++) {
		cleanup_free char *word = specifiers_expand(words.of[i], instance);

		known &= word != NULL;
		if (word && strncmp(word, "X=", 2) == 0 && is_value(word)) {
			free(*value);
			*value = xstrdup(word + 2);
		}
	}
	words_done(&words);
	return known;
}

static void print_unit(const char *name, const struct unit *unit)
{
	cleanup_free char *value = NULL, *description = NULL;
	struct words words = { 0 };
	bool known = true;

	for (size_t i = 0; i < unit->count; i++) {
		if (strcmp(unit->entries[i].key, "Description") == 0)
			description = specifiers_expand(unit->entries[i].value, "");
		if (strcmp(unit->entries[i].key, "Environment") == 0)
			known &= take_assignments(unit->entries[i].value, "", &value);
	}
	if (!known || !description)
		return;
	(void) printf("%s", name);
	print_hex(description);
	if (value)
		print_hex(value);
	else
		(void) printf(" -");
	(void) words_split(value ? value : "", WORDS_OF_VARIABLE, &words);
	for (size_t i = 0; i < words.count; i++)
		print_hex(words.of[i]);
	(void) putchar('\n');
	words_done(&words);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "re");
		static char text[65536];
		size_t length = file ? fread(text, 1, sizeof(text), file) : 0;
		const char *slash = strrchr(argv[i], '/');
		struct unit unit;

		if (!file)
			return 1;
		(void) fclose(file);
		if (unit_parse(text, length, &unit))
			print_unit(slash ? slash + 1 : argv[i], &unit);
		unit_done(&unit);
	}
	return 0;
}
