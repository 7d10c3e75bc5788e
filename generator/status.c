#include "status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "name.h"
#include "started.h"

#define SECOND INT64_C(1000000)

/* --- words ----------------------------------------------------------------------------------------------- */

const char *status_word(const struct server_status *server)
{
	static const char *const words[] = {
		[UNIT_STOPPED] = "stopped", [UNIT_STARTING] = "starting", [UNIT_RUNNING] = "running",
		[UNIT_RESTARTING] = "restarting", [UNIT_STOPPING] = "stopping", [UNIT_FAILED] = "failed",
	};
	bool is_down = server->state == UNIT_STOPPED || server->state == UNIT_FAILED;

	return server->refused && is_down ? "refused" : words[server->state];
}

char *status_duration(int64_t microseconds, bool is_short)
{
	static const struct {
		int64_t below, seconds;        /* so many of this unit are said in the next one */
		const char *one, *word;
	} units[] = {
		{ 60, 1, "s", "s" }, { 60, 60, "m", "min" }, { 48, 3600, "h", "h" }, { INT64_MAX, 86400, "d", "d" },
	};
	int64_t seconds = microseconds > 0 ? microseconds / SECOND : 0;
	size_t i = 0;

	while (seconds / units[i].seconds >= units[i].below)
		i++;
	return xasprintf("%" PRId64 "%s%s", seconds / units[i].seconds, is_short ? "" : " ",
			 is_short ? units[i].one : units[i].word);
}

char *status_end(const struct unit *unit)
{
	static const char *const words[] = { "oom-kill", "timeout", "watchdog" };
	cleanup_free char *after = status_duration(unit->end_after, false);
	cleanup_free char *how = NULL;

	for (size_t i = 0; i < ELEMENTS(words); i++)
		if (strcmp(unit->result, words[i]) == 0)
			how = xstrdup(words[i]);
	if (unit->end_code == 0)
		return strcmp(unit->result, "success") != 0 ? xasprintf("its start failed: %s", unit->result) : NULL;
	if (!how)
		how = xasprintf("%s %" PRId64 "%s", unit->end_code == 1 ? "exit status" : "signal", unit->end_status,
				unit->end_code == 3 ? " with a core" : "");
	return xasprintf("%s after %s", how, after);
}

static void PRINTF_LIKE(2, 3) note(struct text *notes, const char *format, ...)
{
	va_list arguments;
	cleanup_free char *words = NULL;

	va_start(arguments, format);
	words = xvasprintf(format, arguments);
	va_end(arguments);
	if (notes->length > 0)
		text_puts(notes, "; ");
	text_puts(notes, words);
}

/* --- names ----------------------------------------------------------------------------------------------- */

static void add_name(struct status *status, const char *name, size_t length)
{
	char *copy = xasprintf("%.*s", (int) length, name);

	if (!valid_name(copy)) {
		free(copy);
		return;
	}
	status->names = grow_array(status->names, status->count, sizeof(*status->names));
	status->names[status->count++] = copy;
}

/* The names that stand between `before` and `after` in those of the files of a directory. */
static void add_files(struct status *status, const char *prefix, const char *directory, const char *before,
		      const char *after)
{
	cleanup_free char *path = xasprintf("%s%s", prefix, directory);
	size_t start = strlen(before), end = strlen(after);
	const struct dirent *entry;
	DIR *dir = opendir(path);

	while (dir && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);

		if (length > start + end && strncmp(entry->d_name, before, start) == 0 &&
		    strcmp(entry->d_name + length - end, after) == 0)
			add_name(status, entry->d_name + start, length - start - end);
	}
	if (dir)
		(void) closedir(dir);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool is_asked_for(const struct status_sources *sources, const char *name)
{
	bool asked = sources->only_count == 0;

	for (size_t i = 0; !asked && i < sources->only_count; i++)
		asked = strcmp(sources->only[i], name) == 0;
	return asked;
}

/* Each name once, and only what is asked for. */
static void settle_names(const struct status_sources *sources, struct status *status)
{
	size_t kept = 0;

	if (status->count > 0)
		qsort(status->names, status->count, sizeof(*status->names), compare_names);
	for (size_t i = 0; i < status->count; i++) {
		char *name = status->names[i];

		if ((kept > 0 && strcmp(status->names[kept - 1], name) == 0) || !is_asked_for(sources, name))
			free(name);
		else
			status->names[kept++] = name;
	}
	status->count = kept;
}

