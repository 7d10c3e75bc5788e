#include "fuzz.h"
#include "oracle.h"
#include "systemd.h"

const char *oracle_template(const char *path)
{
	static const char *const table[][2] = {
		{ "left4me-server@.service", "server.service" },
		{ "left4me-server@.service.d/10-hardening.conf", "server-hardening.conf" },
		{ "left4me-queue@.service", "turn.service" },
		{ "left4me-queue.service", "queue.service" },
		{ "left4me-queue.target", "queue.target" },
		{ "left4me-unmount.service", "unmount.service" },
		{ "left4me-unmount.target", "unmount.target" },
		{ "left4me-collect.service", "collect.service" },
		{ "build-overlay@.service", "build.service" },
		{ "build-overlay@.service.d/10-hardening.conf", "build-hardening.conf" },
		{ "left4me-reload.service.d/10-slow.conf", "reload-slow.conf" },
		{ "system.slice.d/10-left4me-cpuset.conf", "reserved-cpus.conf" },
		{ "user.slice.d/10-left4me-cpuset.conf", "reserved-cpus.conf" },
		{ "left4me-web.service.d/10-hardening.conf", "web-hardening.conf" },
		{ "left4me-workshop-refresh.service.d/10-hardening.conf", "workshop-refresh-hardening.conf" },
		{ "left4me-web.service", "web.service" },
		{ "left4me-activate.service", "activate.service" },
		{ "left4me-activate.timer", "activate.timer" },
		{ "left4me-reload.service", "reload.service" },
		{ "left4me-stop.service", "stop.service" },
		{ "left4me-resume.service", "resume.service" },
		{ "left4me-check.service", "check.service" },
		{ "left4me-check.timer", "check.timer" },
		{ "left4me-workshop-refresh.service", "workshop-refresh.service" },
		{ "left4me-update.service", "update.service" },
		{ "left4me-update.service.d/10-hardening.conf", "update-hardening.conf" },
		{ "left4me-workshop-refresh.timer", "workshop-refresh.timer" },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++)
		if (strcmp(table[i][0], path) == 0)
			return table[i][1];
	return path;
}

/* The length of "@NAME@" at s, or 0. */
static size_t placeholder_length(const char *s)
{
	size_t length = *s == '@' ? strspn(s + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;

	return length > 0 && s[1 + length] == '@' ? length + 2 : 0;
}

static bool has_placeholder(const char *s)
{
	for (; *s; s++)
		if (placeholder_length(s))
			return true;
	return false;
}

/* Whether `value` is `pattern` with something for each placeholder. */
static bool matches(const char *pattern, const char *value)
{
	for (; *pattern && !placeholder_length(pattern); pattern++, value++)
		if (*pattern != *value)
			return false;
	if (!*pattern)
		return !*value;
	pattern += placeholder_length(pattern);
	do
		if (matches(pattern, value))
			return true;
	while (*value++);
	return false;
}

/* The source itself, not what templates/compile.awk made of it. TEMPLATES is its directory (tests/fuzz/build). */
static void read_template(const char *name, struct unit *ret_unit)
{
	cleanup_free char *path = xasprintf(TEMPLATES "/%s", name);
	cleanup_text struct text text = TEXT_EMPTY;
	FILE *file = fopen(path, "r");

	EXPECT(file, "which template is %s made of? oracle_template() does not know", name);
	for (int c; (c = getc(file)) != EOF; )
		text_putc(&text, (char) c);
	(void) fclose(file);
	EXPECT(unit_parse(text.data, text.length, ret_unit), "template %s", name);
}

static const struct unit *template_get(const char *name)
{
	static struct {
		char *name;
		struct unit unit;
	} known[64];
	size_t i = 0;

	for (; known[i].name; i++)
		if (strcmp(known[i].name, name) == 0)
			return &known[i].unit;
	EXPECT(i + 1 < ELEMENTS(known), "more than %zu templates", i);
	read_template(name, &known[i].unit);
	known[i].name = xstrdup(name);
	return &known[i].unit;
}

static bool is_entry(const struct entry *known, const struct entry *entry)
{
	return strcmp(entry->section, known->section) == 0 && strcmp(entry->key, known->key) == 0 &&
	       matches(known->value, entry->value);
}

/* A line with a placeholder may be gone or repeated, any other stands there once. */
static bool fits(const struct unit *known, size_t i, const struct unit *unit, size_t at)
{
	if (i == known->count)
		return at == unit->count;
	if (has_placeholder(known->entries[i].value) && fits(known, i + 1, unit, at))
		return true;
	if (at == unit->count || !is_entry(&known->entries[i], &unit->entries[at]))
		return false;
	return fits(known, has_placeholder(known->entries[i].value) ? i : i + 1, unit, at + 1);
}

void oracle_unit(const char *template, const char *text, size_t length)
{
	const struct unit *known = template_get(template);
	struct unit unit;

	EXPECT(unit_parse(text, length, &unit), "systemd would not take %s:\n%s", template, text);
	EXPECT(fits(known, 0, &unit, 0), "this is not the template %s:\n%s", template, text);
	unit_done(&unit);
}
