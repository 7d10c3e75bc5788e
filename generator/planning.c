#include "planning.h"

const struct unit *plan_find_unit(const struct plan_sources *sources, const char *unit)
{
	enum unit_kind kind = UNIT_OF_HOST;
	cleanup_free char *name = unit_instance(unit, &kind);

	return sources->units ? units_find(sources->units, kind, name ? name : unit) : NULL;
}

bool plan_runs(const struct plan_sources *sources, const char *unit)
{
	return unit_is_up(plan_find_unit(sources, unit));
}

bool plan_is_masked(const struct plan_sources *sources, const char *unit)
{
	const struct unit *found = plan_find_unit(sources, unit);

	return found && found->is_masked;
}

bool plan_never_ran(const struct plan_sources *sources, const char *unit)
{
	const struct unit *found = plan_find_unit(sources, unit);

	return sources->units && (!found || (found->state == UNIT_STOPPED && !found->has_run));
}

bool plan_is_wanted(const struct collection *collection, const char *unit)
{
	return collection_wants(collection, "left4me.target", unit) || collection_wants(collection, "timers.target", unit);
}

struct change *plan_add(struct plan *plan, enum plan_kind kind, char sign, const char *name, const char *unit)
{
	struct change *change;

	plan->changes = grow_array(plan->changes, plan->count, sizeof(*plan->changes));
	change = &plan->changes[plan->count++];
	*change = (struct change){
		.kind = kind, .sign = sign, .name = xstrdup(name), .unit = unit ? xstrdup(unit) : NULL, .is_shown = true,
	};
	return change;
}
