#include <errno.h>
#include <string.h>

#include "host.h"
#include "last-good.h"
#include "log.h"
#include "look.h"
#include "plan.h"
#include "plan-commands.h"
#include "plan-files.h"
#include "run.h"

enum { NAME_WIDTH_MIN = 12, NAME_WIDTH_MAX = 24 };

static int width_of(const struct plan *plan)
{
	size_t width = NAME_WIDTH_MIN;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->changes[i].is_shown && strlen(plan->changes[i].name) > width)
			width = strlen(plan->changes[i].name);
	return (int) (width < NAME_WIDTH_MAX ? width : NAME_WIDTH_MAX);
}

/* Of a service the suffix goes without saying. */
static int length_of(const char *unit)
{
	const char *suffix = strstr(unit, ".service");

	return (int) (suffix ? (size_t) (suffix - unit) : strlen(unit));
}

static void print_change(const struct change *change, int width)
{
	(void) printf("%c %-*s  %s", change->sign, width, change->name, change->text);
	if (change->action == PLAN_START)
		(void) printf(": starts with `systemctl start %.*s`", length_of(change->unit), change->unit);
	if (change->action == PLAN_RESTART)
		(void) fputs(": restart", stdout);
	if (change->holder)
		(void) printf(", once %s no longer has its port", change->holder);
	(void) putchar('\n');
}

static void print_changes(const struct plan *plan)
{
	int width = width_of(plan);

	for (size_t i = 0; i < plan->count; i++)
		if (plan->changes[i].is_shown)
			print_change(&plan->changes[i], width);
	if (plan->count > 0)
		(void) printf("= %zu unchanged\n", plan->unchanged);
	else if (plan->needs_reload)
		(void) puts("~ units         nothing that a server or build notices: a reload takes it in");
}

static void print_plan(const struct plan *plan, const struct options *options, const struct collection *old,
		       const struct collection *new)
{
	cleanup_text struct text lines = TEXT_EMPTY;

	if (options->commands) {
		plan_print_commands(plan);
		return;
	}
	print_changes(plan);
	if (options->diff)
		plan_diff(old, new, &lines);
	(void) fputs(text_string(&lines), stdout);
}

static int compare(struct run *run, const struct options *options, const struct collection *new)
{
	cleanup_free char *directory = xasprintf("%s" GENERATOR_DIRECTORY, options->prefix);
	cleanup_free char *silence = NULL;
	cleanup(collection_done) struct collection old = COLLECTION_EMPTY;
	cleanup(units_done) struct units units = UNITS_NONE;
	cleanup(records_done) struct records records = RECORDS_NONE;
	cleanup(look_done) struct look found = LOOK_EMPTY;
	cleanup(plan_done) struct plan plan = { .changes = NULL };
	bool on_host = !*options->prefix && host_is_running();
	int r = plan_read_tree(directory, &old);

	if (r < 0 && r != -ENOENT) {
		report_problem(&run->report, directory, "%s", strerror(-r));
		return EXIT_NOTHING;
	}
	r = on_host ? units_ask(true, &units) : 0;
	if (r < 0) {
		silence = manager_silence(-r);
		report_problem(&run->report, "systemd", "%s", silence);
		return EXIT_NOTHING;
	}
	if (on_host)
		look(&(struct look_request){ .root = run->config.host.root, .uid = run->config.host.uid, .gid = run->config.host.gid },
		     &found);
	records_read(options->prefix, &records);
	plan_make(&(struct plan_sources){ &old, new, &run->model, on_host ? &units : NULL, &records, &found, options->prefix }, &plan);
	print_plan(&plan, options, &old, new);
	return plan.count > 0 || plan.needs_reload ? EXIT_PROBLEMS : EXIT_CLEAN;
}

/* Units name each drop-in by its content: one that is not seen would count as gone. */
static void see_drop_ins(struct run *run)
{
	if (!run->drop_ins.unseen)
		return;
	run->report.blind = true;
	report_problem(&run->report, "a drop-in of servers", "cannot be read: run plan as root");
}

/* As a reload would do it; what has changed in the database since is not in the plan. Returns the report's line that says so. */
static size_t read_rows(struct run *run, const struct options *options)
{
	cleanup_free char *last_good = xconcat(options->prefix, LAST_GOOD, "");
	size_t before = run->report.count;

	(void) run_read_rows(run, options, last_good);
	return before;
}

int mode_plan(const struct options *options)
{
	cleanup(run_done) struct run run = RUN_EMPTY;
	cleanup(collection_done) struct collection new = COLLECTION_EMPTY;
	int status = EXIT_NOTHING;
	size_t line;

	run_read_config(&run, options, true);
	line = read_rows(&run, options);
	run_build_model(&run);
	drop_ins_read(options->prefix, &run.drop_ins);
	see_drop_ins(&run);
	if (run_render(&run, true, sink_collect(&new)) == 0 && !run.report.blind &&
	    (run.origin == ROWS_DATABASE || run.origin == ROWS_LAST_GOOD))
		status = compare(&run, options, &new);
	if (status == EXIT_NOTHING)
		run_print_report(&run, stderr);
	else if (run.origin == ROWS_LAST_GOOD && line < run.report.count)
		(void) fprintf(stderr, "%s\n", run.report.lines[line]);
	if (ferror(stdout) || fflush(stdout) != 0) {
		log_line(LOG_WARNING, "cannot write to standard output");
		return EXIT_NOTHING;
	}
	return status;
}
