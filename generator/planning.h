/* The changes of a plan, and what all who add to them look at: units of before and after, and what runs. */
#pragma once

#include "look.h"
#include "model.h"
#include "records.h"
#include "sink.h"
#include "units.h"

/* What an operator would do about a change, before the reload and after it. */
enum plan_action { PLAN_NONE, PLAN_STOP_BEFORE, PLAN_START, PLAN_RESTART, PLAN_STOP };

struct change {
	enum plan_kind { PLAN_ALL, PLAN_SERVER, PLAN_BUILD, PLAN_UNIT } kind;
	char sign;                     /* '+', '~' or '-' */
	char *name;                    /* of the server, "overlay 7", "all servers", or a unit */
	char *text;                    /* what changes, and when where there is no action */
	char *unit;                    /* that the action is about, or NULL */
	enum plan_action action;
	char *holder;                  /* the server that runs on the port which this one would start on, or NULL */
	bool is_shown;                 /* false where a line for all servers says it */
};

struct plan {
	struct change *changes;        /* by kind, then name */
	size_t count;
	size_t unchanged;              /* servers and builds */
	bool needs_reload;
};

struct plan_sources {
	const struct collection *old, *new;    /* sorted */
	const struct model *model;     /* the rows of `new` */
	const struct units *units;     /* NULL: nothing runs, files alone are compared */
	const struct records *records;
	const struct look *look;       /* at the layers; empty where nothing runs */
	const char *prefix;            /* of host.env */
};

struct planning {
	const struct plan_sources *sources;
	struct plan *plan;
	bool common_is_said;           /* a line for all servers has said what is new in unit or hardening */
	bool builds_are_said;          /* likewise of all builds */
};

/* The unit as systemd has loaded it; NULL where it has not, and where nothing runs. */
const struct unit *plan_find_unit(const struct plan_sources *sources, const char *unit);

bool plan_runs(const struct plan_sources *sources, const char *unit);

/* Whether the operator has masked it, so that no command starts it. */
bool plan_is_masked(const struct plan_sources *sources, const char *unit);

/* Whether it has never run since the boot, nor failed. Somebody has to start it: nothing but the boot starts what is wanted. */
bool plan_never_ran(const struct plan_sources *sources, const char *unit);

/* Whether the boot starts it. */
bool plan_is_wanted(const struct collection *collection, const char *unit);

/* A change without text or action, for the caller to set; name and unit are copied. Good until the next one is added. */
struct change *plan_add(struct plan *plan, enum plan_kind kind, char sign, const char *name, const char *unit);
