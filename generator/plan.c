#include "plan.h"

#include "plan-files.h"

/* --- what runs ------------------------------------------------------------------------------------------- */

/* NULL where systemd has not loaded it, and where nothing runs. */
static const struct unit *find_unit(const struct plan_sources *sources, const char *unit)
{
	enum unit_kind kind = UNIT_OF_HOST;
	cleanup_free char *name = unit_instance(unit, &kind);

	return sources->units ? units_find(sources->units, kind, name ? name : unit) : NULL;
}

static bool runs(const struct plan_sources *sources, const char *unit)
{
	return unit_is_up(find_unit(sources, unit));
}

/* And has not failed either. Somebody has to start it: nothing but the boot starts what is wanted. */
static bool never_ran(const struct plan_sources *sources, const char *unit)
{
	const struct unit *found = find_unit(sources, unit);

	return sources->units && (!found || (found->state == UNIT_STOPPED && !found->has_run));
}

/* Whether the boot starts it. */
static bool is_wanted(const struct collection *collection, const char *unit)
{
	return collection_wants(collection, "left4me.target", unit) || collection_wants(collection, "timers.target", unit);
}

/* --- servers --------------------------------------------------------------------------------------------- */

struct planning {
	const struct plan_sources *sources;
	struct plan *plan;
	bool common_is_said;
	char *records;                 /* their directory */
	unsigned *ports;               /* of each unit of the sources, what its record says; 0 where it is down or has none */
};

static struct change *add_change(struct plan *plan, enum plan_kind kind, char sign, const char *name, const char *unit)
{
	struct change *change;

	plan->changes = grow_array(plan->changes, plan->count, sizeof(*plan->changes));
	change = &plan->changes[plan->count++];
	*change = (struct change){
		.kind = kind, .sign = sign, .name = xstrdup(name), .unit = unit ? xstrdup(unit) : NULL, .is_shown = true,
	};
	return change;
}

struct server {
	const char *name;
	char *unit;
	const char *old, *new;         /* texts; NULL: no such unit */
	bool was_wanted, is_wanted, runs, has_record, never_ran;
	bool is_started;               /* it runs, and not on the way to its next start, which comes by itself */
	struct started then, now;      /* what it was started with, or would be without this reload; and would be with it */
	char *refused;                 /* why, of the new one */
};

static void server_done(struct server *server)
{
	free(server->unit);
	free(server->refused);
	started_done(&server->then);
	started_done(&server->now);
}

static void look_at_server(const struct planning *planning, const char *name, struct server *ret_server)
{
	const struct plan_sources *sources = planning->sources;
	struct server server = { .name = name, .unit = xasprintf(SERVER_UNIT "%s.service", name) };
	const struct unit *unit;

	server.old = collection_text(sources->old, server.unit);
	server.new = collection_text(sources->new, server.unit);
	server.was_wanted = is_wanted(sources->old, server.unit);
	server.is_wanted = is_wanted(sources->new, server.unit);
	server.refused = server.new ? started_refusal(server.new) : NULL;
	server.never_ran = never_ran(sources, server.unit);
	unit = find_unit(sources, server.unit);
	server.runs = unit_is_up(unit);
	started_of_unit(server.new ? server.new : "", &server.now);
	started_look_at_host_env(&server.now, sources->prefix);
	server.then = STARTED_EMPTY;
	server.has_record = server.runs && started_read_start(planning->records, name, &server.then);
	server.is_started = server.has_record || (unit && unit->state == UNIT_RUNNING);
	if (server.has_record)
		look_see_layers(sources->look, &server.now);
	else
		started_of_unit(server.old ? server.old : "", &server.then);
	*ret_server = server;
}

/* Another server that was started with the port which this one's next start takes: that fails until the other has let go of it. */
static char *holder_of_port(const struct planning *planning, const struct server *server)
{
	const char *port = started_value(&server->now, STARTED_PORT);
	const struct units *units = planning->sources->units;

	for (size_t i = 0; port && units && i < units->count; i++)
		if (planning->ports[i] == strtoul(port, NULL, 10) && strcmp(units->units[i].name, server->name) != 0)
			return xstrdup(units->units[i].name);
	return NULL;
}

static void read_ports(struct planning *planning)
{
	const struct units *units = planning->sources->units;

	planning->ports = xcalloc(units ? units->count + 1 : 1, sizeof(*planning->ports));
	for (size_t i = 0; units && i < units->count; i++)
		if (units->units[i].kind == UNIT_SERVER && unit_is_up(&units->units[i]))
			planning->ports[i] = started_recorded_port(planning->records, units->units[i].name);
}

