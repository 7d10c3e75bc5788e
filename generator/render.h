/*
 * struct config and struct model -> struct bundle. All policy about units is here: which files there are, what
 * stands in each, what is wanted by what. Knows no folder of the host and no JSON.
 */
#pragma once

#include "bundle.h"
#include "config.h"
#include "model.h"
#include "template.h"

/* Where the rows behind a model came from. */
enum rows_origin {
	ROWS_DATABASE,
	ROWS_LAST_GOOD,
	ROWS_NONE,             /* the database could not be read and there are no last good ones */
	ROWS_OMITTED,          /* nobody asked for any: units of the host only */
};

/* A bundle and what its texts are made from; borrows the configuration and the model it was made with. */
struct rendering {
	struct bundle bundle;
	const struct model *model;
	struct variable *variables;            /* those of the host, by number */
	struct template *templates;            /* as in the table of outputs */
	const struct template *server, *build; /* of them, those with many units */
	struct scratch *scratch;
	char **owned;                          /* texts of variables */
	size_t owned_count;
	char *names;                           /* of all units, one after the other */
	const char **lists;                    /* room for the variables that are lists */
	size_t list_count;
	const char **server_units, **build_units;      /* one per instance; one per overlay, NULL without a script */
};

void render(const struct config *config, const struct model *model, enum rows_origin origin,
	    struct rendering *ret_rendering);

void rendering_done(struct rendering *rendering);
