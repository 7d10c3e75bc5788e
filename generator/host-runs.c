#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "manager.h"
#include "name.h"
#include "sockets.h"

/* A server that has restarted so often and has not run for that long since, in seconds, crashes again and again. */
enum { RESTARTS_MANY = 3, RUNS_WELL = 600 };

/* A server that systemd has loaded. */
struct server {
	const char *unit;
	const struct instance *row;    /* NULL: none */
	size_t at;                     /* in `shown` */
};

struct servers {
	struct shown shown;
	struct server *of;             /* by unit */
	size_t count;
	long long now;                 /* seconds of the clock that systemd's timestamps have */
};

static const char *value(const struct servers *servers, const struct server *server, const char *property)
{
	const char *text = shown_value(&servers->shown, server->at, property);

	return text ? text : "";
}

static long long number(const struct servers *servers, const struct server *server, const char *property)
{
	return shown_number(&servers->shown, server->at, property);
}

static long long seconds(const struct servers *servers, const struct server *server, const char *timestamp)
{
	return number(servers, server, timestamp) / 1000000;
}

/* Between a crash and the next start. */
static bool waits_for_restart(const struct servers *servers, const struct server *server)
{
	static const char start[] = "auto-restart";    /* and "auto-restart-queued" */

	return strncmp(value(servers, server, "SubState"), start, sizeof(start) - 1) == 0;
}

/* --- crashes --------------------------------------------------------------------------------------------- */

/* How the last run ended, owned by the caller. */
static char *last_end(const struct servers *servers, const struct server *server)
{
	long long code = number(servers, server, "ExecMainCode"), status = number(servers, server, "ExecMainStatus");
	long long lasted = seconds(servers, server, "ExecMainExitTimestampMonotonic") -
			   seconds(servers, server, "ExecMainStartTimestampMonotonic");

	if (code == 0 || lasted < 0)
		return xstrdup("before the game ran");
	return xasprintf("%s %lld after %lld s", code == 1 ? "exit status" : "signal", status, lasted);
}

static void report_restarts(const struct servers *servers, const struct server *server, const char *last,
			    struct report *report)
{
	report_problem(report, server->unit, "has restarted %lld times, the last %s: journalctl -u %s",
		       number(servers, server, "NRestarts"), last, server->unit);
}

static void check_crashes(const struct servers *servers, const struct server *server, struct report *report)
{
	const char *state = value(servers, server, "ActiveState");
	bool many = number(servers, server, "NRestarts") >= RESTARTS_MANY;
	long long runs = servers->now - seconds(servers, server, "ActiveEnterTimestampMonotonic");
	cleanup_free char *end = last_end(servers, server);
	cleanup_free char *ended = xasprintf("end was %s", end), *started = xasprintf("time %lld s ago", runs);

	if (many && strcmp(state, "active") == 0 && runs < RUNS_WELL)
		report_restarts(servers, server, started, report);
	else if (many && strcmp(state, "active") != 0 && strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0)
		report_restarts(servers, server, ended, report);
	else if (strcmp(state, "failed") == 0 && server->row && !server->row->refused && server->row->enabled)
		report_problem(report, server->unit, "is down since it failed (%s), the last end was %s: journalctl -u %s",
			       value(servers, server, "Result"), end, server->unit);
}

/* --- ports ----------------------------------------------------------------------------------------------- */

/* Whether it has its port or is about to take it. */
static bool is_up(const struct servers *servers, const struct server *server)
{
	const char *state = value(servers, server, "ActiveState");

	return strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0 &&
	       !waits_for_restart(servers, server);
}

static const struct server *find_server(const struct servers *servers, const struct instance *row)
{
	for (size_t i = 0; i < servers->count; i++)
		if (servers->of[i].row == row)
			return &servers->of[i];
	return NULL;
}