/* What all servers have in common is said once. */
static void forget(struct started *started, const char *key)
{
	for (size_t i = 0; i < started->count; i++)
		if (strcmp(started->items[i].key, key) == 0)
			started->items[i].key[0] = '\0';
}

/* A server that runs and has no row any more; or that starts no more, or never has. */
static bool plan_presence(struct planning *planning, const struct server *server)
{
	cleanup_free char *was_refused = server->old ? started_refusal(server->old) : NULL;
	struct change *change;

	if (!server->new) {
		change = add_change(planning->plan, PLAN_SERVER, '-', server->name, server->unit);
		change->text = xasprintf("%s%s", model_is_beyond(planning->sources->model, server->name) ? "beyond [host] servers" : "row gone",
					 server->runs ? ": runs on until it is stopped" : "");
		change->action = server->runs ? PLAN_STOP : PLAN_NONE;
		return true;
	}
	if (server->refused) {
		if (was_refused && strcmp(was_refused, server->refused) == 0 && !server->runs)
			return false;
		change = add_change(planning->plan, PLAN_SERVER, server->old ? '~' : '+', server->name, server->unit);
		change->text = xasprintf("refused: %s%s", server->refused, server->runs ? "; runs on until it is stopped" : "");
		return true;
	}
	if (server->old && (!server->is_wanted || server->runs || !server->never_ran))
		return false;
	change = add_change(planning->plan, PLAN_SERVER, '+', server->name, server->unit);
	if (server->is_wanted && !server->runs) {
		change->text = xstrdup(server->old ? "enabled, not started" : "new, enabled");
		change->action = PLAN_START;
		change->holder = holder_of_port(planning, server);
	} else {
		change->text = xstrdup(server->runs ? "has a row again" : "new, not enabled");
	}
	return true;
}

/* In words what its next start would change. Returns whether that is anything. */
static bool put_differences(const struct server *server, struct text *words)
{
	if (server->is_started && !server->has_record)
		text_puts(words, "no record of its start");
	return started_compare(&server->then, &server->now, words) || words->length > 0;
}

/* A server that stays: what is new in it. */
static bool plan_difference(struct planning *planning, struct server *server)
{
	cleanup_free char *was_refused = server->old ? started_refusal(server->old) : NULL;
	cleanup_text struct text words = TEXT_EMPTY;
	bool differs, all;
	struct change *change;

	if (server->refused)
		return false;
	all = differs = put_differences(server, &words);
	if (planning->common_is_said) {
		text_clear(&words);
		forget(&server->then, STARTED_UNIT);
		forget(&server->then, STARTED_HARDENING);
		differs = put_differences(server, &words);
	}
	if (was_refused && !server->runs)
		text_join(&words, ", ", "accepted again");
	if (server->was_wanted != server->is_wanted)
		text_join(&words, ", ", server->is_wanted ? "enabled" : "no longer enabled");
	if (!all && words.length == 0)
		return false;
	change = add_change(planning->plan, PLAN_SERVER, '~', server->name, server->unit);
	change->is_shown = words.length > 0;
	if (all && server->is_started) {
		change->action = PLAN_RESTART;
		change->holder = holder_of_port(planning, server);
	}
	change->text = xasprintf("%s%s", text_string(&words), differs && !server->is_started ? ": at its next start" : "");
	return true;
}

static void plan_server(struct planning *planning, const char *name)
{
	cleanup(server_done) struct server server;

	look_at_server(planning, name, &server);
	if (!plan_presence(planning, &server) && !plan_difference(planning, &server))
		planning->plan->unchanged++;
}

/* --- builds and the host's units ------------------------------------------------------------------------- */

static void plan_build(struct planning *planning, const char *id, const char *path, const char *old, const char *new)
{
	cleanup_free char *name = xasprintf("overlay %s", id), *reason = new ? started_refusal(new) : NULL;
	bool is_beyond = !new && model_is_overlay_beyond(planning->sources->model, id);
	struct change *change;

	if (old && new && (strcmp(old, new) == 0 || (planning->common_is_said && !reason == !strstr(old, ", refused: ")))) {
		planning->plan->unchanged += strcmp(old, new) == 0;
		return;
	}
	change = add_change(planning->plan, PLAN_BUILD, !old ? '+' : !new ? '-' : '~', name, path);
	if (reason)
		change->text = xasprintf("refused: %s", reason);
	else if (!new)
		change->text = xasprintf("%s%s", is_beyond ? "beyond [host] overlays" : "row or script gone",
					 runs(planning->sources, path) ? ": its build runs on" : "");
	else
		change->text = xstrdup(old ? "at its next build" : "has a script: can be built");
}

