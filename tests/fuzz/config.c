/*
 * Configuration files of any bytes: every value that comes of them is within its grammar, which is written here a
 * second time, the host's units made of them are their templates' (oracle.h), and so is the JSON document.
 * A line "--- FILE" begins another file below etc/left4me; what stands before it is left4me.conf.
 */
#include <regex.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"
#include "json.h"
#include "kept.h"
#include "oracle.h"
#include "render.h"
#include "systemd.h"

#define IN_PATH "[^/ %$\"'\\:[:cntrl:]]"
#define FIRST_IN_PATH "[^/. %$\"'\\:[:cntrl:]]"
#define PATH "(/(" FIRST_IN_PATH IN_PATH "*|[.]" FIRST_IN_PATH IN_PATH "*|[.][.]" IN_PATH "+))+"
#define LIST "[, \t]*([0-9]+(-[0-9]+)?([, \t]+[0-9]+(-[0-9]+)?)*|)[, \t]*"
#define V4 "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])([.](25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}"
#define V6 "[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
#define YES "yes|true|on|1|no|false|off|0"
#define SIZE "[0-9]{1,18}([.][0-9]{1,9})?[KMGT]?|infinity"

/* left4me.conf(5). */
static const struct {
	const char *pattern;
	long long min, max;            /* of a number at its start; both 0: any */
} grammar[] = {
	{ PATH, 0, 0 },
	{ "[a-z_][a-z0-9_-]{0,30}", 0, 0 },
	{ "[1-9][0-9]*", 1, 4294967294 },
	{ "[1-9][0-9]{0,3}|" LIST, 0, 0 },
	{ LIST, 0, 0 },
	{ YES, 0, 0 },
	{ "(" V4 "|\\[" V6 "\\]):[1-9][0-9]{0,4}", 0, 0 },
	{ "[1-9][0-9]*", 1, 1024 },
	{ "[1-9][0-9]{3,4}-[1-9][0-9]{3,4}", 1024, 65535 },
	{ SIZE, 0, 0 },
	{ "[1-9][0-9]*", 1, 4194304 },
	{ "-?[1-9][0-9]?|0", -20, 19 },
	{ "[0-9]{1,6}%", 1, 999999 },
	{ "[0-9]{1,9}(s|min|h)", 1, 365LL * 24 * 3600 },
	{ "[ \t]*((" V4 "|" V6 ")/[0-9]{1,3}([ \t]+|$))*", 0, 0 },
	{ "[0-9A-Za-z*:,./~ -]{0,100}", 0, 0 },
	{ "[]!#-&(-[^-~][] !#-&(-[^-~]*", 0, 0 },
	{ "[0-9A-Za-z_+-][0-9A-Za-z._+-]*( [] !#-&(-[^-~]*)?", 0, 0 },
};
enum kind { IS_PATH, IS_USER, IS_ID, IS_CPUS, IS_LIST, IS_YES, IS_BIND, IS_WORKERS, IS_PORTS, IS_SIZE, IS_TASKS, IS_NICE,
	    IS_QUOTA, IS_TIME, IS_ADDRESSES, IS_CALENDAR, IS_WORDS, IS_COMMAND, KINDS };

static void check(const char *value, enum kind kind, const char *key)
{
	static regex_t compiled[KINDS];
	static bool done[KINDS];
	long long number = strtoll(value, NULL, 10);

	if (!done[kind]) {
		cleanup_free char *whole = xasprintf("^(%s)$", grammar[kind].pattern);

		EXPECT(regcomp(&compiled[kind], whole, REG_EXTENDED | REG_NOSUB) == 0, "pattern %s", whole);
		done[kind] = true;
	}
	EXPECT(regexec(&compiled[kind], value, 0, NULL, 0) == 0, "%s is '%s'", key, value);
	EXPECT((!grammar[kind].min && !grammar[kind].max) || (number >= grammar[kind].min && number <= grammar[kind].max),
	       "%s is '%s'", key, value);
	EXPECT(strlen(value) < 200, "%s is longer than a line: %s", key, value);
}

#define CHECK(field, kind) check(config->field, kind, #field)