/* A unit that is loaded and stopped, and has neither row nor file, is only a name that somebody has mentioned. */
static void collect_names(const struct status_sources *sources, struct status *status)
{
	add_files(status, sources->prefix, GENERATOR_DIRECTORY, SERVER_UNIT, ".service");
	add_files(status, sources->prefix, STARTED_RECORDS, "", "");
	for (size_t i = 0; i < sources->units->count; i++) {
		const struct unit *unit = &sources->units->units[i];

		if (!unit->is_build && unit->state != UNIT_STOPPED)
			add_name(status, unit->name, strlen(unit->name));
	}
	for (size_t i = 0; sources->model && i < sources->model->instance_count; i++)
		add_name(status, sources->model->instances[i].name, strlen(sources->model->instances[i].name));
	settle_names(sources, status);
}

/* --- one server ------------------------------------------------------------------------------------------ */

/* The text of a file that root has made; NULL if there is none. */
static char *read_text(const char *prefix, const char *directory, const char *before, const char *name,
		       const char *after)
{
	cleanup_free char *path = xasprintf("%s%s/%s%s%s", prefix, directory, before, name, after);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct text text = TEXT_EMPTY;

	if (fd < 0 || text_read(&text, fd) < 0) {
		text_done(&text);
		return NULL;
	}
	text_puts(&text, "");
	return text_take(&text);
}

static const struct instance *find_row(const struct model *model, const char *name)
{
	for (size_t i = 0; model && i < model->instance_count; i++)
		if (strcmp(model->instances[i].name, name) == 0)
			return &model->instances[i];
	return NULL;
}

static void see_host_env(struct started *started, const char *prefix)
{
	cleanup_free char *path = xasprintf("%s/etc/left4me/host.env", prefix);
	struct stat state;

	if (stat(path, &state) == 0)
		started_see_host_env(started, &state);
	else if (errno == ENOENT)
		started_see_host_env(started, &(struct stat){ .st_size = 0 });
}

/* What the server was started with, and what it would be started with; both empty where nobody can tell. */
struct starts {
	struct started then, next;
	bool recorded;
};

static void starts_done(struct starts *starts)
{
	started_done(&starts->then);
	started_done(&starts->next);
}

static void read_starts(const struct status_sources *sources, const char *name, const char *unit,
			struct starts *ret_starts)
{
	cleanup_free char *record = xasprintf("%s" STARTED_RECORDS "/%s", sources->prefix, name);

	ret_starts->recorded = started_read_record(record, &ret_starts->then);
	started_of_unit(unit ? unit : "", &ret_starts->next);
	look_see_layers(sources->look, &ret_starts->next);
	see_host_env(&ret_starts->next, sources->prefix);
}

static bool is_up(const struct server_status *server)
{
	return server->state != UNIT_STOPPED && server->state != UNIT_FAILED;
}

static void set_port(struct server_status *server, const struct starts *starts, const struct look *look)
{
	const char *then = started_value(&starts->then, STARTED_PORT);
	const char *next = started_value(&starts->next, STARTED_PORT);
	cleanup_free char *pid = server->unit ? xasprintf("%ld", (long) server->unit->pid) : NULL;
	const struct found *found = pid ? look_find(look, FOUND_PORT, pid) : NULL;
	bool runs = server->state == UNIT_RUNNING;

	server->next_port = next ? xstrdup(next) : NULL;
	if (is_up(server) && then)
		server->port_source = PORT_OF_RECORD;
	else if (runs && found)
		server->port_source = PORT_OF_PROCESS;
	else if (!runs && next)
		server->port_source = PORT_OF_UNIT;
	if (server->port_source == PORT_OF_PROCESS)
		server->port = xasprintf("%" PRId64, found->number);
	else if (server->port_source != PORT_UNKNOWN)
		server->port = xstrdup(server->port_source == PORT_OF_RECORD ? then : next);
}

static void note_restart(struct server_status *server, const struct starts *starts, struct text *notes)
{
	struct text words = TEXT_EMPTY;

	if (server->state != UNIT_RUNNING || !server->has_unit || server->refused)
		return;
	if (!starts->recorded) {
		note(notes, "started without a record: what waits for a restart is unknown");
		return;
	}
	if (started_compare(&starts->then, &starts->next, &words)) {
		server->restart = text_take(&words);
		server->waits = true;
		note(notes, "restart: %s", server->restart);
	}
	text_done(&words);
}

/* The record goes when the overlay is unmounted. */
static void note_mount(struct server_status *server, const struct starts *starts, struct text *notes)
{
	if (!starts->recorded || is_up(server))
		return;
	note(notes, "still mounted: systemctl start left4me-unmount@%s", server->name);
	server->waits = true;
}

