/*
 * What the next reload would do, and what would still have to be done: the units that lie in the generator's directory
 * against those that configuration and rows give now, and against what runs.
 */
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

/* The order of changes, for bsearch(3). */
int plan_compare(const void *a, const void *b);

void plan_make(const struct plan_sources *sources, struct plan *ret_plan);

void plan_done(struct plan *plan);
