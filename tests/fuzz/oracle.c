#include "oracle.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"
#include "kept.h"
#include "model.h"
#include "render.h"
#include "systemd.h"
#include "want.h"

static const char *const files[ORACLE_HOSTS] = {
	"",
	"[host]\nroot=/data/l4d\ndatabase=/data/x.db\nhelpers=/srv/h\nuser=games\ngroup=_g\ncpus=8\nsystem_cpus=0,4\n"
	"[web]\nenabled=no\n[game]\nports=1024-65535\nstrict_ports=yes\n"
	"[build]\nunix_sockets=yes\ndenied_addresses=203.0.113.7/32\n[workshop]\nrefresh=\n",
};

/* A host and what it looks like with rows that hold nothing to escape. */
static struct host {
	struct config config;
	struct kept_sink own;          /* what is made of the host alone */
	struct unit server, refused_server, build, refused_build;
} hosts[ORACLE_HOSTS];

/* One rendering of rows; the run of the real program but for reading and writing. */
struct rendered {
	struct report report;
	struct model model;
	struct kept_sink kept;
};

static void push(const struct render_sources *sources, struct kept_sink *ret_kept)
{
	kept_start(ret_kept);
	EXPECT(ret_kept->sink.finish(&ret_kept->sink, render_host(sources, &ret_kept->sink) == 0 &&
		       render_origin(sources, &ret_kept->sink) == 0 &&
		       (sources->origin == ROWS_OMITTED || render_rows(sources, &ret_kept->sink) == 0)) == 0, "the sink did not fail");
}

static void show_rows(const struct host *host, const struct rows *rows, const struct running *running,
			struct rendered *ret_rendered)
{
	struct rendered *r = ret_rendered;

	*r = (struct rendered){ .report = { 0 } };
	model_build(&host->config, rows, &r->report, &r->model);
	push(&(struct render_sources){ &host->config, &r->model, running, ROWS_DATABASE, NULL }, &r->kept);
}

static void rendered_done(struct rendered *rendered)
{
	kept_done(&rendered->kept);
	model_done(&rendered->model);
	report_done(&rendered->report);
}

/* What stands between the two in a unit's name, and its length; NULL for another unit. */
static const char *instance_of(const char *name, const char *kind, size_t *ret_length)
{
	size_t before = strlen(kind), behind = strlen(".service"), length = strlen(name);

	if (length <= before + behind || strncmp(name, kind, before) != 0 ||
	    strcmp(name + length - behind, ".service") != 0)
		return NULL;
	*ret_length = length - before - behind;
	return name + before;
}

/* --- the host's own -------------------------------------------------------------------------------------- */

static void parse(const struct kept *file, struct unit *ret_unit)
{
	EXPECT(unit_parse(text_string(&file->text), file->text.length, ret_unit), "systemd would not take %s:\n%s", file->name,
	       text_string(&file->text));
}

static struct rows harmless_rows(void)
{
	struct text out = TEXT_EMPTY;
	struct rows rows;

	text_puts(&out, ROWS_HEADER);
	rows_put_view(&out, VIEW_INSTANCES);
	for (const char *const *row = (const char *const[]){ "a", "27015", "b", "x", NULL }; *row; row += 2) {
		rows_put_value(&out, VALUE_TEXT, row[0], 1);
		rows_put_value(&out, VALUE_INTEGER, row[0][0] == 'a' ? row[1] : "0", row[0][0] == 'a' ? 5 : 1);
		rows_put_value(&out, VALUE_TEXT, "", 0);
		rows_put_value(&out, VALUE_INTEGER, "0", 1);
		rows_put_value(&out, VALUE_NULL, "", 0);
	}
	rows_put_view(&out, VIEW_LAYERS);
	rows_put_view(&out, VIEW_OVERLAYS);
	for (const char *id = "12"; *id; id++) {
		rows_put_value(&out, VALUE_INTEGER, id, 1);
		rows_put_value(&out, *id == '1' ? VALUE_TEXT : VALUE_NULL, "", 0);
		rows_put_value(&out, VALUE_INTEGER, "9", 1);
	}
	rows_put_end(&out);
	EXPECT(rows_take(&out, &rows), "rows of the oracle's own");
	return rows;
}

