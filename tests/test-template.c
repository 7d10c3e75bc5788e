/*
 * template.h: the three rules of placeholders, over every template there is. What templates/compile.awk made of them is
 * filled here, and their source files a second time by a slow and obvious way. Templates of other shapes: template.t.
 */
#include "template.h"

#include <dirent.h>
#include <errno.h>

#include "templates.h"
#include "variables.h"

#include "tap.h"

#define SOURCES "templates/"

static const struct {
	const char *source;
	const struct template *template;
} templates[] = {
	{ "activate.service", &template_activate_service },
	{ "activate.timer", &template_activate_timer },
	{ "build-hardening.conf", &template_build_hardening_conf },
	{ "build.service", &template_build_service },
	{ "check.service", &template_check_service },
	{ "check.timer", &template_check_timer },
	{ "collect.service", &template_collect_service },
	{ "l4d2-build.slice", &template_l4d2_build_slice },
	{ "l4d2-game.slice", &template_l4d2_game_slice },
	{ "l4d2.slice", &template_l4d2_slice },
	{ "left4me.sudoers", &template_left4me_sudoers },
	{ "left4me.target", &template_left4me_target },
	{ "reload-slow.conf", &template_reload_slow_conf },
	{ "reload.service", &template_reload_service },
	{ "reserved-cpus.conf", &template_reserved_cpus_conf },
	{ "server-hardening.conf", &template_server_hardening_conf },
	{ "server.service", &template_server_service },
	{ "stop.service", &template_stop_service },
	{ "resume.service", &template_resume_service },
	{ "unmount.service", &template_unmount_service },
	{ "unmount.target", &template_unmount_target },
	{ "queue.service", &template_queue_service },
	{ "queue.target", &template_queue_target },
	{ "turn.service", &template_turn_service },
	{ "web-hardening.conf", &template_web_hardening_conf },
	{ "web.service", &template_web_service },
	{ "update-hardening.conf", &template_update_hardening_conf },
	{ "update.service", &template_update_service },
	{ "workshop-refresh-hardening.conf", &template_workshop_refresh_hardening_conf },
	{ "workshop-refresh.service", &template_workshop_refresh_service },
	{ "workshop-refresh.timer", &template_workshop_refresh_timer },
};

#define KEY_NAME(section, name, type, fallback, placeholder, ...) [VAR_##placeholder] = #placeholder,
#define VARIABLE_NAME(name) [VAR_##name] = #name,
static const char *const names[VARIABLE_COUNT] = {
	KEYS(KEY_NAME)
	DERIVED_VARIABLES(VARIABLE_NAME)
	UNIT_VARIABLES(VARIABLE_NAME)
	RULE_VARIABLES(VARIABLE_NAME)
};

