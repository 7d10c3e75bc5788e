/*
 * struct config and struct model -> struct bundle. All policy about units is here: which files there are, what
 * stands in each, what is wanted by what. Knows no folder of the host and no JSON.
 */
#pragma once

#include "bundle.h"
#include "config.h"
#include "model.h"
#include "template.h"
#include "units.h"
#include "variables.h"

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
	const struct config *config;
	const struct model *model;
	struct host_variables host;
	struct units units;
	struct template *templates;            /* as in the table of outputs */
	const struct template *server, *build; /* of them, those with many units */
	struct scratch *scratch;
};

/* What needs the configuration alone, while the rows are on their way. *ret_rendering must not be moved. */
void render_prepare(const struct config *config, struct rendering *ret_rendering);

/* Of what runs only the sudo rules speak; nothing does where the output is not for this very host. */
void render(const struct model *model, const struct running *running, enum rows_origin origin,
	    struct rendering *rendering);

void rendering_done(struct rendering *rendering);
