#include "fuzz.h"
#include "oracle.h"
#include "want.h"

struct lines {
	char **of;
	size_t count;
};

static void PRINTF_LIKE(3, 4) add_rule(struct lines *lines, const char *user, const char *format, ...)
{
	cleanup_free char *command = NULL;
	va_list arguments;

	va_start(arguments, format);
	command = xvasprintf(format, arguments);
	va_end(arguments);
	lines->of = grow_array(lines->of, lines->count, sizeof(*lines->of));
	lines->of[lines->count++] = xasprintf("%s ALL=(root) NOPASSWD: %s", user, command);
}

/* Of one unit. One whose row counts may be started, of a server also started anew. */
static void add_rules(struct lines *lines, const char *user, const char *kind, const char *instance, bool counts)
{
	bool server = strcmp(kind, "left4me-server") == 0;

	add_rule(lines, user, "/usr/bin/journalctl --no-pager -o json -n 200 -u %s@%s.service", kind, instance);
	add_rule(lines, user, "/usr/bin/journalctl --no-pager -o json -n 200 -u %s@%s.service -f", kind, instance);
	add_rule(lines, user, "/usr/bin/journalctl --no-pager -o json -n all -u %s@%s.service -f", kind, instance);
	add_rule(lines, user, "/usr/bin/systemctl stop %s@%s.service", kind, instance);
	if (counts)
		add_rule(lines, user, "/usr/bin/systemctl start %s@%s.service", kind, instance);
	if (counts && server) {
		add_rule(lines, user, "/usr/bin/systemctl restart %s@%s.service", kind, instance);
		add_rule(lines, user, "/usr/bin/systemctl reset-failed %s@%s.service", kind, instance);
	}
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static void want_rules(const struct want *want, const struct running *running, const char *user, struct lines *ret_lines)
{
	size_t kept = 0;

	add_rule(ret_lines, user, "/usr/bin/systemctl daemon-reload");
	add_rule(ret_lines, user, "/usr/bin/systemctl start left4me-check.service");
	for (size_t i = 0; i < want->instance_count; i++)
		add_rules(ret_lines, user, "left4me-server", want->instances[i].name, !want->instances[i].refused);
	for (size_t i = 0; i < want->overlay_count; i++)
		if (want->overlays[i].has_script)
			add_rules(ret_lines, user, "build-overlay", want->overlays[i].id, !want->overlays[i].refused);
	for (size_t i = 0; i < running->server_count; i++)
		add_rules(ret_lines, user, "left4me-server", running->servers[i], false);
	for (size_t i = 0; i < running->build_count; i++)
		add_rules(ret_lines, user, "build-overlay", running->builds[i], false);
	qsort(ret_lines->of, ret_lines->count, sizeof(*ret_lines->of), compare_lines);
	for (size_t i = 0; i < ret_lines->count; i++)          /* what runs and has a row stands here twice */
		if (kept && strcmp(ret_lines->of[kept - 1], ret_lines->of[i]) == 0)
			free(ret_lines->of[i]);
		else
			ret_lines->of[kept++] = ret_lines->of[i];
	ret_lines->count = kept;
}

void oracle_rules(struct text *rules, const struct want *want, const struct running *running, const char *user)
{
	struct lines lines = { 0 };
	char *rest = NULL, *line;

	EXPECT(strlen(rules->data) == rules->length && rules->data[0] == '#', "the first line of the rules");
	want_rules(want, running, user, &lines);
	line = strtok_r(rules->data, "\n", &rest);
	for (size_t i = 0; i < lines.count; i++) {
		line = strtok_r(NULL, "\n", &rest);
		EXPECT(line && strcmp(line, lines.of[i]) == 0, "the rule is '%s', not '%s'", line ? line : "", lines.of[i]);
		EXPECT(!strpbrk(strstr(line, "NOPASSWD:") + 9, "*?^![]=,:\\"), "a pattern: %s", line);
		free(lines.of[i]);
	}
	line = strtok_r(NULL, "\n", &rest);
	EXPECT(!line, "a rule too many: '%s'", line);
	free(lines.of);
}