static void keep_harmless(struct host *host, const struct kept *file)
{
	static const char *const names[] = { "left4me-server@a.service", "left4me-server@b.service",
					     "build-overlay@1.service", "build-overlay@2.service" };
	struct unit *units[] = { &host->server, &host->refused_server, &host->build, &host->refused_build };

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (file->kind == KEPT_FILE && strcmp(file->name, names[i]) == 0)
			parse(file, units[i]);
}

static void load_config(const char *text, struct config *ret_config)
{
	cleanup_close int fd = memfd_create("left4me.conf", MFD_CLOEXEC);
	cleanup_free char *path = xasprintf("/proc/self/fd/%d", fd);
	struct config_source source = { .prefix = "", .path = path };
	struct report report = { 0 };

	EXPECT(fd >= 0 && write_all(fd, text, strlen(text)) == 0, "cannot write %s", path);
	config_load(&source, &report, ret_config);
	EXPECT(report.problems == 0, "configuration of the oracle's own");
	report_done(&report);
}

/* Without a model, as the units of a host are made that has no database. */
static void render_own(struct host *host)
{
	static const struct model no_rows;
	static const struct running nothing_runs;

	push(&(struct render_sources){ &host->config, &no_rows, &nothing_runs, ROWS_OMITTED, NULL }, &host->own);
	for (size_t i = 0; i < host->own.count; i++) {
		const struct kept *item = &host->own.all[i];
		cleanup_free char *unit = kept_path(item);

		EXPECT(item->tree == TREE_UNITS, "%s is no unit", unit);
		if (item->kind == KEPT_FILE)
			oracle_unit(oracle_template(unit), text_string(&item->text), item->text.length);
	}
}

/* Made once. What the harmless rows look like is what tests/cases show. */
static const struct host *host_get(unsigned number)
{
	struct host *host = &hosts[number % ORACLE_HOSTS];
	static const struct running running;
	struct rendered rendered;
	struct rows rows;

	if (host->own.count > 0)
		return host;
	load_config(files[number % ORACLE_HOSTS], &host->config);
	render_own(host);
	rows = harmless_rows();
	show_rows(host, &rows, &running, &rendered);
	for (size_t i = 0; i < rendered.kept.count; i++)
		keep_harmless(host, &rendered.kept.all[i]);
	rendered_done(&rendered);
	rows_done(&rows);
	return host;
}

/* Whether this is the next of the host's own, which then is the same whatever the rows are. */
static bool is_own(const struct host *host, size_t number, const struct kept *item)
{
	const struct kept *known = &host->own.all[number];

	if (number >= host->own.count || item->kind != known->kind || item->tree != known->tree ||
	    strcmp(item->directory, known->directory) != 0 || strcmp(item->name, known->name) != 0)
		return false;
	EXPECT(item->mode == known->mode && item->keep == known->keep, "%s depends on the rows", item->name);
	EXPECT(item->text.length == known->text.length &&
	       strcmp(text_string(&item->text), text_string(&known->text)) == 0,
	       "the text of %s depends on the rows:\n%s", item->name, text_string(&item->text));
	return true;
}

/* --- units of rows --------------------------------------------------------------------------------------- */

/* The one word that systemd reads in the line, specifiers expanded. */
static char *one_word(const char *line, const char *instance)
{
	struct words words;
	char *word;

	EXPECT(words_split(line, WORDS_OF_LINE, &words) && words.count == 1, "%zu words in: %s", words.count, line);
	word = specifiers_expand(words.of[0], instance);
	EXPECT(word, "a specifier in: %s", line);
	words_done(&words);
	return word;
}

