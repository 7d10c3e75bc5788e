#include "plan.h"

#include "plan-files.h"
#include "plan-host.h"
#include "plan-server.h"

/* --- servers --------------------------------------------------------------------------------------------- */

struct servers {
	struct plan_server *servers;
	size_t count;
};

static void add_server(struct servers *servers, const struct plan_sources *sources, const char *name)
{
	servers->servers = grow_array(servers->servers, servers->count, sizeof(*servers->servers));
	plan_look_at_server(sources, name, &servers->servers[servers->count++]);
}

/* Those that run without a unit of their own, now and after the reload. */
static void add_orphans(struct servers *servers, const struct plan_sources *sources)
{
	for (size_t i = 0; sources->units && i < sources->units->count; i++) {
		const struct unit *server = &sources->units->units[i];
		cleanup_free char *path = xasprintf(SERVER_UNIT "%s.service", server->name);

		if (server->kind == UNIT_SERVER && unit_is_up(server) && !collection_text(sources->old, path) &&
		    !collection_text(sources->new, path))
			add_server(servers, sources, server->name);
	}
}

static void look_at_servers(const struct plan_sources *sources, struct servers *ret_servers)
{
	struct collected_pair pair = { .path = NULL };

	*ret_servers = (struct servers){ NULL, 0 };
	while (collections_next(sources->old, sources->new, &pair)) {
		enum unit_kind kind;
		cleanup_free char *name = unit_instance(pair.path, &kind);

		if (name && kind == UNIT_SERVER)
			add_server(ret_servers, sources, name);
	}
	add_orphans(ret_servers, sources);
}

static void servers_done(struct servers *servers)
{
	for (size_t i = 0; i < servers->count; i++)
		plan_server_done(&servers->servers[i]);
	free(servers->servers);
}

/* --- all servers, and all builds ------------------------------------------------------------------------- */

static bool says_common(const struct started *started)
{
	return started_value(started, STARTED_UNIT) && started_value(started, STARTED_HARDENING);
}

/* Whether each of the servers that run, two or more, was started with another unit or hardening. */
static bool all_differ(const struct servers *servers, bool *ret_unit, bool *ret_hardening)
{
	size_t count = 0, differing = 0;

	*ret_unit = *ret_hardening = false;
	for (size_t i = 0; i < servers->count; i++) {
		const struct plan_server *server = &servers->servers[i];
		bool unit, hardening;

		if (!server->record || !says_common(&server->now))
			continue;
		unit = started_differs(&server->record->started, &server->now, STARTED_UNIT);
		hardening = started_differs(&server->record->started, &server->now, STARTED_HARDENING);
		count++;
		differing += unit || hardening;
		*ret_unit |= unit;
		*ret_hardening |= hardening;
	}
	return count > 1 && differing == count;
}

static bool any_runs(const struct servers *servers)
{
	for (size_t i = 0; i < servers->count; i++)
		if (servers->servers[i].runs)
			return true;
	return false;
}

static void put_common(struct text *words, const struct plan_sources *sources, const char *path, const char *what)
{
	const char *old = collection_text(sources->old, path), *new = collection_text(sources->new, path);

	if (old && new)
		plan_put_settings(words, path, what, old, new);
}

static void plan_all(struct planning *planning, const struct servers *servers)
{
	cleanup_text struct text all = TEXT_EMPTY, builds = TEXT_EMPTY;
	bool unit, hardening;

	put_common(&all, planning->sources, SERVER_UNIT ".service", "unit");
	put_common(&all, planning->sources, SERVER_UNIT ".service.d/10-hardening.conf", "hardening");
	if (all.length == 0 && all_differ(servers, &unit, &hardening))
		text_printf(&all, "%s%s%s", unit ? "unit" : "", unit && hardening ? ", " : "", hardening ? "hardening" : "");
	if (all.length > 0) {
		text_puts(&all, any_runs(servers) ? ": restart" : ": at their next start");
		plan_add(planning->plan, PLAN_ALL, '~', "all servers", NULL)->text = text_take(&all);
		planning->common_is_said = true;
	}
	put_common(&builds, planning->sources, BUILD_UNIT ".service", "unit");
	put_common(&builds, planning->sources, BUILD_UNIT ".service.d/10-hardening.conf", "hardening");
	if (builds.length > 0) {
		text_puts(&builds, ": at their next build");
		plan_add(planning->plan, PLAN_ALL, '~', "all builds", NULL)->text = text_take(&builds);
		planning->builds_are_said = true;
	}
}

/* --- builds ---------------------------------------------------------------------------------------------- */

static void plan_build(struct planning *planning, const char *id, const char *path, const char *old, const char *new)
{
	cleanup_free char *name = xasprintf("overlay %s", id), *reason = new ? started_refusal(new) : NULL;
	bool is_beyond = !new && model_is_overlay_beyond(planning->sources->model, id);
	struct change *change;

	if (old && new && (strcmp(old, new) == 0 || (planning->builds_are_said && !reason == !strstr(old, ", refused: ")))) {
		planning->plan->unchanged += strcmp(old, new) == 0;
		return;
	}
	change = plan_add(planning->plan, PLAN_BUILD, !old ? '+' : !new ? '-' : '~', name, path);
	if (reason)
		change->text = xasprintf("refused: %s", reason);
	else if (!new)
		change->text = xasprintf("%s%s", is_beyond ? "beyond [host] overlays" : "row or script gone",
					 plan_runs(planning->sources, path) ? ": its build runs on" : "");
	else
		change->text = xstrdup(old ? "at its next build" : "has a script: can be built");
}

/* --- all of it ------------------------------------------------------------------------------------------- */

/* What is of servers and builds in common has been said, and what wants a unit goes with it. */
static bool is_said(const char *path)
{
	return startswith(path, SERVER_UNIT) || startswith(path, BUILD_UNIT) || strstr(path, ".wants/");
}

/* Of a build or the host; servers are looked at one by one. */
static void plan_path(struct planning *planning, const struct collected_pair *pair)
{
	enum unit_kind kind;
	cleanup_free char *name = unit_instance(pair->path, &kind);

	if (name && kind == UNIT_BUILD)
		plan_build(planning, name, pair->path, pair->old, pair->new);
	else if (!name && !is_said(pair->path))
		plan_host(planning, pair->path, pair->old, pair->new);
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
	cleanup(servers_done) struct servers servers;
	struct planning planning = { .sources = sources, .plan = ret_plan };
	struct collected_pair pair = { .path = NULL };

	*ret_plan = (struct plan){ .needs_reload = any_needs_reload(sources->units) };
	look_at_servers(sources, &servers);
	plan_all(&planning, &servers);
	for (size_t i = 0; i < servers.count; i++)
		plan_server(&planning, &servers.servers[i]);
	while (collections_next(sources->old, sources->new, &pair)) {
		ret_plan->needs_reload |= !pair.old || !pair.new || strcmp(pair.old, pair.new) != 0;
		plan_path(&planning, &pair);
	}
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
