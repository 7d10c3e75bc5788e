#include "host.h"
#include "run.h"

/* A copy in /etc wins over the generator's unit, those elsewhere lose; either is out of date when it differs. */
static void compare_copies(struct run *run)
{
	static const char *const directories[] = {
		"/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", NULL,
	};
	struct sink *sink = sink_compare(directories, &run->report);

	(void) sink->finish(sink, run_render_host(run, sink) == 0);
}

int mode_check(const struct options *options)
{
	cleanup(run_done) struct run run = RUN_EMPTY;
	cleanup_free char *last_good = xasprintf("%s/run/left4me/last-good", options->prefix);
	bool on_host = !*options->prefix && !options->config && !options->database;

	run_read_config(&run, options, true);
	if (!options->no_database)
		(void) run_read_rows(&run, options, options->database ? NULL : last_good);
	run_build_model(&run);
	if (on_host && host_is_running()) {
		host_check_loaded(&run.config, &run.report);
		compare_copies(&run);
		host_check_needs(&run.config, &run.report);
	}
	run_print_report(&run, stdout);
	(void) fprintf(stderr, "%zu servers, %zu overlays, %zu refused\n", run.model.instance_count,
		       run.model.overlay_count, run.model.refused);
	if (run.report.blind || ferror(stdout))
		return EXIT_NOTHING;
	return run.report.problems > 0 ? EXIT_PROBLEMS : EXIT_CLEAN;
}
