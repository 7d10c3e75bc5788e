#include "fuzz.h"
#include "oracle.h"
#include "want.h"

#define JOURNAL "/usr/bin/journalctl --no-pager -a -o json -n "

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

/* What may be stopped and its log read; `counts`: also started, as its row counts. */
struct ruled {
	const char *name;
	bool counts;
};

static int compare_ruled(const void *a, const void *b)
{
	return strcmp(((const struct ruled *) a)->name, ((const struct ruled *) b)->name);
}

/* By name, each once: of what runs and has a row the row counts. */
static size_t merge_ruled(struct ruled *ruled, size_t count)
{
	size_t kept = 0;

	qsort(ruled, count, sizeof(*ruled), compare_ruled);
	for (size_t i = 0; i < count; i++)
		if (kept > 0 && strcmp(ruled[kept - 1].name, ruled[i].name) == 0)
			ruled[kept - 1].counts |= ruled[i].counts;
		else
			ruled[kept++] = ruled[i];
	return kept;
}

/* One kind of rule for unit after unit. */
static void add_each(struct lines *lines, const char *user, const struct ruled *ruled, size_t count,
		     const char *before, const char *behind, bool to_start)
{
	for (size_t i = 0; i < count; i++)
		if (ruled[i].counts || !to_start)
			add_rule(lines, user, "%s%s%s", before, ruled[i].name, behind);
}

static void add_servers(struct lines *lines, const char *user, const struct ruled *ruled, size_t count)
{
	add_each(lines, user, ruled, count, "/usr/bin/systemctl start left4me-server@", ".service", true);
	add_each(lines, user, ruled, count, "/usr/bin/systemctl restart left4me-server@", ".service", true);
	add_each(lines, user, ruled, count, "/usr/bin/systemctl reset-failed left4me-server@", ".service", true);
	add_each(lines, user, ruled, count, "/usr/bin/systemctl stop left4me-server@", ".service", false);
	add_each(lines, user, ruled, count, JOURNAL "200 -u left4me-server@", ".service", false);
	add_each(lines, user, ruled, count, JOURNAL "200 -u left4me-server@", ".service -f", false);
	add_each(lines, user, ruled, count, JOURNAL "all -u left4me-server@", ".service -f", false);
}

static void add_builds(struct lines *lines, const char *user, const struct ruled *ruled, size_t count)
{
	add_each(lines, user, ruled, count, "/usr/bin/systemctl start build-overlay@", ".service", true);
	add_each(lines, user, ruled, count, "/usr/bin/systemctl stop build-overlay@", ".service", false);
	add_each(lines, user, ruled, count, JOURNAL "200 -u build-overlay@", ".service", false);
	add_each(lines, user, ruled, count, JOURNAL "200 -u build-overlay@", ".service -f", false);
	add_each(lines, user, ruled, count, JOURNAL "all -u build-overlay@", ".service -f", false);
}

/* In the order of templates/left4me.sudoers, within each line by name. */
static void want_rules(const struct want *want, const struct running *running, const char *user, struct lines *ret_lines)
{
	cleanup_free struct ruled *servers = xcalloc(want->instance_count + running->server_count + 1, sizeof(*servers));
	cleanup_free struct ruled *builds = xcalloc(want->overlay_count + running->build_count + 1, sizeof(*builds));
	size_t server_count = 0, build_count = 0;

	for (size_t i = 0; i < want->instance_count; i++)
		servers[server_count++] = (struct ruled){ want->instances[i].name, !want->instances[i].refused };
	for (size_t i = 0; i < running->server_count; i++)
		servers[server_count++] = (struct ruled){ running->servers[i], false };
	for (size_t i = 0; i < want->overlay_count; i++)
		if (want->overlays[i].has_script)
			builds[build_count++] = (struct ruled){ want->overlays[i].id, !want->overlays[i].refused };
	for (size_t i = 0; i < running->build_count; i++)
		builds[build_count++] = (struct ruled){ running->builds[i], false };
	add_rule(ret_lines, user, "/usr/bin/systemctl restart left4me-reload.service");
	add_rule(ret_lines, user, "/usr/bin/systemctl start left4me-check.service");
	add_servers(ret_lines, user, servers, merge_ruled(servers, server_count));
	add_builds(ret_lines, user, builds, merge_ruled(builds, build_count));
}

void oracle_rules(struct text *rules, const struct want *want, const struct running *running, const char *user)
{
	struct lines lines = { 0 };
	char *rest = NULL, *line;

	EXPECT(text_string(rules)[0] == '#', "the first line of the rules");
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