static void check_values(const struct config *config)
{
	CHECK(host.root, IS_PATH), CHECK(host.database, IS_PATH), CHECK(host.source, IS_PATH);
	CHECK(host.helpers, IS_PATH), CHECK(web.venv, IS_PATH), CHECK(build.resolv_conf, IS_PATH);
	CHECK(host.user, IS_USER), CHECK(host.group, IS_USER), CHECK(host.uid, IS_ID), CHECK(host.gid, IS_ID);
	CHECK(host.system_cpus, IS_LIST);
	CHECK(web.enabled, IS_YES), CHECK(game.strict_ports, IS_YES), CHECK(build.unix_sockets, IS_YES);
	CHECK(web.bind, IS_BIND), CHECK(web.workers, IS_WORKERS), CHECK(web.threads, IS_WORKERS);
	CHECK(web.memory_max, IS_SIZE);
	CHECK(game.ports, IS_PORTS), CHECK(game.memory_high, IS_SIZE), CHECK(game.memory_max, IS_SIZE);
	CHECK(game.tasks_max, IS_TASKS), CHECK(game.nice, IS_NICE), CHECK(build.memory_max, IS_SIZE);
	CHECK(build.tasks_max, IS_TASKS), CHECK(build.cpu_quota, IS_QUOTA), CHECK(build.timeout, IS_TIME);
	CHECK(build.denied_addresses, IS_ADDRESSES), CHECK(workshop.refresh, IS_CALENDAR);
	CHECK(web.application, IS_WORDS), CHECK(workshop.command, IS_COMMAND);
	CHECK(update.timeout, IS_TIME), CHECK(update.web_may_start, IS_YES);
	if (config->host.cpus)
		CHECK(host.cpus, IS_CPUS);
	if (config->reserved_cpus) {
		CHECK(reserved_cpus, IS_LIST), CHECK(game_cpus, IS_LIST);
		EXPECT(*config->reserved_cpus && *config->game_cpus, "no CPU for one of the two");
	}
	EXPECT(!config->reserved_cpus == !config->game_cpus, "half a pinning");
	EXPECT(config->port_first >= 1024 && config->port_first <= config->port_last && config->port_last <= 65535,
	       "ports %u-%u", config->port_first, config->port_last);
}

/* --- what is made of it ---------------------------------------------------------------------------------- */

/* Each line of the unit text stands in the document in its section; returns how many there are. */
static size_t find_lines(const struct json *document, const char *name, const struct unit *unit)
{
	const struct json *at = json_member(json_member(json_member(document, "systemd"), "units"), name);
	size_t count = 0;

	EXPECT(at, "%s is not in the document", name);
	for (size_t i = 0; i < unit->count; i++) {
		const struct entry *entry = &unit->entries[i];
		const struct json *value;
		size_t before = 0;

		if (*entry->key == '#')
			continue;
		value = json_member(json_member(at, entry->section), entry->key);
		for (size_t k = 0; k < i; k++)
			before += strcmp(unit->entries[k].section, entry->section) == 0 &&
				  strcmp(unit->entries[k].key, entry->key) == 0;
		EXPECT(value, "%s: no [%s] %s", name, entry->section, entry->key);
		if (value->kind == JSON_ARRAY)
			value = before < value->count ? &value->of[before] : NULL;
		EXPECT(value && value->kind == JSON_STRING && strcmp(value->text, entry->value) == 0, "%s: [%s] %s is not '%s'",
		       name, entry->section, entry->key, entry->value);
		count++;
	}
	return count;
}

/* As a document, through the program's own sink and a file. */
static struct json *make_document(const struct render_sources *sources)
{
	cleanup_free char *path = xasprintf("%s/document", fuzz_folder());
	cleanup_text struct text text = TEXT_EMPTY;
	struct report report = { 0 };
	struct sink *sink = sink_json(path, &report);
	struct json *document;
	FILE *file;

	EXPECT(sink && sink->finish(sink, render_host(sources, sink) == 0 && render_origin(sources, sink) == 0) == 0 &&
	       report.count == 0, "no document: %s", report.count ? report.lines[0] : "");
	file = fopen(path, "r");
	EXPECT(file, "no document");
	for (int c; (c = getc(file)) != EOF; )
		text_putc(&text, (char) c);
	(void) fclose(file);
	document = json_parse(text_string(&text));
	EXPECT(document, "no JSON: %s", text_string(&text));
	report_done(&report);
	return document;
}

