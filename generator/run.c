#include "run.h"

#include <errno.h>
#include <unistd.h>

#include "last-good.h"
#include "screen.h"

void run_done(struct run *run)
{
	running_done(&run->running);
	drop_ins_done(&run->drop_ins);
	model_done(&run->model);
	rows_done(&run->rows);
	reader_done(&run->reader);
	config_done(&run->config);
	report_done(&run->report);
}

void run_read_config(struct run *run, const struct options *options, bool on_target)
{
	const struct config_source source = {
		.prefix = options->prefix, .path = options->config, .on_target = on_target,
		/* a check by another user on the host itself judges as root would */
		.root_owned = geteuid() == 0 || (on_target && !*options->prefix && !options->config),
	};

	if (!options->no_database)
		reader_fork(&run->reader);
	config_load(&source, &run->report, &run->config);
}

/* NULL, or why the rows of a view that is out of all proportion count for nothing; owned by the caller. */
static char *refuse_flood(const struct config *config, const struct rows *rows)
{
	const struct {
		enum view view;
		const char *key;
		size_t limit;
	} limits[] = {
		{ VIEW_INSTANCES, "servers", config->server_limit },
		{ VIEW_OVERLAYS, "overlays", config->overlay_limit },
	};

	for (size_t i = 0; i < ELEMENTS(limits); i++)
		if (rows->of[limits[i].view].count > ROWS_PER_UNIT_MAX * limits[i].limit)
			return xasprintf("view %s: has %zu rows, more than %d times [host] %s = %zu",
					 views[limits[i].view].name, rows->of[limits[i].view].count,
					 ROWS_PER_UNIT_MAX, limits[i].key, limits[i].limit);
	return NULL;
}

/* Takes the last good rows where there are any; reports what became of the database. */
static void fall_back(struct run *run, const char *database, const char *reason, const char *last_good)
{
	int r = last_good ? last_good_read(last_good, &run->rows) : -ENOENT;
	long age = last_good ? last_good_age(last_good) : -1;
	cleanup_free char *ago = duration_in_words(age * USEC_PER_SEC, false);

	run->origin = r == 0 ? ROWS_LAST_GOOD : ROWS_NONE;
	if (r == 0 || (r == -EACCES && age >= 0))      /* a check by another user than root says what root would */
		report_problem(&run->report, database, "%s; the rows of %s ago are used", reason, ago);
	else if (last_good)
		report_problem(&run->report, database, "%s; there are no servers until it can be read", reason);
	else
		report_problem(&run->report, database, "%s", reason);
}

int run_read_rows(struct run *run, const struct options *options, const char *last_good)
{
	const char *database = options->database ? options->database : run->config.host.database;
	cleanup_free char *path = xasprintf("%s%s", options->prefix, database);
	cleanup_free char *reason = NULL;
	bool denied;

	run->origin = ROWS_DATABASE;
	reader_start(&run->reader, path, run->config.host.uid, run->config.host.gid);
	if (reader_finish(&run->reader, &run->rows, &reason, &denied) == 0) {
		reason = refuse_flood(&run->config, &run->rows);
		if (!reason)
			return 0;
		rows_done(&run->rows);
	}
	run->report.blind |= denied;
	fall_back(run, database, reason, last_good);
	return -1;
}

void run_build_model(struct run *run)
{
	model_build(&run->config, &run->rows, &run->report, &run->model);
}

int run_render_host(const struct run *run, struct sink *sink)
{
	const struct render_sources sources = { .config = &run->config };

	return render_host(&sources, sink);
}

int run_render_origin(const struct run *run, struct sink *sink)
{
	const struct render_sources sources = { .config = &run->config, .origin = run->origin, .is_slow = run->is_slow };

	return render_origin(&sources, sink);
}

int run_render_rows(const struct run *run, struct sink *sink)
{
	const struct render_sources sources = {
		.config = &run->config, .model = &run->model, .running = &run->running, .origin = run->origin, .drop_ins = &run->drop_ins,
	};

	return render_rows(&sources, sink);
}

int run_render(const struct run *run, bool with_rows, struct sink *sink)
{
	return sink->finish(sink, run_render_host(run, sink) == 0 && run_render_origin(run, sink) == 0 &&
			    (!with_rows || run_render_rows(run, sink) == 0));
}

char *run_counts(const struct run *run)
{
	const struct model *model = &run->model;
	cleanup_free char *refused = model->refused > 0 ? xasprintf(", %zu refused", model->refused) : NULL;

	return xasprintf("%zu server%s, %zu overlay%s%s", model->instance_count, model->instance_count == 1 ? "" : "s",
			 model->overlay_count, model->overlay_count == 1 ? "" : "s", refused ? refused : "");
}

void run_print_report(const struct run *run, FILE *file)
{
	cleanup_text struct text lines = TEXT_EMPTY, wrapped = TEXT_EMPTY;
	unsigned columns = screen_columns();

	report_write(&run->report, &lines);
	if (isatty(fileno(file))) {
		for (char *line = lines.data, *end; line && *line; line = end + 1) {
			end = strchr(line, '\n');
			*end = '\0';
			screen_put_wrapped(&wrapped, line, 0, 2, columns > 0 ? columns : 80);
		}
	}
	(void) fputs(text_string(wrapped.data ? &wrapped : &lines), file);
	(void) fflush(file);
}