/* What it does, it does once: a restart would break that off. */
static bool is_one_shot(const struct collection *collection, const char *unit)
{
	const char *text = collection_text(collection, unit);

	return text && strstr(text, "\nType=oneshot\n");
}

/* A service or timer that the boot starts and that stays up. */
static bool is_kept_up(const struct collection *collection, const char *unit)
{
	return collection_text(collection, unit) && !is_one_shot(collection, unit) && is_wanted(collection, unit);
}

/* A service runs on without its file; a timer that is waiting has nothing to start any more, and systemd has it fail. */
static void plan_host_unit_gone(struct change *change, const char *unit, bool runs)
{
	bool is_timer = endswith(unit, ".timer");

	change->action = !runs ? PLAN_NONE : is_timer ? PLAN_STOP_BEFORE : PLAN_STOP;
	change->text = xstrdup(!runs ? "gone" : is_timer ? "gone: fails at the reload unless it is stopped before"
							 : "gone: runs on until it is stopped");
}

/* A unit of the host's own. A reload starts none, so that what was new before it may still be to be started. */
static bool plan_host_unit(struct planning *planning, const char *unit, const char *old, const char *new)
{
	const struct plan_sources *sources = planning->sources;
	bool starts = is_kept_up(sources->new, unit) && !runs(sources, unit);
	struct change *change;

	if (old && new && !(starts && never_ran(sources, unit)))
		return false;
	change = add_change(planning->plan, PLAN_UNIT, !new ? '-' : '+', unit, unit);
	if (!new) {
		plan_host_unit_gone(change, unit, runs(sources, unit));
		return true;
	}
	change->action = starts ? PLAN_START : PLAN_NONE;
	change->text = xstrdup(old ? "enabled, not started" : "new");
	return true;
}

/* A change of a unit, or a drop-in. Services need a restart; slices and one-shots do not, nor timers, which a reload applies. */
static void plan_host_settings(struct planning *planning, const char *path, const char *unit, const char *old, const char *new)
{
	const struct plan_sources *sources = planning->sources;
	bool had_unit = collection_text(sources->old, unit), has_unit = collection_text(sources->new, unit);
	bool is_update = strcmp(unit, UPDATE_UNIT ".service") == 0;
	cleanup_text struct text words = TEXT_EMPTY;
	struct change *change;

	if (old && new)
		plan_put_settings(&words, path, strcmp(path, unit) != 0 ? "hardening" : "unit", old, new);
	else if (had_unit == has_unit)
		text_puts(&words, old ? "gone" : "new");
	if (words.length == 0)
		return;        /* comments alone; or a drop-in that comes or goes with its unit */
	text_puts(&words, endswith(unit, ".slice") ? ": at the next start in it" : is_update ? ": at the next update" : "");
	change = add_change(planning->plan, PLAN_UNIT, !old ? '+' : !new ? '-' : '~', path, unit);
	change->text = text_take(&words);
	if (runs(sources, unit) && endswith(unit, ".service") && !is_one_shot(sources->new, unit))
		change->action = PLAN_RESTART;
}

static void plan_host(struct planning *planning, const char *path, const char *old, const char *new)
{
	const char *drop_in = strstr(path, ".d/");
	cleanup_free char *unit = drop_in ? xasprintf("%.*s", (int) (drop_in - path), path) : xstrdup(path);

	if (drop_in || !plan_host_unit(planning, unit, old, new))
		plan_host_settings(planning, path, unit, old, new);
}

/* --- all servers ----------------------------------------------------------------------------------------- */

static bool says_common(const struct started *started)
{
	return started_value(started, STARTED_UNIT) && started_value(started, STARTED_HARDENING);
}

/* Whether each of the servers that run, two or more, was started with another unit or hardening. */
static bool all_differ(struct planning *planning, bool *ret_unit, bool *ret_hardening)
{
	size_t count = 0, differing = 0;

	*ret_unit = *ret_hardening = false;
	for (size_t i = 0; i < planning->sources->new->count; i++) {
		enum unit_kind kind;
		cleanup_free char *name = unit_instance(planning->sources->new->files[i].path, &kind);
		struct server server;

		if (!name || kind != UNIT_SERVER)
			continue;
		look_at_server(planning, name, &server);
		if (server.has_record && says_common(&server.now)) {
			bool unit = started_differs(&server.then, &server.now, STARTED_UNIT);
			bool hardening = started_differs(&server.then, &server.now, STARTED_HARDENING);

			count++;
			differing += unit || hardening;
			*ret_unit |= unit;
			*ret_hardening |= hardening;
		}
		server_done(&server);
	}
	return count > 1 && differing == count;
}