static void check_units(const struct config *config, bool with_document)
{
	static const struct running running;
	static const struct model model;
	const struct render_sources sources = { config, &model, &running, ROWS_OMITTED, NULL };
	struct json *document = with_document ? make_document(&sources) : NULL;
	struct kept_sink kept;
	size_t lines = 0;

	kept_start(&kept);
	EXPECT(kept.sink.finish(&kept.sink, render_host(&sources, &kept.sink) == 0 &&
		       render_origin(&sources, &kept.sink) == 0) == 0, "the sink did not fail");
	for (size_t i = 0; i < kept.count; i++) {
		const struct kept *item = &kept.all[i];
		cleanup_free char *path = kept_path(item);
		struct unit unit;

		if (item->kind != KEPT_FILE) {
			lines++;
			continue;
		}
		oracle_unit(oracle_template(path), text_string(&item->text), item->text.length);
		(void) unit_parse(text_string(&item->text), item->text.length, &unit);
		lines += document ? find_lines(document, path, &unit) : 0;
		unit_done(&unit);
	}
	EXPECT(!document || json_leaves(document) == lines, "%zu values in the document, not %zu", json_leaves(document),
	       lines);
	json_free(document);
	kept_done(&kept);
}

/* --- files ----------------------------------------------------------------------------------------------- */

static const char *const names[] = {
	"left4me.conf", "host.env", "web.env", "left4me.conf.d/10.conf", "left4me.conf.d/20.conf",
};
static char *paths[ELEMENTS(names)];

static void make_place(void)
{
	cleanup_free char *etc = xasprintf("%s/etc", fuzz_folder()), *left4me = xasprintf("%s/left4me", etc);
	cleanup_free char *fragments = xasprintf("%s/left4me.conf.d", left4me);

	if (paths[0])
		return;
	EXPECT(mkdir(etc, 0755) == 0 && mkdir(left4me, 0755) == 0 && mkdir(fragments, 0755) == 0, "mkdir");
	for (size_t i = 0; i < ELEMENTS(names); i++)
		paths[i] = xasprintf("%s/%s", left4me, names[i]);
}

/* The file that the line names, or -1. */
static int file_of(const char *line, size_t length)
{
	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (length == 4 + strlen(names[i]) && strncmp(line, "--- ", 4) == 0 &&
		    strncmp(line + 4, names[i], strlen(names[i])) == 0)
			return (int) i;
	return -1;
}

static void write_files(const char *data, size_t size)
{
	struct text texts[ELEMENTS(names)];
	const char *end = data + size;
	int file = 0;

	for (size_t i = 0; i < ELEMENTS(names); i++)
		texts[i] = TEXT_EMPTY;
	while (data < end) {
		const char *stop = memchr(data, '\n', (size_t) (end - data));
		int other;

		stop = stop ? stop + 1 : end;
		other = file_of(data, (size_t) (stop - data) - (stop[-1] == '\n'));
		if (other >= 0)
			file = other;
		else
			text_append(&texts[file], data, (size_t) (stop - data));
		data = stop;
	}
	for (size_t i = 0; i < ELEMENTS(names); i++) {
		(void) unlink(paths[i]);
		if (texts[i].length > 0)
			fuzz_write(paths[i], texts[i].data, texts[i].length);
		text_done(&texts[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_source source = { .prefix = fuzz_folder(), .root_owned = geteuid() == 0, .on_target = true };
	int descriptor = fuzz_next_descriptor();
	struct report report = { 0 };
	struct config config;

	make_place();
	write_files((const char *) data, size);
	config_load(&source, &report, &config);
	EXPECT(fuzz_next_descriptor() == descriptor, "a descriptor is left open");
	for (size_t i = 0; i < report.count && i < REPORT_LINES_MAX; i++)
		EXPECT(is_printable(report.lines[i], strlen(report.lines[i])), "reported: %s", report.lines[i]);
	check_values(&config);
	check_units(&config, report.problems == 0 && size % 16 == 0);  /* the document takes long */
	report_done(&report);
	config_done(&config);
	return 0;
}
