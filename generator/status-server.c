#include "status-server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>


/* --- words ----------------------------------------------------------------------------------------------- */

const char *status_word(const struct server_status *server)
{
	static const char *const words[] = {
		[UNIT_STOPPED] = "stopped", [UNIT_WAITING] = "waiting", [UNIT_STARTING] = "starting", [UNIT_RUNNING] = "running",
		[UNIT_RESTARTING] = "restarting", [UNIT_STOPPING] = "stopping", [UNIT_FAILED] = "failed",
	};
	bool is_down = server->state == UNIT_STOPPED || server->state == UNIT_FAILED;

	return server->refused && is_down ? "refused" : words[server->state];
}

/* --- one server ------------------------------------------------------------------------------------------ */

static const struct instance *find_row(const struct model *model, const char *name)
{
	const struct instance *row = model ? model_instance(model, name) : NULL;

	return row && model_counts(model, row) ? row : NULL;
}

/* What the server was started with, and what it would be started with, empty where nobody can tell. */
struct starts {
	const struct record *mounted;  /* whatever it says, or NULL */
	const struct started *then;    /* what it says of the start, or NULL */
	struct started next;
	const char *lacks;             /* the id of a layer that is not there, so that the next start would fail; or NULL */
};

static void starts_done(struct starts *starts)
{
	started_done(&starts->next);
}

static void read_starts(const struct status_sources *sources, const char *name, const char *unit, struct starts *ret_starts)
{
	const struct record *start = records_find_start(sources->records, name);

	ret_starts->mounted = records_find(sources->records, name);
	ret_starts->then = start ? &start->started : NULL;
	started_of_unit(unit ? unit : "", &ret_starts->next);
	look_see_layers(sources->look, &ret_starts->next);
	ret_starts->lacks = sources->look->complete ? started_unseen_layer(&ret_starts->next) : NULL;
	started_look_at_host_env(&ret_starts->next, sources->prefix);
}

static void set_port(struct server_status *server, const struct starts *starts, const struct look *look)
{
	const char *then = starts->then ? started_value(starts->then, STARTED_PORT) : NULL;
	const char *next = started_value(&starts->next, STARTED_PORT);
	cleanup_free char *pid = server->unit ? xasprintf("%ld", (long) server->unit->pid) : NULL;
	const struct found *found = pid ? look_find(look, FOUND_PORT, pid) : NULL;
	bool runs = server->state == UNIT_RUNNING;

	server->next_port = next ? xstrdup(next) : NULL;
	if (unit_is_up(server->unit) && then)
		server->port_source = PORT_OF_RECORD;
	else if (runs && found)
		server->port_source = PORT_OF_PROCESS;
	else if (!runs && next)
		server->port_source = PORT_OF_UNIT;
	if (server->port_source == PORT_OF_PROCESS)
		server->port = xasprintf("%" PRId64, found->number);
	else if (server->port_source != PORT_UNKNOWN)
		server->port = xstrdup(server->port_source == PORT_OF_RECORD ? then : next);
}

static void note_restart(struct server_status *server, const struct starts *starts, struct text *notes)
{
	struct text words = TEXT_EMPTY;

	if (server->state != UNIT_RUNNING || !server->has_unit || server->refused)
		return;
	if (!starts->then) {
		text_join(notes, "; ", "started without a record: what waits for a restart is unknown");
		return;
	}
	server->restart_known = true;
	if (started_compare(starts->then, &starts->next, &words)) {
		server->restart = text_take(&words);
		server->waits = true;
		text_join(notes, "; ", "restart: %s", server->restart);
		server->restart_fails = starts->lacks != NULL;
		if (starts->lacks)
			text_join(notes, "; ", "layer %s is missing, so it would fail", starts->lacks);
	}
	text_done(&words);
}

/* The record goes when the overlay is unmounted. */
static void note_mount(struct server_status *server, const struct starts *starts, struct text *notes)
{
	if (!starts->mounted || unit_is_up(server->unit))
		return;
	if (started_value(&starts->mounted->started, STARTED_UNIT))
		text_join(notes, "; ", "still mounted: systemctl start left4me-unmount");
	else
		text_join(notes, "; ", "mounted by hand: left4me-overlay umount %s", server->name);
	server->waits = true;
}

static void note_end(struct server_status *server, int64_t now, struct text *notes)
{
	const struct unit *unit = server->unit;
	bool is_over = server->state == UNIT_RESTARTING || server->state == UNIT_FAILED;
	bool is_loop = unit && unit_crashes(unit, now);
	cleanup_free char *end = unit && is_over ? unit_end(unit) : NULL;
	cleanup_free char *restarts = NULL;

	if (!unit || server->refused)
		return;
	server->waits |= is_over || is_loop;
	if (unit->restarts > 0)
		restarts = xasprintf("%" PRId64 " restart%s", unit->restarts, unit->restarts == 1 ? "" : "s");
	if (!restarts && strcmp(unit->result, "start-limit-hit") == 0)
		text_join(notes, "; ", "started too often: systemctl reset-failed " SERVER_UNIT "%s", server->name);
	else if (restarts && end)
		text_join(notes, "; ", "%s%s, the last: %s", server->state == UNIT_FAILED ? "given up after " : "", restarts, end);
	else if (restarts || end)
		text_join(notes, "; ", "%s", restarts ? restarts : end);
}

