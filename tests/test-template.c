/*
 * template.h: the three rules of placeholders (style.md §6), over every template there is, filled in a second time by
 * a slow and obvious way; with variables bound at loading and free ones, with no text, one and several.
 */
#include "template.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

enum { VARIABLES_MAX = 64, NAME_MAX_LENGTH = 40 };

static char names[VARIABLES_MAX][NAME_MAX_LENGTH];
static const char *name_list[VARIABLES_MAX + 1];
static size_t name_count;

/* "@NAME@" at s: its name's length, or 0. */
static size_t placeholder(const char *s)
{
	size_t length = *s == '@' ? strspn(s + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;

	return length > 0 && s[1 + length] == '@' ? length : 0;
}

static size_t number_of(const char *name, size_t length)
{
	size_t i = 0;

	while (i < name_count && (strlen(names[i]) != length || strncmp(names[i], name, length) != 0))
		i++;
	return i;
}

static void collect_names(void)
{
	for (const struct embedded_template *e = embedded_templates; e->name; e++)
		for (const char *s = e->text; *s; s++) {
			size_t length = placeholder(s);

			if (length == 0 || number_of(s + 1, length) < name_count || name_count == VARIABLES_MAX)
				continue;
			(void) snprintf(names[name_count], NAME_MAX_LENGTH, "%.*s", (int) length, s + 1);
			name_list[name_count] = names[name_count];
			name_count++;
		}
}

static size_t times(const char *line, const char *end, const struct variable *variables)
{
	size_t most = 1;

	for (const char *s = line; s < end; s++) {
		size_t length = placeholder(s), count;

		if (length == 0)
			continue;
		count = variables[number_of(s + 1, length)].count;
		if (count == 0)
			return 0;
		most = count > most ? count : most;
		s += length + 1;
	}
	return most;
}

static void fill_slowly(const char *text, const struct variable *variables, struct text *out)
{
	for (const char *line = text, *end; *line; line = end) {
		size_t repeat;

		end = strchr(line, '\n') + 1;
		repeat = times(line, end, variables);
		for (size_t i = 0; i < repeat; i++)
			for (const char *s = line; s < end; s++) {
				size_t length = placeholder(s);
				const struct variable *variable = &variables[length ? number_of(s + 1, length) : 0];

				if (length == 0) {
					text_putc(out, *s);
					continue;
				}
				text_puts(out, variable->texts[variable->count > 1 ? i : 0]);
				s += length + 1;
			}
	}
}

/*
 * Each variable gets no, one or three texts by the seed; what looks like a placeholder in a text must stay. No line
 * has both a bound and a free list, so lists are only bound or only free ones here, too.
 */
static void set_variables(unsigned seed, size_t bound, struct variable variables[VARIABLES_MAX])
{
	static const char *const texts[] = { "first", "@NAME@ \\ %%", "" };
	bool bound_lists = seed & 1;

	for (size_t i = 0; i < name_count; i++) {
		seed = seed * 1103515245 + 12345;
		variables[i].texts = texts;
		variables[i].count = (const size_t[]){ 0, 1, 1, 3 }[seed >> 16 & 3];
		if ((i < bound) != bound_lists && variables[i].count > 1)
			variables[i].count = 1;
	}
}

static void test_all(unsigned bound)
{
	for (const struct embedded_template *e = embedded_templates; e->name; e++) {
		unsigned wrong = 0;

		for (unsigned seed = 0; seed < 200; seed++) {
			struct variable variables[VARIABLES_MAX] = { { NULL, 0 } };
			const struct vocabulary vocabulary = { name_list, variables, bound };
			struct template template;
			cleanup_text struct text expected = TEXT_EMPTY, got = TEXT_EMPTY;

			set_variables(seed, bound, variables);
			text_puts(&expected, "before\n");
			text_puts(&got, "before\n");
			fill_slowly(e->text, variables, &expected);
			template_load(e->name, &vocabulary, &template);
			template_fill(&template, variables, &got);
			template_done(&template);
			wrong += strcmp(got.data, expected.data) != 0;
		}
		is_int(wrong, 0, "%s, %u of %zu variables bound", e->name, bound, name_count);
	}
}

/* Bound texts are those of loading, free ones those of filling, as often as one likes. */
static void test_twice(void)
{
	static const char *const one[] = { "one" }, *const two[] = { "two" };
	struct variable variables[VARIABLES_MAX];
	const struct vocabulary vocabulary = { name_list, variables, 0 };

	for (const struct embedded_template *e = embedded_templates; e->name; e++) {
		cleanup_text struct text expected = TEXT_EMPTY, got = TEXT_EMPTY;
		struct template template;

		template_load(e->name, &vocabulary, &template);
		for (int i = 0; i < 2; i++) {
			for (size_t k = 0; k < name_count; k++)
				variables[k] = (struct variable){ i ? two : one, 1 };
			template_fill(&template, variables, &got);
			fill_slowly(e->text, variables, &expected);
		}
		template_done(&template);
		is_str(got.data, expected.data, "%s, filled twice", e->name);
	}
}

static void test_shape(void)
{
	for (const struct embedded_template *e = embedded_templates; e->name; e++) {
		size_t length = strlen(e->text);

		ok(length > 0 && e->text[length - 1] == '\n', "%s ends with a newline", e->name);
		ok(length <= 4095, "%s is a string that C11 promises to take: %zu bytes", e->name, length);
	}
}

/* A fault of the program ends it, here a child of this one. */
static void test_faults(void)
{
	static const char *const nothing[] = { NULL };
	const struct vocabulary empty = { nothing, NULL, 0 };

	for (int i = 0; i < 2; i++) {
		int status = 0;
		pid_t pid;

		(void) fflush(stdout);
		pid = fork();
		if (pid == 0) {
			struct template template;

			(void) signal(SIGABRT, SIG_DFL);
			(void) close(STDERR_FILENO);
			template_load(i ? "no-such.service" : "server.service", &empty, &template);
			_exit(0);
		}
		(void) waitpid(pid, &status, 0);
		ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "unknown %s", i ? "template" : "placeholder");
	}
}

int main(void)
{
	collect_names();
	ok(name_count > 10 && name_count < VARIABLES_MAX, "%zu placeholders in the templates", name_count);
	test_shape();
	test_all(0);
	test_all((unsigned) name_count / 2);
	test_all((unsigned) name_count);
	test_twice();
	test_faults();
	return done_testing();
}
