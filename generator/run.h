/*
 * What every mode begins with: reading the configuration and the rows, and what they mean.
 */
#pragma once

#include "config.h"
#include "drop-ins.h"
#include "model.h"
#include "modes.h"
#include "reader.h"
#include "render.h"
#include "report.h"
#include "rows.h"

struct run {
	struct report report;
	struct config config;
	struct reader reader;
	struct rows rows;
	enum rows_origin origin;
	bool is_slow;                  /* a reload took so long to read them that the next one has to wait */
	struct model model;
	struct running running;
	struct drop_ins drop_ins;      /* of the host itself; none elsewhere */
};
#define RUN_EMPTY ((struct run){ .reader = READER_NONE, .rows = ROWS_EMPTY, .origin = ROWS_OMITTED })

/*
 * The configuration. The child that will read the rows is made first: what the configuration holds of the web
 * application's secrets is never in it. `on_target`: this machine is the host that the configuration speaks of.
 */
void run_read_config(struct run *run, const struct options *options, bool on_target);

/*
 * The rows, or the last good ones from the file `last_good` (NULL where none are kept); reports what kept it from
 * reading. 0, or -1 when they are not the database's.
 */
int run_read_rows(struct run *run, const struct options *options, const char *last_good);

/* What configuration and rows mean. */
void run_build_model(struct run *run);

/*
 * Pushed into a sink: what the configuration alone says, which may come before the rows are read; what depends on where
 * they came from; what they say. 0 or -1.
 */
int run_render_host(const struct run *run, struct sink *sink);
int run_render_origin(const struct run *run, struct sink *sink);
int run_render_rows(const struct run *run, struct sink *sink);

/* All three, or without rows the first two, and the end of the sink. 0 or -1. */
int run_render(const struct run *run, bool with_rows, struct sink *sink);

/* Whoever reads on a terminal has lines of its width; elsewhere, and for a grep, each is one line. */
void run_print_report(const struct run *run, FILE *file);

/* How many servers and overlays there are, and how many of them are refused where any is: "3 servers, 1 overlay, 1 refused". */
char *run_counts(const struct run *run);

void run_done(struct run *run);