/* The words behind +hostport are the row's: its port, and its arguments, which are split at blanks. */
static void check_arguments(const char *line, const struct want_instance *want)
{
	const char *next = want->arguments;
	struct words words;

	EXPECT(words_split(line, WORDS_OF_LINE, &words) && words.count > 0, "not words: %s", line);
	EXPECT(strcmp(words.of[0], want->port) == 0, "port: %s", line);
	for (size_t i = 1; i < words.count; i++) {
		cleanup_free char *word = specifiers_expand(words.of[i], want->name);
		size_t length;

		next += strspn(next, " ");
		length = strcspn(next, " ");
		EXPECT(*next && word && strncmp(word, next, length) == 0 && !word[length],
		       "word %zu is '%s', not what stands in '%s'", i, words.of[i], want->arguments);
		next += length;
	}
	EXPECT(!next[strspn(next, " ")], "after %zu words arguments are left: '%s'", words.count, next);
	words_done(&words);
}

static void check_layers(const char *value, const struct want_instance *want)
{
	for (size_t i = 0; i < want->layer_count; i++) {
		char *end;

		EXPECT(strtoll(value, &end, 10) == want->layers[i].overlay && *end == ' ', "layer %zu: %s", i, value);
		value = end + 1;
	}
	EXPECT(strcmp(value, "installation") == 0, "layers end with: %s", value);
}

/* What systemd shows as the description is `start` and, of a refused row, its reason; the same reason is in the log. */
static void check_refusal(const char *shown, const char *start, const char *reason)
{
	cleanup_free char *begin = xasprintf("%s, refused: ", start);

	EXPECT(strncmp(shown, begin, strlen(begin)) == 0 && strcmp(shown + strlen(begin), reason) == 0,
	       "'%s' does not say '%s'", shown, reason);
	EXPECT(is_printable(reason, strlen(reason)) && *reason, "the reason is '%s'", reason);
}

/* Where the unit differs from one of a harmless row: the three places that hold what a user wrote. */
struct places {
	char *description, *reason;
	const char *layers, *game;     /* what stands behind "%i" and behind "+hostport" */
};

/*
 * What the unit says of a start is hashes, and the same as in others but for the row's port and arguments. Returns the
 * layers, which stand behind it.
 */
static const char *compare_started(const char *value, const char *known)
{
	static const char option[] = " --started=port=", arguments[] = ",arguments=", instance[] = " %i ";
	const char *a = strstr(value, option), *b = strstr(known, option);
	size_t port, digits, common;

	EXPECT(a && b && a - value == b - known && strncmp(value, known, (size_t) (a - value)) == 0, "%s", value);
	a += strlen(option);
	b += strlen(option);
	port = strspn(a, "0123456789");
	EXPECT(port > 0 && strncmp(a + port, arguments, strlen(arguments)) == 0, "%s", value);
	a += port + strlen(arguments);
	b += strspn(b, "0123456789") + strlen(arguments);
	digits = strspn(a, "0123456789abcdef");
	common = (size_t) (strstr(b, instance) - b) + strlen(instance);
	EXPECT(digits == 16 && strncmp(a + digits, b + digits, common - digits) == 0, "%s, known is %s", value, known);
	return a + common;
}

/* What stands behind "+hostport" in a line of ExecStart= that is the same as others' before; NULL in another line. */
static const char *behind_hostport(const char *value, const char *known)
{
	static const char option[] = " +hostport ";
	const char *found = strstr(known, option);
	size_t length = found ? (size_t) (found - known) + strlen(option) : 0;

	EXPECT(!found || (value[0] == ':' && strncmp(value, known, length) == 0), "%s, known is %s", value, known);
	return found ? value + length : NULL;
}