static void note_end(struct server_status *server, int64_t now, struct text *notes)
{
	const struct unit *unit = server->unit;
	bool is_over = server->state == UNIT_RESTARTING || server->state == UNIT_FAILED;
	bool is_loop = unit && unit_crashes(unit, now);
	cleanup_free char *end = unit && is_over ? status_end(unit) : NULL;
	cleanup_free char *restarts = NULL;

	if (!unit || server->refused)
		return;
	server->waits |= is_over || is_loop;
	if (unit->restarts > 0)
		restarts = xasprintf("%" PRId64 " restart%s", unit->restarts, unit->restarts == 1 ? "" : "s");
	if (restarts && end)
		note(notes, "%s%s, the last: %s", server->state == UNIT_FAILED ? "given up after " : "", restarts, end);
	else if (restarts || end)
		note(notes, "%s", restarts ? restarts : end);
}

/* A reload starts nothing. It may be meant, so it does not wait for anybody. */
static void note_enabled(const struct server_status *server, struct text *notes)
{
	if (server->state == UNIT_STOPPED && server->enabled && !server->refused)
		note(notes, "enabled, not started");
}

/* What the database says by now, and the last reload did not know; `model` is NULL where nobody can tell. */
static void note_row(struct server_status *server, const struct model *model, struct text *notes)
{
	const struct instance *row = find_row(model, server->name);

	if (!server->has_unit && is_up(server))
		note(notes, row ? "its row is new" :
			    model ? "not in the database" : "the last reload found no row of it");
	server->waits |= !server->has_unit && is_up(server);
	if (!model || (row != NULL) == server->has_unit)
		return;
	note(notes, row ? "waits for a reload" : "its row is gone: waits for a reload");
	server->waits = true;
}

static bool is_enabled(const char *prefix, const char *name)
{
	cleanup_free char *link = xasprintf("%s" GENERATOR_DIRECTORY "/left4me.target.wants/" SERVER_UNIT "%s.service",
					    prefix, name);
	struct stat st;

	return lstat(link, &st) == 0;
}

static void judge(const struct status_sources *sources, struct server_status *server, int64_t now)
{
	cleanup_free char *unit = read_text(sources->prefix, GENERATOR_DIRECTORY, SERVER_UNIT, server->name, ".service");
	cleanup_free char *reason = unit ? started_refusal(unit) : NULL;
	cleanup(starts_done) struct starts starts;
	const struct found *size = look_find(sources->look, FOUND_RUNTIME_SIZE, server->name);
	cleanup_text struct text notes = TEXT_EMPTY;

	server->unit = units_find(sources->units, false, server->name);
	server->state = server->unit ? server->unit->state : UNIT_STOPPED;
	server->has_unit = unit != NULL;
	server->enabled = is_enabled(sources->prefix, server->name);
	server->refused = reason != NULL;
	server->waits = server->refused;
	server->size = size ? size->number : UNIT_UNKNOWN;
	read_starts(sources, server->name, unit, &starts);
	set_port(server, &starts, sources->look);
	if (reason)
		note(&notes, is_up(server) ? "refused: %s" : "%s", reason);
	note_row(server, sources->model, &notes);
	note_enabled(server, &notes);
	note_restart(server, &starts, &notes);
	note_end(server, now, &notes);
	note_mount(server, &starts, &notes);
	text_puts(&notes, "");
	server->note = text_take(&notes);
}

/* --- one against the other ------------------------------------------------------------------------------- */

/* Who would have that port at the next start; NULL for nobody else. */
static const char *owner_of_port(const struct status *status, const struct server_status *server)
{
	for (size_t i = 0; i < status->count; i++) {
		const struct server_status *other = &status->servers[i];

		if (other != server && other->next_port && strcmp(other->next_port, server->port) == 0)
			return other->name;
	}
	return NULL;
}

/* A server that runs without a row, or still with an earlier one, may have what is another's by now. */
static void note_owners(struct status *status)
{
	for (size_t i = 0; i < status->count; i++) {
		struct server_status *server = &status->servers[i];
		const char *owner = NULL;

		if (is_up(server) && server->port && server->port_source != PORT_OF_UNIT &&
		    (server->restart || !server->has_unit || server->refused))
			owner = owner_of_port(status, server);
		if (owner) {
			cleanup_free char *before = server->note;

			server->note = xasprintf("%s%sholds the port of %s", before, *before ? "; " : "", owner);
			server->waits = true;
		}
	}
}

/* --- the rest of the host -------------------------------------------------------------------------------- */

static void collect_builds(const struct units *units, struct status *status)
{
	for (size_t i = 0; i < units->count; i++) {
		const struct unit *unit = &units->units[i];

		if (!unit->is_build || unit->state == UNIT_STOPPED)
			continue;
		status->builds = grow_array(status->builds, status->build_count, sizeof(*status->builds));
		status->builds[status->build_count++] = unit;
		status->waits |= unit->state == UNIT_FAILED;
	}
}

