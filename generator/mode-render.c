#include <string.h>

#include "output.h"
#include "run.h"

/* 0 when units may be made: no fault in the configuration, and rows where they are wanted. */
static int read_sources(struct run *run, const struct options *options)
{
	run_read_config(run, options, false);
	if (run->report.problems > 0)
		return -1;
	return options->no_database ? 0 : run_read_rows(run, options, NULL);
}

static int write_tree(struct run *run, const char *path)
{
	static const volatile sig_atomic_t never = 0;
	cleanup(output_done) struct output_directory output = { .path = NULL };
	struct sink *sink;
	int r;

	if (output_make(path, &run->report, &output) < 0)
		return -1;
	sink = sink_directories(output.units, output.state, &never, &run->report);
	r = sink ? run_render(run, true, sink) : -1;
	if (r < 0)
		output_remove(&output);
	return r;
}

static int write_json(struct run *run, const char *path)
{
	struct sink *sink = sink_json(path, &run->report);

	return sink ? run_render(run, false, sink) : -1;
}

int mode_render(const struct options *options)
{
	cleanup(run_done) struct run run = RUN_EMPTY;
	int r = read_sources(&run, options);

	if (r == 0) {
		run_build_model(&run);
		r = strcmp(options->format, "tree") == 0 ? write_tree(&run, options->output) :
			write_json(&run, options->output);
	}
	run_print_report(&run, stderr);
	if (r < 0)
		return EXIT_NOTHING;
	return run.report.problems > 0 ? EXIT_PROBLEMS : EXIT_CLEAN;
}
