/*
 * struct model and what runs -> the names and ids that the sudo rules repeat, in the order of their bytes. A unit
 * whose row is refused or gone can be stopped and its log read, but not started.
 */
#pragma once

#include "model.h"
#include "running.h"

/* The names are borrowed from the model and from what runs. */
struct name_list {
	const char **names;
	size_t count;
};

struct rules {
	struct name_list servers, stoppable_servers;           /* instance names */
	struct name_list builds, stoppable_builds;             /* overlay ids */
};

void rules_list(const struct model *model, const struct running *running, struct rules *ret_rules);

void rules_done(struct rules *rules);
