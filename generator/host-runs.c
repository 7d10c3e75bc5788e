#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "last-good.h"
#include "name.h"
#include "records.h"

enum { LEFT_BEHIND_NAMED = 10 };

/* Servers and builds as systemd has them, and what servers were started with. */
struct runs {
	const struct units *units;
	const struct records *records;
};

/* Between two runs a server has no port. */
static bool has_process(const struct unit *unit)
{
	return unit_is_up(unit) && unit->state != UNIT_RESTARTING;
}

/* --- one server ------------------------------------------------------------------------------------------ */

/* NULL for a refused one, too: its reason has been said. */
static const struct instance *find_row(const struct model *model, const char *name)
{
	const struct instance *row = model_instance(model, name);

	return row && model_counts(model, row) && !row->refused ? row : NULL;
}

static void check_crashes(const struct unit *unit, const struct instance *row, struct report *report)
{
	cleanup_free char *name = xasprintf(SERVER_UNIT "%s.service", unit->name);
	cleanup_free char *end = unit_end(unit);

	if (unit->state == UNIT_FAILED && row && row->enabled)
		report_problem(report, name, "is down since it failed (%s%s%s): journalctl -u %s", unit->result,
			       end ? ", " : "", end ? end : "", name);
	else if (unit->state != UNIT_FAILED && unit_crashes(unit, time_now(CLOCK_MONOTONIC)))
		report_problem(report, name, "has restarted %" PRId64 " times%s%s; journalctl -u %s", unit->restarts,
			       end ? ", the last: " : "", end ? end : "", name);
}

/* --- ports ----------------------------------------------------------------------------------------------- */

/* The server that was started with that port and is no server of it any more, or NULL. */
static const char *squatter(const struct runs *runs, const struct instance *owner)
{
	for (size_t i = 0; i < runs->records->count; i++) {
		const struct record *record = &runs->records->records[i];

		if (record->port == owner->port && strcmp(record->name, owner->name) != 0 &&
		    has_process(units_find(runs->units, UNIT_SERVER, record->name)))
			return record->name;
	}
	return NULL;
}

static bool has_its_port(const struct runs *runs, const struct instance *row)
{
	const struct record *record = records_find_start(runs->records, row->name);

	return has_process(units_find(runs->units, UNIT_SERVER, row->name)) && (!record || record->port == row->port);
}

static void check_sockets(const struct instance *row, const char *where, const struct sockets *sockets, struct report *report)
{
	for (size_t i = 0; i < sockets->count; i++) {
		const struct port_in_use *in_use = &sockets->list[i];

		if (in_use->port != row->port)
			continue;
		report_problem(report, where, "is to start, but %s port %u is taken by a process of uid %u: ss -lnp 'sport = %u'",
			       in_use->protocol, row->port, in_use->uid, row->port);
		return;
	}
}

static void check_port(const struct runs *runs, const struct model *model, const struct instance *row,
		       const struct sockets *sockets, struct report *report)
{
	cleanup_free char *where = xasprintf("instance '%s'", row->name);
	const char *other = squatter(runs, row);

	if (other && find_row(model, other))   /* a restart may want a reload first, or the port of a third */
		report_problem(report, where, "its port %u is held by " SERVER_UNIT "%s.service, which was started before its row had "
			       "another port: left4me-generator plan --commands", row->port, other);
	else if (other)
		report_problem(report, where, "its port %u is held by " SERVER_UNIT "%s.service, which runs without a row: "
			       "systemctl stop " SERVER_UNIT "%s.service", row->port, other, other);
	else if (row->enabled && !has_its_port(runs, row))
		check_sockets(row, where, sockets, report);
}

/* --- directories that earlier servers left ---------------------------------------------------------------- */

static void check_left_behind(const char *root, const struct model *model, const struct runs *runs, const struct look *found,
			      struct report *report)
{
	cleanup_text struct text names = TEXT_EMPTY;
	size_t count = 0;

	for (size_t i = 0; i < found->count; i++) {
		const struct found *directory = &found->found[i];

		if (directory->kind != FOUND_RUNTIME || model_instance(model, directory->name) ||
		    unit_is_up(units_find(runs->units, UNIT_SERVER, directory->name)))
			continue;
		if (count++ < LEFT_BEHIND_NAMED)
			text_join(&names, ", ", "%s", directory->name);
	}
	if (count > LEFT_BEHIND_NAMED)
		text_printf(&names, " and %zu more", count - LEFT_BEHIND_NAMED);
	if (count > 0)
		report_warning(report, root, "runtime has files of servers without a row, which a new server of that "
			       "name would inherit; remove them: %s", text_string(&names));
}

static void check_inherited(const char *root, const struct model *model, const struct look *found, struct report *report)
{
	for (size_t i = 0; i < model->instance_count; i++) {
		const struct instance *row = &model->instances[i];
		cleanup_free char *where = xasprintf("instance '%s'", row->name);

		if (look_is_inherited(found, row->name, row->created))
			report_warning(report, where, "%s/runtime/%s is older than the row: it has files of an earlier server of "
				       "that name; stop the server and remove the directory, unless they are meant", root, row->name);
	}
}

static void check_directories(const char *root, const struct model *model, const struct runs *runs, const struct look *found,
			      struct report *report)
{
	check_left_behind(root, model, runs, found, report);
	check_inherited(root, model, found, report);
}

/* --- all of them ----------------------------------------------------------------------------------------- */

/* The link that has the rows fetched later is there when they were not the database's; want_activate() in render.c. */
static void check_origin(const char *database, struct report *report)
{
	struct stat st;

	if (lstat(GENERATOR_DIRECTORY "/timers.target.wants/left4me-activate.timer", &st) < 0)
		return;
	report_problem(report, database, "can be read now, but what systemd has loaded was made %s: "
		       "systemctl restart left4me-activate.service",
		       access(LAST_GOOD, F_OK) == 0 ? "from the rows of an earlier reading" : "without its rows");
}

void host_check_runs(enum rows_origin origin, const struct config *config, const struct model *model, const struct look *look,
		     const struct host_questions *questions, struct report *report)
{
	const struct units *units = &questions->units;
	cleanup(records_done) struct records records = RECORDS_NONE;
	const struct runs runs = { units, &records };

	records_read("", &records);
	if (origin == ROWS_DATABASE)
		check_origin(config->host.database, report);
	for (size_t i = 0; i < units->count; i++)
		if (units->units[i].kind == UNIT_SERVER)
			check_crashes(&units->units[i], find_row(model, units->units[i].name), report);
	for (size_t i = 0; i < model->instance_count; i++)
		if (!model->instances[i].refused)
			check_port(&runs, model, &model->instances[i], &questions->sockets, report);
	if (origin == ROWS_DATABASE)
		check_directories(config->host.root, model, &runs, look, report);
}
