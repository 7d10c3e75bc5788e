#include "plan-host.h"

#include "plan-files.h"

/* What it does, it does once: a restart would break that off. */
static bool is_one_shot(const struct collection *collection, const char *unit)
{
	const char *text = collection_text(collection, unit);

	return text && strstr(text, "\nType=oneshot\n");
}

/* A service or timer that the boot starts and that stays up. */
static bool is_kept_up(const struct collection *collection, const char *unit)
{
	return collection_text(collection, unit) && !is_one_shot(collection, unit) && plan_is_wanted(collection, unit);
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
	bool starts = is_kept_up(sources->new, unit) && !plan_runs(sources, unit) && !plan_is_masked(sources, unit);
	struct change *change;

	if (old && new && !(starts && plan_never_ran(sources, unit)))
		return false;
	change = plan_add(planning->plan, PLAN_UNIT, !new ? '-' : '+', unit, unit);
	if (!new && *old)
		plan_host_unit_gone(change, unit, plan_runs(sources, unit));
	else if (!new || !*new)
		change->text = xstrdup(new ? "masked" : "no longer masked");
	else
		change->text = xstrdup(old ? "enabled, not started" : "new");
	if (starts)
		change->action = PLAN_START;
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
	change = plan_add(planning->plan, PLAN_UNIT, !old ? '+' : !new ? '-' : '~', path, unit);
	change->text = text_take(&words);
	if (plan_runs(sources, unit) && endswith(unit, ".service") && !is_one_shot(sources->new, unit) && !plan_is_masked(sources, unit))
		change->action = PLAN_RESTART;
}

void plan_host(struct planning *planning, const char *path, const char *old, const char *new)
{
	const char *drop_in = strstr(path, ".d/");
	cleanup_free char *unit = drop_in ? xasprintf("%.*s", (int) (drop_in - path), path) : xstrdup(path);

	if (drop_in || !plan_host_unit(planning, unit, old, new))
		plan_host_settings(planning, path, unit, old, new);
}
