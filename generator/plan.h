/*
 * What the next reload would do, and what would still have to be done: the units that lie in the generator's directory
 * against those that configuration and rows give now, and against what runs.
 */
#pragma once

#include "planning.h"

/* The order of changes, for bsearch(3). */
int plan_compare(const void *a, const void *b);

void plan_make(const struct plan_sources *sources, struct plan *ret_plan);

void plan_done(struct plan *plan);
