#include "plan-server.h"

/* --- what there is --------------------------------------------------------------------------------------- */

void plan_look_at_server(const struct plan_sources *sources, const char *name, struct plan_server *ret_server)
{
	struct plan_server server = { .name = xstrdup(name), .unit = xasprintf(SERVER_UNIT "%s.service", name) };
	const struct unit *unit = plan_find_unit(sources, server.unit);

	server.old = collection_text(sources->old, server.unit);
	server.new = collection_text(sources->new, server.unit);
	server.was_wanted = plan_is_wanted(sources->old, server.unit);
	server.is_wanted = plan_is_wanted(sources->new, server.unit);
	server.refused = server.new ? started_refusal(server.new) : NULL;
	server.never_ran = plan_never_ran(sources, server.unit);
	server.has_failed = unit && unit->state == UNIT_FAILED;
	server.is_masked = unit && unit->is_masked;
	server.runs = unit_is_up(unit);
	server.record = server.runs ? records_find_start(sources->records, name) : NULL;
	server.is_started = !server.is_masked && !(unit && unit->state == UNIT_STOPPING) &&
			    (server.record || (unit && unit->state == UNIT_RUNNING));
	started_of_unit(server.new ? server.new : "", &server.now);
	started_look_at_host_env(&server.now, sources->prefix);
	started_of_unit(server.old ? server.old : "", &server.before);
	if (server.record)
		look_see_layers(sources->look, &server.now);
	if (server.record && sources->look->complete)
		server.lacks = started_unseen_layer(&server.now);
	server.port = started_port(&server.now);
	*ret_server = server;
}

void plan_server_done(struct plan_server *server)
{
	free(server->name);
	free(server->unit);
	free(server->refused);
	started_done(&server->before);
	started_done(&server->now);
}

/* Another server that was started with the port which this one's next start takes: that fails until the other has let go of it. */
static char *holder_of_port(const struct plan_sources *sources, const struct plan_server *server)
{
	for (size_t i = 0; server->port > 0 && i < sources->records->count; i++) {
		const struct record *record = &sources->records->records[i];

		if (record->port == server->port && strcmp(record->name, server->name) != 0 &&
		    unit_is_up(units_find(sources->units, UNIT_SERVER, record->name)))
			return xstrdup(record->name);
	}
	return NULL;
}

/* --- what is to be done ---------------------------------------------------------------------------------- */

/* What all servers have in common is said once. */
static void forget(struct started *started, const char *key)
{
	for (size_t i = 0; i < started->count; i++)
		if (strcmp(started->items[i].key, key) == 0)
			started->items[i].key[0] = '\0';
}

/* A server that runs and has no row any more; or that starts no more, or never has. */
static bool plan_presence(struct planning *planning, const struct plan_server *server)
{
	cleanup_free char *was_refused = server->old ? started_refusal(server->old) : NULL;
	struct change *change;

	if (!server->new) {
		change = plan_add(planning->plan, PLAN_SERVER, '-', server->name, server->unit);
		change->text = xasprintf("%s%s", model_is_beyond(planning->sources->model, server->name) ? "beyond [host] servers" : "row gone",
					 server->runs ? ": runs on until it is stopped" : "");
		change->action = server->runs ? PLAN_STOP : PLAN_NONE;
		return true;
	}
	if (server->refused) {
		if (was_refused && strcmp(was_refused, server->refused) == 0 && !server->runs)
			return false;
		change = plan_add(planning->plan, PLAN_SERVER, server->old ? '~' : '+', server->name, server->unit);
		change->text = xasprintf("refused: %s%s", server->refused, server->runs ? "; runs on until it is stopped" : "");
		return true;
	}
	if (server->old && (!server->is_wanted || server->runs || !server->never_ran || server->is_masked))
		return false;
	change = plan_add(planning->plan, PLAN_SERVER, '+', server->name, server->unit);
	if (server->is_wanted && !server->runs) {
		change->text = xstrdup(server->old ? "enabled, not started" : "new, enabled");
		change->action = PLAN_START;
		change->holder = holder_of_port(planning->sources, server);
	} else {
		change->text = xstrdup(server->runs ? "has a row again" : "new, not enabled");
	}
	return true;
}

/* In words what its next start would change. Returns whether that is anything. */
static bool put_differences(const struct plan_server *server, struct text *words)
{
	if (server->is_started && !server->record)
		text_puts(words, "no record of its start");
	return started_compare(server->record ? &server->record->started : &server->before, &server->now, words) || words->length > 0;
}

/* A server that stays: what is new in it. */
static bool plan_difference(struct planning *planning, struct plan_server *server)
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
		forget(&server->now, STARTED_UNIT);
		forget(&server->now, STARTED_HARDENING);
		differs = put_differences(server, &words);
	}
	if (was_refused && !server->runs)
		text_join(&words, ", ", "accepted again");
	if (server->was_wanted != server->is_wanted)
		text_join(&words, ", ", server->is_wanted ? "enabled" : "no longer enabled");
	if (!all && words.length == 0)
		return false;
	if (all && server->is_started && server->lacks)
		text_join(&words, ", ", "no restart while layer %s is missing", server->lacks);
	change = plan_add(planning->plan, PLAN_SERVER, '~', server->name, server->unit);
	change->is_shown = words.length > 0;
	if (all && server->is_started && !server->lacks) {
		change->action = PLAN_RESTART;
		change->holder = holder_of_port(planning->sources, server);
	}
	if (was_refused && server->has_failed && server->is_wanted && !server->is_masked) {
		change->action = PLAN_START;   /* nobody has stopped it: its start was refused */
		change->holder = holder_of_port(planning->sources, server);
	}
	change->text = xasprintf("%s%s", text_string(&words), differs && !server->is_started ? ": at its next start" : "");
	return true;
}

void plan_server(struct planning *planning, struct plan_server *server)
{
	if (!plan_presence(planning, server) && !plan_difference(planning, server))
		planning->plan->unchanged++;
}