static void check_port(const struct instance *row, const struct sockets *sockets, struct report *report)
{
	cleanup_free char *where = xasprintf("instance '%s'", row->name);

	for (size_t i = 0; i < sockets->count; i++) {
		const struct port_in_use *in_use = &sockets->of[i];

		if (in_use->port != row->port)
			continue;
		report_problem(report, where, "is to start, but %s port %u is taken by a process of uid %u: ss -lnp 'sport = %u'",
			       in_use->protocol, row->port, in_use->uid, row->port);
		return;
	}
}

/* --- all of them ----------------------------------------------------------------------------------------- */

static int compare_names(const void *key, const void *row)
{
	return strcmp(key, ((const struct instance *) row)->name);
}

static int compare_units(const void *a, const void *b)
{
	return strcmp(((const struct server *) a)->unit, ((const struct server *) b)->unit);
}

static const struct instance *find_row(const struct model *model, const char *unit)
{
	const char *start = unit + strlen(SERVER_UNIT), *end = strrchr(start, '.');
	cleanup_free char *name = xasprintf("%.*s", (int) (end - start), start);

	return bsearch(name, model->instances, model->instance_count, sizeof(*model->instances), compare_names);
}

static int read_servers(const struct model *model, struct servers *ret_servers)
{
	static const char properties[] = "Id,ActiveState,SubState,Result,NRestarts,ActiveEnterTimestampMonotonic,ExecMainCode,"
		"ExecMainStatus,ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic";
	struct servers servers = { .shown = SHOWN_EMPTY };
	struct timespec now;

	if (manager_show(properties, (const char *const[]){ SERVER_UNIT "*.service", NULL }, &servers.shown) < 0)
		return -EIO;
	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	servers.now = now.tv_sec;
	servers.of = xcalloc(servers.shown.count + 1, sizeof(*servers.of));
	for (size_t i = 0; i < servers.shown.count; i++) {
		const char *unit = shown_value(&servers.shown, i, "Id");

		if (unit && strncmp(unit, SERVER_UNIT, strlen(SERVER_UNIT)) == 0)
			servers.of[servers.count++] = (struct server){ unit, find_row(model, unit), i };
	}
	sort_array(servers.of, servers.count, sizeof(*servers.of), compare_units);
	*ret_servers = servers;
	return 0;
}

static void servers_done(struct servers *servers)
{
	shown_done(&servers->shown);
	free(servers->of);
}

/* The link that has the rows fetched later is there when they were not the database's; put_activate() in render.c. */
static void check_origin(const char *database, struct report *report)
{
	struct stat st;

	if (lstat(GENERATOR_DIRECTORY "/multi-user.target.wants/left4me-activate.service", &st) < 0)
		return;
	report_problem(report, database, "can be read now, but what systemd has loaded was made %s: "
		       "systemctl start left4me-activate.service",
		       access("/run/left4me/last-good", F_OK) == 0 ? "from the rows of an earlier reading" : "without its rows");
}

void host_check_runs(enum rows_origin origin, const struct config *config, const struct model *model, struct report *report)
{
	cleanup(sockets_done) struct sockets sockets = { NULL, 0 };
	cleanup(servers_done) struct servers servers = { .shown = SHOWN_EMPTY };

	if (origin == ROWS_DATABASE)
		check_origin(config->host.database, report);
	/* The sockets first: a server that starts in between is up by then, and no stranger on its own port. */
	sockets_read(config->port_first, config->port_last, &sockets);
	if (read_servers(model, &servers) < 0) {
		report->blind = true;
		report_problem(report, SERVER_UNIT "*.service", "systemctl show does not answer");
		return;
	}
	for (size_t i = 0; i < servers.count; i++)
		check_crashes(&servers, &servers.of[i], report);
	for (size_t i = 0; i < model->instance_count; i++) {
		const struct instance *row = &model->instances[i];
		const struct server *server = find_server(&servers, row);

		if (row->enabled && !row->refused && !(server && is_up(&servers, server)))
			check_port(row, &sockets, report);
	}
}
