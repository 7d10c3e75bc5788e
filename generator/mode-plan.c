#include <errno.h>
#include <string.h>

#include "host.h"
#include "last-good.h"
#include "look.h"
#include "plan.h"
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

static void print_action(const struct change *change)
{
	static const char *const verbs[] = {
		[PLAN_STOP_BEFORE] = "stop", [PLAN_START] = "start", [PLAN_RESTART] = "restart", [PLAN_STOP] = "stop",
	};

	(void) printf("systemctl %s %s  # %s\n", verbs[change->action], change->unit,
		      *change->text ? change->text : "what changes for all servers");
}

/* Not twice for a unit of which both the file and a drop-in change: they stand one after the other. */
static bool is_repeated(const struct plan *plan, size_t i)
{
	const struct change *change = &plan->changes[i];

	return change->kind == PLAN_UNIT && i > 0 && change[-1].action == change->action && strcmp(change[-1].unit, change->unit) == 0;
}

static void print_free_actions(const struct plan *plan, enum plan_action first, enum plan_action last)
{
	for (enum plan_action action = first; action <= last; action++)
		for (size_t i = 0; i < plan->count; i++)
			if (plan->changes[i].action == action && !plan->changes[i].holder && !is_repeated(plan, i))
				print_action(&plan->changes[i]);
}

/* Whether the server NAME is among those that have not let go of their ports yet. */
static bool is_among(const struct plan *plan, const bool *holds, const char *name)
{
	for (size_t i = 0; i < plan->count; i++)
		if (holds[i] && strcmp(plan->changes[i].name, name) == 0)
			return true;
	return false;
}

static const struct change *find_change(const struct plan *plan, const char *server)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->changes[i].kind == PLAN_SERVER && strcmp(plan->changes[i].name, server) == 0)
			return &plan->changes[i];
	return NULL;
}

/* Whether no command has the holder of its port let go: a refused server runs on, and whoever waits for it waits, too. */
static bool is_stuck(const struct plan *plan, const struct change *change)
{
	size_t steps = 0;

	for (; change && change->holder && steps <= plan->count; steps++)
		change = find_change(plan, change->holder);
	return change && !change->holder && change->action == PLAN_NONE;
}

/* What waits for another's port comes behind that one; where each of several waits for the next, one of them is stopped first. */
static void print_waiting_actions(const struct plan *plan)
{
	cleanup_free bool *waits = xcalloc(plan->count + 1, sizeof(*waits)), *holds = xcalloc(plan->count + 1, sizeof(*holds));
	size_t left = 0;

	for (size_t i = 0; i < plan->count; i++) {
		holds[i] = plan->changes[i].holder != NULL;
		waits[i] = holds[i] && !is_stuck(plan, &plan->changes[i]);
		left += waits[i];
		if (holds[i] && !waits[i])
			(void) printf("# %s: %s, once %s no longer has its port\n", plan->changes[i].unit, plan->changes[i].text,
				      plan->changes[i].holder);
	}
	while (left > 0) {
		size_t before = left, first = 0;

		for (size_t i = 0; i < plan->count; i++)
			if (waits[i] && !is_among(plan, holds, plan->changes[i].holder)) {
				print_action(&plan->changes[i]);
				waits[i] = holds[i] = false;
				left--;
			}
		while (left == before && !(waits[first] && holds[first]))
			first++;
		if (left == before) {
			(void) printf("systemctl stop %s  # lets go of its port\n", plan->changes[first].unit);
			holds[first] = false;
		}
	}
}

/* Each line runs as it is printed. */
static void print_commands(const struct plan *plan)
{
	print_free_actions(plan, PLAN_STOP_BEFORE, PLAN_STOP_BEFORE);
	if (plan->needs_reload)
		(void) puts("systemctl daemon-reload  # takes the units in, changes nothing that runs");
	print_free_actions(plan, PLAN_START, PLAN_STOP);
	print_waiting_actions(plan);
}

static void print_plan(const struct plan *plan, const struct options *options, const struct collection *old,
		       const struct collection *new)
{
	cleanup_text struct text lines = TEXT_EMPTY;

	if (options->commands)
		return print_commands(plan);
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
	plan_make(&(struct plan_sources){ &old, new, &run->model, on_host ? &units : NULL, &found, options->prefix }, &plan);
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

int mode_plan(const struct options *options)
{
	cleanup(run_done) struct run run = RUN_EMPTY;
	cleanup_free char *last_good = xconcat(options->prefix, LAST_GOOD, "");
	cleanup(collection_done) struct collection new = COLLECTION_EMPTY;
	int status = EXIT_NOTHING;

	run_read_config(&run, options, true);
	(void) run_read_rows(&run, options, last_good);
	run_build_model(&run);
	drop_ins_read(options->prefix, &run.drop_ins);
	see_drop_ins(&run);
	if (run_render(&run, true, sink_collect(&new)) == 0 && !run.report.blind &&
	    (run.origin == ROWS_DATABASE || run.origin == ROWS_LAST_GOOD))
		status = compare(&run, options, &new);
	if (status == EXIT_NOTHING)
		run_print_report(&run, stderr);
	if (ferror(stdout) || fflush(stdout) != 0) {
		(void) fputs("left4me-generator: cannot write to standard output\n", stderr);
		return EXIT_NOTHING;
	}
	return status;
}
