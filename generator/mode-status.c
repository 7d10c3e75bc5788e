#include <unistd.h>

#include "escape.h"
#include "log.h"
#include "manager.h"
#include "name.h"
#include "run.h"
#include "screen.h"
#include "status.h"

/* --- what is asked ---------------------------------------------------------------------------------------- */

static int PRINTF_LIKE(1, 2) give_up(const char *format, ...)
{
	cleanup_free char *message = NULL, *shown = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = xvasprintf(format, arguments);
	va_end(arguments);
	shown = escape_message(message);       /* a name may hold anything */
	log_line(LOG_WARNING, "%s", shown);
	return EXIT_NOTHING;
}

/* Why there are no rows of now, owned by the caller; NULL when there are. */
static char *read_rows(struct run *run, const struct options *options)
{
	size_t before = run->report.count;

	if (run_read_rows(run, options, NULL) < 0)
		return xstrdup(before < run->report.count ? run->report.lines[before] : "the database cannot be read");
	run_build_model(run);
	return NULL;
}

/* What a reload would make of the rows; nothing where a file of the configuration cannot be read, as root's reload would. */
static bool render_rows_of_now(struct run *run, struct collection *ret_next)
{
	struct sink *sink = sink_collect(ret_next);

	drop_ins_read("", &run->drop_ins);
	return sink->finish(sink, run_render_rows(run, sink) == 0) == 0 && !run->report.blind;
}

static void look_below_root(const struct run *run, const struct units *units, const struct records *records, bool sizes,
			    struct look *ret_look)
{
	struct look_request request = {
		.root = run->config.host.root, .uid = run->config.host.uid, .gid = run->config.host.gid, .sizes = sizes,
	};
	cleanup_free pid_t *pids = status_unrecorded(units, records, &request.pid_count);

	request.pids = pids;
	look(&request, ret_look);
}

/* --- what is answered ------------------------------------------------------------------------------------- */

/* https://no-color.org */
static bool has_colour(void)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && terminal && strcmp(terminal, "dumb") != 0;
}

static int print_status(const struct status *status, const struct run *run, const struct options *options,
			const char *unknown)
{
	const struct status_screen screen = {
		.columns = screen_columns(), .colour = has_colour(), .sizes = options->sizes, .unknown = unknown,
	};
	cleanup_text struct text out = TEXT_EMPTY;

	if (!options->json)
		status_put_table(status, &screen, &out);
	else if (status_put_json(status, &run->report, unknown, &out) < 0)
		return -1;
	(void) fputs(text_string(&out), stdout);
	return fflush(stdout) == 0 ? 0 : -1;
}

static int mark(const char *name, bool is_set)
{
	cleanup_free char *unit = xasprintf(SERVER_UNIT "%s.service", name);
	const char *const command[] = {
		"/usr/bin/systemctl", "set-property", "--runtime", "--", unit,
		is_set ? "Markers=+needs-restart" : "Markers=-needs-restart", NULL,
	};
	cleanup_text struct text out = TEXT_EMPTY;

	return manager_run(command, &out);
}

static bool is_marked(const struct shown *shown, size_t i)
{
	const char *markers = i < shown->count ? shown_value(shown, i, "Markers") : NULL;

	return markers && strstr(markers, "needs-restart");
}

/* Not one that could not start again. */
static bool is_to_mark(const struct server_status *server)
{
	return server->restart && !server->restart_fails;
}