/* A reload starts nothing. It may be meant, so it does not wait for anybody. */
static void note_enabled(const struct server_status *server, struct text *notes)
{
	if (server->unit && server->unit->is_masked)
		text_join(notes, "; ", server->enabled ? "enabled, but masked" : "masked");
	else if (server->state == UNIT_STOPPED && server->enabled && !server->refused)
		text_join(notes, "; ", server->unit && server->unit->has_run ? "enabled, but stopped" : "enabled, not started");
}

/* It runs, and the last reload found no row of it; `model` is NULL where nobody can tell whether there is one now. */
static void note_row(struct server_status *server, const struct model *model, struct text *notes)
{
	if (server->has_unit || !unit_is_up(server->unit) || find_row(model, server->name))
		return;
	if (model && model_is_beyond(model, server->name))
		text_join(notes, "; ", "beyond [host] servers");
	else
		text_join(notes, "; ", model ? "not in the database" : "the last reload found no row of it");
	server->waits = true;
}

/* In words how the next unit differs from the last reload's, a row that comes or goes included. */
static void compare_units(const char *last, const char *next, bool is_beyond, bool drop_ins_unseen, struct text *out)
{
	cleanup_free char *was_refused = last ? started_refusal(last) : NULL, *refused = next ? started_refusal(next) : NULL;
	cleanup(started_done) struct started then = STARTED_EMPTY, now = STARTED_EMPTY;

	if (!last || !next)
		text_puts(out, last && is_beyond ? "beyond [host] servers" : last ? "row gone" : next ? "new row" : "");
	if (refused && (!was_refused || strcmp(refused, was_refused) != 0))
		text_join(out, ", ", "refused: %s", refused);
	if (!last || !next)
		return;
	if (was_refused && !refused)
		text_join(out, ", ", "accepted again");
	started_of_unit(last, &then);
	started_of_unit(next, &now);
	if (drop_ins_unseen) {
		started_forget_drop_ins(&then);
		started_forget_drop_ins(&now);
	}
	(void) started_compare(&then, &now, out);
}

/* What the rows say by now, and the last reload did not know. */
static void note_reload(struct server_status *server, const char *last, const struct status_sources *sources, struct text *notes)
{
	const struct collection *rows = sources->next;
	cleanup_free char *path = xasprintf(SERVER_UNIT "%s.service", server->name);
	const char *next = rows ? collection_text(rows, path) : NULL;
	cleanup_free char *refused = next ? started_refusal(next) : NULL;      /* then it is not enabled either */
	cleanup_text struct text words = TEXT_EMPTY;

	if (!rows)
		return;
	compare_units(last, next, sources->model && model_is_beyond(sources->model, server->name), sources->drop_ins_unseen, &words);
	if (last && next && server->enabled != collection_wants(rows, "left4me.target", path) && !refused)
		text_join(&words, ", ", server->enabled ? "no longer enabled" : "enabled");
	if (words.length == 0)
		return;
	server->reload = text_take(&words);
	server->waits = true;
	text_join(notes, "; ", "reload: %s", server->reload);
}

/* Nobody waits for that: the files may be meant. */
static void note_inherited(const struct server_status *server, const struct status_sources *sources, struct text *notes)
{
	const struct instance *row = find_row(sources->model, server->name);

	if (row && look_is_inherited(sources->look, server->name, row->created))
		text_join(notes, "; ", "runtime/%s is older than the row: files of an earlier server", server->name);
}

static bool is_enabled(const char *prefix, const char *name)
{
	cleanup_free char *link = xasprintf("%s" GENERATOR_DIRECTORY "/left4me.target.wants/" SERVER_UNIT "%s.service",
					    prefix, name);
	struct stat st;

	return lstat(link, &st) == 0;
}

void status_judge(const struct status_sources *sources, struct server_status *server, int64_t now)
{
	cleanup_free char *path = xasprintf("%s" GENERATOR_DIRECTORY "/" SERVER_UNIT "%s.service", sources->prefix, server->name);
	cleanup_free char *unit = text_of_file(AT_FDCWD, path);
	cleanup_free char *reason = unit ? started_refusal(unit) : NULL;
	cleanup(starts_done) struct starts starts;
	const struct found *size = look_find(sources->look, FOUND_RUNTIME_SIZE, server->name);
	cleanup_text struct text notes = TEXT_EMPTY;

	server->unit = units_find(sources->units, UNIT_SERVER, server->name);
	server->state = server->unit ? server->unit->state : UNIT_STOPPED;
	server->has_unit = unit != NULL;
	server->enabled = is_enabled(sources->prefix, server->name);
	server->refused = reason != NULL;
	server->waits = server->refused;
	server->size = size ? size->number : UNIT_UNKNOWN;
	read_starts(sources, server->name, unit, &starts);
	set_port(server, &starts, sources->look);
	if (reason)
		text_join(&notes, "; ", unit_is_up(server->unit) ? "refused: %s" : "%s", reason);
	note_row(server, sources->model, &notes);
	note_reload(server, unit, sources, &notes);
	note_enabled(server, &notes);
	note_restart(server, &starts, &notes);
	note_end(server, now, &notes);
	note_mount(server, &starts, &notes);
	note_inherited(server, sources, &notes);
	text_puts(&notes, "");
	server->note = text_take(&notes);
}