static void compare_unit(const struct unit *unit, const struct unit *known, const char *instance, struct places *places)
{
	static const char echo[] = ":/bin/echo ";

	EXPECT(unit->count == known->count, "%zu lines instead of %zu in the unit of '%s'", unit->count, known->count, instance);
	for (size_t i = 0; i < unit->count; i++) {
		const struct entry *a = &unit->entries[i], *b = &known->entries[i];

		EXPECT(strcmp(a->section, b->section) == 0 && strcmp(a->key, b->key) == 0, "[%s] %s=%s in the unit of '%s'",
		       a->section, a->key, a->value, instance);
		if (strcmp(a->key, "Description") == 0) {
			places->description = specifiers_expand(a->value, instance);
			EXPECT(places->description, "a specifier in: %s", a->value);
		} else if (strcmp(a->key, "ExecStart") == 0 && strstr(b->value, " +hostport "))
			places->game = behind_hostport(a->value, b->value);
		else if (strstr(b->value, " --started="))
			places->layers = compare_started(a->value, b->value);
		else if (strncmp(b->value, echo, strlen(echo)) == 0) {
			EXPECT(strncmp(a->value, echo, strlen(echo)) == 0, "%s=%s", a->key, a->value);
			places->reason = one_word(a->value + strlen(echo), instance);
		} else
			EXPECT(strcmp(a->value, b->value) == 0, "[%s] %s=%s in the unit of '%s'", a->section, a->key,
			       a->value, instance);
	}
}

static void check_server(const struct host *host, const struct kept *file, const struct want_instance *want)
{
	cleanup_free char *start = xasprintf("Left 4 Dead 2 server %s", want->name);
	struct places places = { 0 };
	struct unit unit;

	parse(file, &unit);
	compare_unit(&unit, want->refused ? &host->refused_server : &host->server, want->name, &places);
	EXPECT(places.game && !places.layers == want->refused, "a line is missing in '%s'", places.description);
	if (want->refused) {
		EXPECT(strcmp(places.game, "0") == 0, "a refused server's port: %s", places.game);
		check_refusal(places.description, start, places.reason);
	} else {
		EXPECT(strcmp(places.description, start) == 0, "'%s'", places.description);
		check_arguments(places.game, want);
		check_layers(places.layers, want);
	}
	free(places.description);
	free(places.reason);
	unit_done(&unit);
}

static void check_build(const struct host *host, const struct kept *file, const struct want_overlay *want)
{
	cleanup_free char *start = xasprintf("Build of overlay %s", want->id);
	cleanup_free char *good = xasprintf("%s, \"%s\"", start, want->name);
	struct places places = { 0 };
	struct unit unit;

	parse(file, &unit);
	compare_unit(&unit, want->refused ? &host->refused_build : &host->build, want->id, &places);
	if (want->refused)
		check_refusal(places.description, start, places.reason);
	else
		EXPECT(strcmp(places.description, good) == 0, "'%s', not '%s'", places.description, good);
	free(places.description);
	free(places.reason);
	unit_done(&unit);
}

/* --- all of it ------------------------------------------------------------------------------------------- */

struct counts {
	size_t own, servers, links, builds, rules, directories;
};

/* A file of the units' directory is one of a server or build that is wanted. */
static void check_unit(const struct host *host, const struct kept *file, const struct want *want, struct counts *counts)
{
	size_t length;
	const char *server = instance_of(file->name, "left4me-server@", &length);
	const char *build = server ? NULL : instance_of(file->name, "build-overlay@", &length);
	const struct want_instance *instance = server ? want_server(want, server, length) : NULL;
	const struct want_overlay *overlay = build ? want_build(want, build, length) : NULL;

	EXPECT(instance || (overlay && overlay->has_script), "a file %s", file->name);
	EXPECT(file->mode == 0644 && !file->keep && !*file->directory, "%s has mode %o", file->name, (unsigned) file->mode);
	if (instance)
		check_server(host, file, instance);
	else
		check_build(host, file, overlay);
	counts->servers += instance != NULL;
	counts->builds += overlay != NULL;
}

