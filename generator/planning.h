/* What all parts of a plan use while it is made: what runs, what the boot starts, and the list of changes. */
#pragma once

#include "plan.h"

struct planning {
	const struct plan_sources *sources;
	struct plan *plan;
	bool common_is_said;           /* a line for all servers has said what is new in unit or hardening */
};

/* The unit as systemd has loaded it; NULL where it has not, and where nothing runs. */
const struct unit *plan_find_unit(const struct plan_sources *sources, const char *unit);

bool plan_runs(const struct plan_sources *sources, const char *unit);

/* Whether it has never run since the boot, nor failed. Somebody has to start it: nothing but the boot starts what is wanted. */
bool plan_never_ran(const struct plan_sources *sources, const char *unit);

/* Whether the boot starts it. */
bool plan_is_wanted(const struct collection *collection, const char *unit);

/* A change without text or action, for the caller to set; name and unit are copied. Good until the next one is added. */
struct change *plan_add(struct plan *plan, enum plan_kind kind, char sign, const char *name, const char *unit);
