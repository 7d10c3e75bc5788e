/* What units are made from. */
#pragma once

#include "config.h"
#include "drop-ins.h"
#include "model.h"
#include "running.h"

/* Where the rows behind a model came from. */
enum rows_origin {
	ROWS_DATABASE,
	ROWS_LAST_GOOD,
	ROWS_NONE,             /* the database could not be read and there are no last good ones */
	ROWS_OMITTED,          /* nobody asked for any: units of the host only, and no sudo rules */
};

/* render_host() looks at the configuration alone, render_origin() at how the rows were read, too. */
struct render_sources {
	const struct config *config;
	const struct model *model;
	const struct running *running;         /* for the sudo rules */
	enum rows_origin origin;
	const struct drop_ins *drop_ins;       /* NULL: none */
	bool is_slow;                          /* reading the rows took so long that the next reload has to wait */
};