/* What was marked earlier and is not to be now: it would be restarted for nothing. */
static int unmark_servers(const struct status *status)
{
	cleanup_free char **units = xcalloc(status->count + 1, sizeof(*units));
	cleanup_free const char **names = xcalloc(status->count + 1, sizeof(*names));
	cleanup(question_done) struct question question = QUESTION_NONE;
	cleanup(shown_done) struct shown shown = SHOWN_EMPTY;
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < status->count; i++)
		if (status->servers[i].restart_known && !is_to_mark(&status->servers[i])) {
			names[count] = status->names[i];
			units[count++] = xasprintf(SERVER_UNIT "%s.service", status->names[i]);
		}
	if (count > 0)
		manager_ask_show("Markers", (const char *const *) units, &question);
	if (count > 0 && manager_answer_show(&question, &shown) < 0)
		r = give_up("systemd does not say which servers are marked");
	for (size_t i = 0; i < count; i++)
		if (is_marked(&shown, i) && mark(names[i], false) != 0)
			r = give_up("the mark of " SERVER_UNIT "%s.service cannot be taken back; are you root?", names[i]);
	for (size_t i = 0; i < count; i++)
		free(units[i]);
	return r;
}

/* For `systemctl reload-or-restart --marked`. JSON is alone on standard output. */
static int mark_servers(const struct status *status, bool quiet)
{
	cleanup_text struct text marked = TEXT_EMPTY;
	int r = unmark_servers(status);

	for (size_t i = 0; i < status->count; i++) {
		if (!is_to_mark(&status->servers[i]))
			continue;
		if (mark(status->names[i], true) == 0)
			text_join(&marked, " ", "%s", status->names[i]);
		else
			r = give_up(SERVER_UNIT "%s.service cannot be marked; are you root?", status->names[i]);
	}
	if (!quiet && marked.length > 0)
		(void) printf("marked: %s; they restart with: systemctl reload-or-restart --marked\n", text_string(&marked));
	else if (!quiet && r == 0)
		(void) puts("marked: none, no server waits for a restart that would succeed");
	return fflush(stdout) == 0 ? r : give_up("cannot write to standard output");
}

/* EXIT_CLEAN where each name that is asked for is a server's. */
static int check_names(const struct options *options, const struct status *status, const struct model *model)
{
	for (size_t i = 0; i < options->word_count; i++) {
		const char *name = options->words[i];

		if (!status_has(status, name) && model && model_is_beyond(model, name))
			return give_up("server '%s' is beyond [host] servers, which gives it no unit", name);
		if (!status_has(status, name))
			return give_up("there is no server '%s'", name);
	}
	return EXIT_CLEAN;
}

int mode_status(const struct options *options)
{
	cleanup(run_done) struct run run = RUN_EMPTY;
	cleanup(units_done) struct units units = UNITS_NONE;
	cleanup(records_done) struct records records = RECORDS_NONE;
	cleanup(collection_done) struct collection next = COLLECTION_EMPTY;
	cleanup(look_done) struct look found = LOOK_EMPTY;
	cleanup(status_done) struct status status = { .count = 0 };
	struct status_sources sources = {
		.prefix = "", .units = &units, .records = &records, .look = &found,
		.only = options->words, .only_count = options->word_count,
	};
	cleanup_free char *unknown = NULL, *silence = NULL;
	int r;

	run_read_config(&run, options, true);
	unknown = read_rows(&run, options);
	sources.model = unknown ? NULL : &run.model;
	sources.refuses = !unknown && run.report.refusal_count > 0;
	sources.next = !unknown && render_rows_of_now(&run, &next) ? &next : NULL;
	sources.drop_ins_unseen = run.drop_ins.unseen;
	r = units_ask(false, &units);
	if (r < 0) {
		silence = manager_silence(-r);
		return give_up("systemd %s", silence);
	}
	records_read("", &records);
	look_below_root(&run, &units, &records, options->sizes, &found);
	status_build(&sources, &status);
	if (check_names(options, &status, sources.model) != EXIT_CLEAN)
		return EXIT_NOTHING;
	if (print_status(&status, &run, options, unknown) < 0)
		return give_up("cannot write to standard output");
	if (options->mark && mark_servers(&status, options->json) != 0)
		return EXIT_NOTHING;
	return status.waits ? EXIT_PROBLEMS : EXIT_CLEAN;
}
