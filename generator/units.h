/*
 * struct model -> the names of all units of instances and overlays, and the sorted lists of them that the sudo
 * rules repeat.
 */
#pragma once

#include "model.h"
#include "running.h"
#include "template.h"

struct units {
	const char **servers;          /* by the model's instances */
	const char **builds;           /* by the model's overlays, NULL for those without a script */
	const char **running_servers, **running_builds;        /* by what runs */
	char *text;                    /* behind the names */
	const char **lists;            /* behind the lists */
};

void units_name(const struct model *model, const struct running *running, struct units *ret_units);

/* Gives the variables SERVERS, BUILDS, STOPPABLE and LOGGED their lists. Once. */
void units_list(struct units *units, const struct model *model, const struct running *running,
		struct variable *variables);

void units_done(struct units *units);