/* Each reload writes the report anew: a line for each problem, and for warnings. */
static void read_report(const char *prefix, struct status *status)
{
	static const char warning[] = "warning: ";
	cleanup_free char *path = xasprintf("%s/run/left4me/report", prefix);
	cleanup_free char *report = read_text(prefix, "/run/left4me", "", "report", "");
	struct stat st;

	status->reloaded = UNIT_UNKNOWN;
	if (!report || stat(path, &st) < 0)
		return;
	status->reloaded = (int64_t) st.st_mtim.tv_sec * SECOND + st.st_mtim.tv_nsec / 1000 - status->epoch;
	for (const char *line = report; *line; line += strcspn(line, "\n"), line += *line == '\n')
		status->problems += strncmp(line, warning, sizeof(warning) - 1) != 0;
}

static bool has_overlay(const struct model *model, const char *id)
{
	for (size_t i = 0; i < model->overlay_total; i++)
		if (strcmp(model->overlays[i].id_text, id) == 0)
			return true;
	return false;
}

static bool has_instance(const struct status *status, const struct model *model, const char *name)
{
	for (size_t i = 0; i < model->instance_total; i++)
		if (strcmp(model->instances[i].name, name) == 0)
			return true;
	for (size_t i = 0; i < status->count; i++)
		if (strcmp(status->names[i], name) == 0 && (status->servers[i].has_unit || is_up(&status->servers[i])))
			return true;
	return false;
}

static void add_left_behind(struct status *status, const char *directory, const char *name, const struct found *size)
{
	status->left_behind = grow_array(status->left_behind, status->left_behind_count, sizeof(*status->left_behind));
	status->left_behind[status->left_behind_count++] = (struct directory_status){
		xasprintf("%s/%s", directory, name), size ? size->number : UNIT_UNKNOWN,
	};
}

/* What neither a row nor a running server stands for. */
static void collect_left_behind(const struct status_sources *sources, struct status *status)
{
	const struct look *look = sources->look;

	status->left_behind_known = sources->model && look->complete;
	for (size_t i = 0; status->left_behind_known && i < look->count; i++) {
		const struct found *found = &look->found[i];

		if (found->kind == FOUND_RUNTIME && !has_instance(status, sources->model, found->name))
			add_left_behind(status, "runtime", found->name,
					look_find(look, FOUND_RUNTIME_SIZE, found->name));
		if (found->kind == FOUND_OVERLAY && !has_overlay(sources->model, found->name))
			add_left_behind(status, "overlays", found->name,
					look_find(look, FOUND_OVERLAY_SIZE, found->name));
	}
}

/* --- all of it ------------------------------------------------------------------------------------------- */

static int64_t clock_now(clockid_t clock)
{
	struct timespec now;

	(void) clock_gettime(clock, &now);
	return (int64_t) now.tv_sec * SECOND + now.tv_nsec / 1000;
}

void status_build(const struct status_sources *sources, struct status *ret_status)
{
	struct status *status = ret_status;

	*status = (struct status){ .now = clock_now(CLOCK_MONOTONIC) };
	status->epoch = clock_now(CLOCK_REALTIME) - status->now;
	collect_names(sources, status);
	status->servers = xcalloc(status->count + 1, sizeof(*status->servers));
	for (size_t i = 0; i < status->count; i++) {
		status->servers[i].name = status->names[i];
		judge(sources, &status->servers[i], status->now);
	}
	note_owners(status);
	for (size_t i = 0; i < status->count; i++)
		status->waits |= status->servers[i].waits;
	status->is_whole = sources->only_count == 0;
	if (!status->is_whole)
		return;
	collect_builds(sources->units, status);
	read_report(sources->prefix, status);
	collect_left_behind(sources, status);
}

pid_t *status_unrecorded(const char *prefix, const struct units *units, size_t *ret_count)
{
	pid_t *pids = NULL;
	size_t count = 0;

	for (size_t i = 0; i < units->count; i++) {
		const struct unit *unit = &units->units[i];
		cleanup_free char *record = xasprintf("%s" STARTED_RECORDS "/%s", prefix, unit->name);

		if (unit->is_build || unit->pid == 0 || access(record, F_OK) == 0)
			continue;
		pids = grow_array(pids, count, sizeof(*pids));
		pids[count++] = unit->pid;
	}
	*ret_count = count;
	return pids;
}

bool status_has(const struct status *status, const char *name)
{
	for (size_t i = 0; i < status->count; i++)
		if (strcmp(status->names[i], name) == 0)
			return true;
	return false;
}

void status_done(struct status *status)
{
	for (size_t i = 0; i < status->count; i++) {
		free(status->servers[i].port);
		free(status->servers[i].next_port);
		free(status->servers[i].restart);
		free(status->servers[i].note);
		free(status->names[i]);
	}
	for (size_t i = 0; i < status->left_behind_count; i++)
		free(status->left_behind[i].path);
	free(status->servers);
	free(status->names);
	free(status->builds);
	free(status->left_behind);
	*status = (struct status){ .count = 0 };
}