static void check_link(const struct kept *link, const struct want *want)
{
	size_t length;
	const char *server = instance_of(link->name, "left4me-server@", &length);
	const char *name = server ? server : instance_of(link->name, "left4me-queue@", &length);
	const struct want_instance *instance = name ? want_server(want, name, length) : NULL;

	EXPECT(instance && instance->enabled && !instance->refused && link->tree == TREE_UNITS &&
	       strcmp(link->directory, server ? "left4me.target.wants" : "left4me-queue.target.wants") == 0, "a link %s", link->name);
}

static void check_item(const struct host *host, struct kept *item, const struct want *want, const struct running *running,
		       struct counts *counts)
{
	if (is_own(host, counts->own, item))
		counts->own++;
	else if (item->kind == KEPT_LINK) {
		check_link(item, want);
		counts->links++;
	} else if (item->kind == KEPT_DIRECTORY) {
		EXPECT(item->tree == TREE_STATE && !*item->directory &&
		       (strcmp(item->name, "root") == 0 || strcmp(item->name, "mounted") == 0), "a directory %s/%s",
		       item->directory, item->name);
		counts->directories++;
	} else if (item->tree == TREE_UNITS)
		check_unit(host, item, want, counts);
	else {
		EXPECT(item->mode == 0440 && !item->keep && strcmp(item->directory, "sudoers.d") == 0 &&
		       strcmp(item->name, "left4me") == 0, "rules in %s/%s", item->directory, item->name);
		oracle_rules(&item->text, want, running, host->config.host.user);
		counts->rules++;
	}
}

static void check_counts(const struct host *host, const struct want *want, const struct counts *counts)
{
	size_t links = 0, builds = 0;

	for (size_t i = 0; i < want->instance_count; i++)
		links += 2 * (want->instances[i].enabled && !want->instances[i].refused);
	for (size_t i = 0; i < want->overlay_count; i++)
		builds += want->overlays[i].has_script;
	EXPECT(counts->own == host->own.count, "%zu of %zu of the host's own", counts->own, host->own.count);
	EXPECT(counts->servers == want->instance_count && counts->links == links && counts->builds == builds &&
	       counts->rules == 1 && counts->directories == 2,
	       "%zu servers, %zu links, %zu builds; wanted are %zu, %zu, %zu", counts->servers, counts->links,
	       counts->builds, want->instance_count, links, builds);
}

static void check_report(const struct rendered *rendered, const struct want *want)
{
	bool refused = false;

	for (size_t i = 0; i < rendered->report.count && i < REPORT_LINES_MAX; i++)
		EXPECT(is_printable(rendered->report.lines[i], strlen(rendered->report.lines[i])), "reported: %s", rendered->report.lines[i]);
	for (size_t i = 0; i < want->instance_count; i++)
		refused |= want->instances[i].refused;
	for (size_t i = 0; i < want->overlay_count; i++)
		refused |= want->overlays[i].refused;
	EXPECT(!refused || rendered->model.refused > 0, "a refused row is not counted");
	EXPECT((rendered->model.refused > 0) == (rendered->report.problems > 0), "%zu refused, %zu reported", rendered->model.refused,
	       rendered->report.problems);
}

void oracle_rows(const struct rows *rows, const struct running *running, unsigned number)
{
	const struct host *host = host_get(number);
	struct counts counts = { 0 };
	struct rendered rendered;
	struct want want;

	want_rows(rows, (long) host->config.port_first, (long) host->config.port_last, &want);
	show_rows(host, rows, running, &rendered);
	for (size_t i = 0; i < rendered.kept.count; i++)
		check_item(host, &rendered.kept.all[i], &want, running, &counts);
	check_counts(host, &want, &counts);
	check_report(&rendered, &want);
	rendered_done(&rendered);
	want_done(&want);
}
