/* The JSON of `left4me-generator status`, whose names left4me-generator(8) documents: status.h. */
#include <signal.h>
#include <sqlite3.h>

#include "report.h"
#include "status.h"

static const char schema[] =
	"CREATE TABLE server (name, state, since, port, port_source, memory, restarts, exit, exit_status, exit_after,"
	"  size, has_unit, enabled, refused, reload, restart, note, waits);"
	"CREATE TABLE build (overlay, state, since, exit, exit_status);"
	"CREATE TABLE refusal (view, row, column_name, server, overlay, reason);"
	"CREATE TABLE directory (path, size);"
	"CREATE TABLE host (whole, waits, reloaded, problems, unknown, left_behind_known);";

/* One value of each row; SQLite's functions make the document: nothing is pasted together. */
static const char document[] =
	"WITH servers AS (SELECT json_group_array(json_object('name', name, 'state', state, 'since', since,"
	"  'port', port, 'port_source', port_source, 'memory', memory, 'restarts', restarts,"
	"  'exit', exit, 'exit_status', exit_status, 'exit_after', exit_after, 'size', size,"
	"  'has_unit', json(iif(has_unit, 'true', 'false')), 'enabled', json(iif(enabled, 'true', 'false')),"
	"  'refused', json(iif(refused, 'true', 'false')),"
	"  'reload', reload, 'restart', restart, 'note', note, 'waits', json(iif(waits, 'true', 'false')))) AS value"
	"  FROM (SELECT * FROM server ORDER BY rowid)),"
	" builds AS (SELECT json_group_array(json_object('overlay', overlay, 'state', state, 'since', since,"
	"  'exit', exit, 'exit_status', exit_status)) AS value"
	"  FROM (SELECT * FROM build WHERE overlay IS NOT NULL ORDER BY rowid)),"
	" updates AS (SELECT json_object('state', state, 'since', since, 'exit', exit, 'exit_status', exit_status) AS value"
	"  FROM build WHERE overlay IS NULL),"
	" refusals AS (SELECT json_group_array(json_object('view', view, 'row', row, 'column', column_name,"
	"  'server', server, 'overlay', overlay, 'reason', reason)) AS value"
	"  FROM (SELECT * FROM refusal ORDER BY rowid)),"
	" directories AS (SELECT json_group_array(json_object('path', path, 'size', size)) AS value"
	"  FROM (SELECT * FROM directory ORDER BY rowid))"
	"SELECT json_object('servers', json((SELECT value FROM servers)),"
	" 'builds', json(iif(whole, (SELECT value FROM builds), 'null')),"
	" 'update', json(ifnull((SELECT value FROM updates), 'null')),"
	" 'refusals', json(iif(whole AND unknown IS NULL, (SELECT value FROM refusals), 'null')),"
	" 'left_behind', json(iif(whole AND left_behind_known, (SELECT value FROM directories), 'null')),"
	" 'reloaded', reloaded, 'problems', iif(reloaded IS NULL, NULL, problems),"
	" 'unknown', unknown, 'waits', json(iif(waits, 'true', 'false'))) FROM host";

/* --- rows ------------------------------------------------------------------------------------------------ */

/* A row is put together value by value; the first error stays until its end. */
struct row {
	sqlite3_stmt *statement;
	int count, error;
};

static struct row begin_row(sqlite3 *db, const char *insert)
{
	struct row row = { .count = 0 };

	row.error = sqlite3_prepare_v2(db, insert, -1, &row.statement, NULL);
	return row;
}

/* NULL is null. */
static void put_string(struct row *row, const char *text)
{
	if (row->error == SQLITE_OK)
		row->error = sqlite3_bind_text(row->statement, ++row->count, text, -1, SQLITE_TRANSIENT);
}

/* A number that is not known, UNIT_UNKNOWN, is null. */
static void put_number(struct row *row, int64_t number)
{
	if (row->error == SQLITE_OK && ++row->count && number != UNIT_UNKNOWN)
		row->error = sqlite3_bind_int64(row->statement, row->count, number);
}

static int end_row(struct row *row)
{
	if (row->error == SQLITE_OK && sqlite3_step(row->statement) != SQLITE_DONE)
		row->error = SQLITE_ERROR;
	(void) sqlite3_finalize(row->statement);
	return row->error == SQLITE_OK ? 0 : -1;
}

/* Seconds of the time of day, of a moment of the monotonic clock; 0 is none. */
static int64_t seconds_of_day(const struct status *status, int64_t moment)
{
	return moment > 0 ? (moment + status->epoch) / USEC_PER_SEC : UNIT_UNKNOWN;
}

/* What ended the main process last: kind and number. */
static void put_end(struct row *row, const struct unit *unit)
{
	bool ended = unit && unit->end_code > 0;

	put_string(row, !ended ? NULL : unit->end_code == CLD_EXITED ? "status" : "signal");
	put_number(row, ended ? unit->end_status : UNIT_UNKNOWN);
}

