#include <string.h>

#include "run.h"

/* 0 when units may be made: no fault in the configuration, and rows where they are wanted. */
static int read_sources(struct run *run, const struct options *options)
{
	run_read_config(run, options, false);
	if (run->report.problems > 0)
		return -1;
	return options->no_database ? 0 : run_read_rows(run, options, NULL);
}

static int write_units(struct run *run, const struct options *options)
{
	bool tree = strcmp(options->format, "tree") == 0;
	struct sink *sink = tree ? sink_tree(options->output, &run->report) : sink_json(options->output, &run->report);

	return sink ? run_render(run, tree, sink) : -1;
}

int mode_render(const struct options *options)
{
	cleanup(run_done) struct run run = RUN_EMPTY;
	int r = read_sources(&run, options);

	if (r == 0) {
		run_build_model(&run);
		r = write_units(&run, options);
	}
	run_print_report(&run, stderr);
	if (r < 0)
		return EXIT_NOTHING;
	return run.report.problems > 0 ? EXIT_PROBLEMS : EXIT_CLEAN;
}