static char *read_source(const char *name)
{
	cleanup_free char *path = xasprintf(SOURCES "%s", name);
	struct text text = TEXT_EMPTY;
	FILE *file = fopen(path, "r");

	if (!file) {
		(void) printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
	for (int c; (c = getc(file)) != EOF; )
		text_putc(&text, (char) c);
	(void) fclose(file);
	return text_take(&text);
}

/* --- the slow and obvious way ---------------------------------------------------------------------------- */

/* "@NAME@" at s: its name's length, or 0. */
static size_t placeholder(const char *s)
{
	size_t length = *s == '@' ? strspn(s + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;

	return length > 0 && s[1 + length] == '@' ? length : 0;
}

static const struct variable *find(const struct variable *variables, const char *name, size_t length)
{
	for (size_t i = 0; i < VARIABLE_COUNT; i++)
		if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
			return &variables[i];
	(void) printf("Bail out! no variable %.*s\n", (int) length, name);
	exit(1);
}

static size_t count_of(const struct variable *variable)
{
	return variable->text ? 1 : variable->count;
}

static size_t times(const char *line, const char *end, const struct variable *variables)
{
	size_t most = 1;

	for (const char *s = line; s < end; s++) {
		size_t length = placeholder(s), count;

		if (length == 0)
			continue;
		count = count_of(find(variables, s + 1, length));
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
				const struct variable *variable;

				if (length == 0) {
					text_putc(out, *s);
					continue;
				}
				variable = find(variables, s + 1, length);
				text_puts(out, variable->text ? variable->text : variable->list[variable->count > 1 ? i : 0]);
				s += length + 1;
			}
	}
}

/* --- tests ----------------------------------------------------------------------------------------------- */

/* Each variable gets nothing, a text or a list by the seed; what looks like a placeholder in a text must stay. */
static void set_variables(unsigned seed, struct variable variables[VARIABLE_COUNT])
{
	static const char *const texts[] = { "first", "@USER@ \\ %%", "" };

	for (size_t i = 0; i < VARIABLE_COUNT; i++) {
		unsigned kind;

		seed = seed * 1103515245 + 12345;
		kind = seed >> 16 & 7;
		variables[i] = (struct variable){ .text = NULL };
		if (kind < 3) {
			variables[i].text = texts[kind];
			variables[i].length = strlen(texts[kind]);
		} else if (kind < 6) {
			variables[i].list = texts;
			variables[i].count = (const size_t[]){ 0, 1, 3 }[kind - 3];
		}
	}
}

/* The text is appended to what is there, as often as one likes. */
static void test_all(void)
{
	for (size_t i = 0; i < ELEMENTS(templates); i++) {
		cleanup_free char *source = read_source(templates[i].source);
		unsigned wrong = 0;

		for (unsigned seed = 0; seed < 500; seed++) {
			cleanup_text struct text expected = TEXT_EMPTY, got = TEXT_EMPTY;
			struct variable variables[VARIABLE_COUNT];

			text_puts(&expected, "before\n");
			text_puts(&got, "before\n");
			for (unsigned twice = 0; twice < 2; twice++) {
				set_variables(2 * seed + twice, variables);
				fill_slowly(source, variables, &expected);
				template_fill(templates[i].template, variables, &got);
			}
			wrong += got.length != expected.length || strcmp(got.data, expected.data) != 0;
		}
		is_int(wrong, 0, "%s filled in 500 ways", templates[i].source);
	}
}

/* Of each variable alone nothing, an empty text, a text and lists, while every other one has a text. */
static void test_each(void)
{
	static const char *const list[] = { "x", "@ROOT@", "" };
	static const struct variable values[] = {
		{ .text = NULL }, { .text = "", .length = 0 }, { .text = "@USER@", .length = 6 },
		{ .list = list, .count = 1 }, { .list = list, .count = 3 },
	};

	for (size_t i = 0; i < ELEMENTS(templates); i++) {
		cleanup_free char *source = read_source(templates[i].source);
		struct variable variables[VARIABLE_COUNT];
		unsigned wrong = 0;

		for (size_t k = 0; k < VARIABLE_COUNT; k++)
			variables[k] = (struct variable){ .text = "-", .length = 1 };
		for (size_t k = 0; k < VARIABLE_COUNT; k++)
			for (size_t v = 0; v < ELEMENTS(values); v++) {
				cleanup_text struct text expected = TEXT_EMPTY, got = TEXT_EMPTY;
				const struct variable kept = variables[k];

				variables[k] = values[v];
				fill_slowly(source, variables, &expected);
				template_fill(templates[i].template, variables, &got);
				wrong += strcmp(text_string(&got), text_string(&expected)) != 0;
				variables[k] = kept;
			}
		is_int(wrong, 0, "%s with each variable otherwise", templates[i].source);
	}
}

/* A line appears as often as its longest list says; a shorter one goes on with its last text. */
static void test_two_lists(void)
{
	static const char *const users[] = { "a", "b" }, *const servers[] = { "1", "2", "3" };
	static const struct piece pieces[] = {
		{ 3, VAR_USER, 0, "" }, { 0, VAR_SERVERS, 1, "=" }, { 0, NO_VARIABLE, 1, "\n" },
	};
	static const struct template template = { pieces, ELEMENTS(pieces) };
	struct variable variables[VARIABLE_COUNT] = { [VAR_USER] = { .list = users, .count = 2 },
						      [VAR_SERVERS] = { .list = servers, .count = 3 } };
	cleanup_text struct text out = TEXT_EMPTY;

	template_fill(&template, variables, &out);
	is_str(text_string(&out), "a=1\nb=2\nb=3\n", "two lists in a line");
	text_clear(&out);
	variables[VAR_USER].count = 0;
	template_fill(&template, variables, &out);
	is_str(text_string(&out), "", "a list of nothing beside one of three");
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(templates); i++)
		if (strcmp(templates[i].source, name) == 0)
			return true;
	return false;
}

/* This test misses no template, and none has a literal longer than C11 promises to take. */
static void test_shape(void)
{
	DIR *dir = opendir(SOURCES);
	const struct dirent *entry;
	size_t longest = 0;

	while (dir && (entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (*entry->d_name != '.' && dot && strcmp(dot, ".awk") != 0)
			ok(is_known(entry->d_name), "%s is tested", entry->d_name);
	}
	if (dir)
		(void) closedir(dir);
	for (size_t i = 0; i < ELEMENTS(templates); i++) {
		cleanup_free char *source = read_source(templates[i].source);
		size_t length = strlen(source);

		ok(length > 0 && source[length - 1] == '\n', "%s ends with a newline", templates[i].source);
		for (size_t k = 0; k < templates[i].template->count; k++) {
			const struct piece *piece = &templates[i].template->pieces[k];

			longest = piece->length > longest ? piece->length : longest;
			if (piece->length != strlen(piece->literal))
				ok(false, "%s: the length of '%s'", templates[i].source, piece->literal);
		}
	}
	ok(longest <= 4095, "the longest literal has %zu bytes", longest);
}

int main(void)
{
	test_shape();
	test_all();
	test_each();
	test_two_lists();
	return done_testing();
}