static int put_server(sqlite3 *db, const struct status *status, const struct server_status *server)
{
	static const char *const sources[] = {
		[PORT_UNKNOWN] = NULL, [PORT_OF_RECORD] = "record", [PORT_OF_UNIT] = "unit",
		[PORT_OF_PROCESS] = "process",
	};
	const struct unit *unit = server->unit;
	struct row row = begin_row(db, "INSERT INTO server VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");

	put_string(&row, server->name);
	put_string(&row, status_word(server));
	put_number(&row, unit && server->state != UNIT_WAITING ? seconds_of_day(status, unit->since) : UNIT_UNKNOWN);
	put_number(&row, server->port ? strtoll(server->port, NULL, 10) : UNIT_UNKNOWN);
	put_string(&row, sources[server->port_source]);
	put_number(&row, unit ? unit->memory : UNIT_UNKNOWN);
	put_number(&row, unit ? unit->restarts : UNIT_UNKNOWN);
	put_end(&row, unit);
	put_number(&row, unit && unit->end_code > 0 ? unit->end_after / USEC_PER_SEC : UNIT_UNKNOWN);
	put_number(&row, server->size);
	put_number(&row, server->has_unit);
	put_number(&row, server->enabled);
	put_number(&row, server->refused);
	put_string(&row, server->reload);
	put_string(&row, server->restart);
	put_string(&row, server->note);
	put_number(&row, server->waits);
	return end_row(&row);
}

static int put_build(sqlite3 *db, const struct status *status, const struct unit *build)
{
	struct row row = begin_row(db, "INSERT INTO build VALUES (?,?,?,?,?)");

	put_number(&row, unit_is_update(build) ? UNIT_UNKNOWN : strtoll(build->name, NULL, 10));
	put_string(&row, build->state == UNIT_FAILED ? "failed" : build->state == UNIT_STOPPING ? "stopping" :
			 build->state == UNIT_WAITING ? "waiting" : "running");
	put_number(&row, build->state != UNIT_WAITING ? seconds_of_day(status, build->since) : UNIT_UNKNOWN);
	put_end(&row, build);
	return end_row(&row);
}

static int put_refusal(sqlite3 *db, const struct refusal *refusal)
{
	struct row row = begin_row(db, "INSERT INTO refusal VALUES (?,?,?,?,?,?)");

	put_string(&row, refusal->view);
	put_number(&row, (int64_t) refusal->row);
	put_string(&row, refusal->column);
	put_string(&row, refusal->instance);
	put_number(&row, refusal->overlay ? strtoll(refusal->overlay, NULL, 10) : UNIT_UNKNOWN);
	put_string(&row, refusal->reason);
	return end_row(&row);
}

static int put_directory(sqlite3 *db, const struct directory_status *directory)
{
	struct row row = begin_row(db, "INSERT INTO directory VALUES (?,?)");

	put_string(&row, directory->path);
	put_number(&row, directory->size);
	return end_row(&row);
}

static int put_host(sqlite3 *db, const struct status *status, const char *unknown)
{
	struct row row = begin_row(db, "INSERT INTO host VALUES (?,?,?,?,?,?)");

	put_number(&row, status->is_whole);
	put_number(&row, status->waits);
	put_number(&row, status->is_whole && status->reloaded != UNIT_UNKNOWN ? (status->reloaded + status->epoch) / USEC_PER_SEC
									      : UNIT_UNKNOWN);
	put_number(&row, (int64_t) status->problems);
	put_string(&row, unknown);
	put_number(&row, status->left_behind_known);
	return end_row(&row);
}

/* --- the document ---------------------------------------------------------------------------------------- */

static int fill(sqlite3 *db, const struct status *status, const struct report *report, const char *unknown)
{
	int r = sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK ? put_host(db, status, unknown) : -1;

	for (size_t i = 0; r == 0 && i < status->count; i++)
		r = put_server(db, status, &status->servers[i]);
	for (size_t i = 0; r == 0 && i < status->build_count; i++)
		r = put_build(db, status, status->builds[i]);
	for (size_t i = 0; r == 0 && i < report->refusal_count; i++)
		r = put_refusal(db, &report->refusals[i]);
	for (size_t i = 0; r == 0 && i < status->left_behind_count; i++)
		r = put_directory(db, &status->left_behind[i]);
	return r;
}

int status_put_json(const struct status *status, const struct report *report, const char *unknown, struct text *out)
{
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;
	int r = -1;

	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    fill(db, status, report, unknown) == 0 &&
	    sqlite3_prepare_v2(db, document, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW) {
		text_printf(out, "%s\n", (const char *) sqlite3_column_text(statement, 0));
		r = 0;
	}
	(void) sqlite3_finalize(statement);
	(void) sqlite3_close(db);
	return r;
}
