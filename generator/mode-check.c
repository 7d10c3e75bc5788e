#include "advice.h"
#include "host.h"
#include "last-good.h"
#include "run.h"

/* A copy in /etc wins over the generator's unit, those elsewhere lose; either is out of date when it differs. */
static void compare_copies(struct run *run)
{
	static const char *const directories[] = {
		"/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", NULL,
	};

	drop_ins_read("", &run->drop_ins);     /* which the units of servers name, all of them */
	(void) run_render(run, !run->drop_ins.unseen, sink_compare(directories, &run->report));
}

/* The systemd that is installed names every setting that it knows; any other it passes over with a line in the journal. */
static void check_settings(struct run *run, const char *systemd, struct host_questions *questions)
{
	cleanup_free char *items = host_settings(questions, &run->report);

	if (items)
		(void) run_render(run, false, sink_known(items, systemd, &run->report));
}

static void check_host(struct run *run, struct host_questions *questions)
{
	cleanup_free char *systemd = host_check_systemd(questions, &run->report);
	cleanup(look_done) struct look found = LOOK_EMPTY;

	host_check_account(&run->config, &run->report);        /* first, since whose the files are follows from that */
	host_check_files(&run->config, &run->model, &run->report, &found);
	if (systemd) {
		check_settings(run, systemd, questions);
		host_check_loaded(&run->config, systemd, questions, &run->report);
		host_check_runs(run->origin, &run->config, &run->model, &found, questions, &run->report);
	}
	compare_copies(run);
	host_check_kernel(&run->config, &run->report);
	host_check_mounts(&run->config, &run->report);
	host_check_calendar(&run->config, questions, &run->report);
}

/* What left4me-activate.service asks before it has systemd reload. */
static int check_rows(const struct options *options)
{
	cleanup(run_done) struct run run = RUN_EMPTY;
	int r;

	run_read_config(&run, options, true);
	r = run_read_rows(&run, options, NULL);
	run_print_report(&run, stdout);
	return r == 0 ? EXIT_CLEAN : EXIT_PROBLEMS;
}

int mode_check(const struct options *options)
{
	cleanup(run_done) struct run run = RUN_EMPTY;
	cleanup_free char *last_good = xconcat(options->prefix, LAST_GOOD, "");
	cleanup_free char *counts = NULL;
	cleanup(host_questions_done) struct host_questions questions = HOST_QUESTIONS_NONE;
	bool on_host = !*options->prefix && !options->config && !options->database && host_is_running();

	if (options->rows)
		return check_rows(options);
	run_read_config(&run, options, true);
	if (on_host)
		host_ask(&run.config, &questions);
	if (!options->no_database)
		(void) run_read_rows(&run, options, options->database ? NULL : last_good);
	run_build_model(&run);
	advice_give(&run.config, &run.model, &run.report);
	if (on_host)
		check_host(&run, &questions);
	run_print_report(&run, stdout);
	counts = run_counts(&run);
	(void) fprintf(stderr, "%zu problem%s%s%s\n", run.report.problems, run.report.problems == 1 ? "" : "s",
		       options->no_database ? "" : "; ", options->no_database ? "" : counts);
	if (run.report.blind || ferror(stdout))
		return EXIT_NOTHING;
	return run.report.problems > 0 ? EXIT_PROBLEMS : EXIT_CLEAN;
}