static bool any_runs(const struct planning *planning)
{
	const struct units *units = planning->sources->units;

	for (size_t i = 0; units && i < units->count; i++)
		if (units->units[i].kind == UNIT_SERVER && unit_is_up(&units->units[i]))
			return true;
	return false;
}

static void put_common(struct text *words, const struct plan_sources *sources, const char *path, const char *what)
{
	const char *old = collection_text(sources->old, path), *new = collection_text(sources->new, path);

	if (old && new)
		plan_put_settings(words, path, what, old, new);
}

static void plan_all(struct planning *planning)
{
	cleanup_text struct text servers = TEXT_EMPTY, builds = TEXT_EMPTY;
	bool unit, hardening;

	put_common(&servers, planning->sources, SERVER_UNIT ".service", "unit");
	put_common(&servers, planning->sources, SERVER_UNIT ".service.d/10-hardening.conf", "hardening");
	if (servers.length == 0 && all_differ(planning, &unit, &hardening))
		text_printf(&servers, "%s%s%s", unit ? "unit" : "", unit && hardening ? ", " : "", hardening ? "hardening" : "");
	if (servers.length > 0) {
		text_puts(&servers, any_runs(planning) ? ": restart" : ": at their next start");
		add_change(planning->plan, PLAN_ALL, '~', "all servers", NULL)->text = text_take(&servers);
		planning->common_is_said = true;
	}
	put_common(&builds, planning->sources, BUILD_UNIT ".service", "unit");
	put_common(&builds, planning->sources, BUILD_UNIT ".service.d/10-hardening.conf", "hardening");
	if (builds.length > 0) {
		text_puts(&builds, ": at their next build");
		add_change(planning->plan, PLAN_ALL, '~', "all builds", NULL)->text = text_take(&builds);
	}
}

/* --- all of it ------------------------------------------------------------------------------------------- */

/* What is of servers and builds in common has been said, and what wants a unit goes with it. */
static bool is_said(const char *path)
{
	return startswith(path, SERVER_UNIT) || startswith(path, BUILD_UNIT) || strstr(path, ".wants/");
}

static void plan_path(struct planning *planning, const char *path, const char *old, const char *new)
{
	enum unit_kind kind;
	cleanup_free char *name = unit_instance(path, &kind);

	planning->plan->needs_reload |= !old || !new || strcmp(old, new) != 0;
	if (name && kind == UNIT_SERVER)
		plan_server(planning, name);
	else if (name)
		plan_build(planning, name, path, old, new);
	else if (!is_said(path))
		plan_host(planning, path, old, new);
}

/* Servers that run without a unit of their own, now and after the reload. */
static void plan_orphans(struct planning *planning)
{
	const struct plan_sources *sources = planning->sources;

	for (size_t i = 0; sources->units && i < sources->units->count; i++) {
		const struct unit *server = &sources->units->units[i];
		cleanup_free char *path = xasprintf(SERVER_UNIT "%s.service", server->name);

		if (server->kind == UNIT_SERVER && unit_is_up(server) && !collection_text(sources->old, path) &&
		    !collection_text(sources->new, path))
			plan_server(planning, server->name);
	}
}

/* By a drop-in of the operator's, whatever it says: what counts at a start has been compared already. */
static bool any_needs_reload(const struct units *units)
{
	for (size_t i = 0; units && i < units->count; i++)
		if (units->units[i].needs_reload)
			return true;
	return false;
}

int plan_compare(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return x->kind != y->kind ? (int) x->kind - (int) y->kind : strcmp(x->name, y->name);
}

void plan_make(const struct plan_sources *sources, struct plan *ret_plan)
{
	struct planning planning = {
		.sources = sources, .plan = ret_plan, .records = xconcat(sources->prefix, STARTED_RECORDS, ""),
	};
	struct collected_pair pair = { .path = NULL };

	*ret_plan = (struct plan){ .changes = NULL };
	read_ports(&planning);
	plan_all(&planning);
	while (collections_next(sources->old, sources->new, &pair))
		plan_path(&planning, pair.path, pair.old, pair.new);
	plan_orphans(&planning);
	ret_plan->needs_reload |= any_needs_reload(sources->units);
	free(planning.ports);
	free(planning.records);
	sort_array(ret_plan->changes, ret_plan->count, sizeof(*ret_plan->changes), plan_compare);
}

void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->changes[i].name);
		free(plan->changes[i].text);
		free(plan->changes[i].unit);
		free(plan->changes[i].holder);
	}
	free(plan->changes);
}
