#include "status.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "name.h"

/* --- names ----------------------------------------------------------------------------------------------- */

static void add_name(struct status *status, const char *name)
{
	status->names = grow_array(status->names, status->count, sizeof(*status->names));
	status->names[status->count++] = xstrdup(name);
}

/* Those that the last reload has made a unit for. */
static void add_unit_files(struct status *status, const char *prefix)
{
	cleanup_free char *path = xconcat(prefix, GENERATOR_DIRECTORY, "");
	const struct dirent *entry;
	cleanup_closedir DIR *dir = opendir(path);

	while (dir && (entry = readdir(dir))) {
		enum unit_kind kind;
		cleanup_free char *name = unit_instance(entry->d_name, &kind);

		if (name && kind == UNIT_SERVER)
			add_name(status, name);
	}
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
	add_unit_files(status, sources->prefix);
	for (size_t i = 0; i < sources->records->count; i++)
		add_name(status, sources->records->records[i].name);
	for (size_t i = 0; i < sources->units->count; i++) {
		const struct unit *unit = &sources->units->units[i];

		if (unit->kind == UNIT_SERVER && unit->state != UNIT_STOPPED)
			add_name(status, unit->name);
	}
	for (size_t i = 0; sources->model && i < sources->model->instance_count; i++)
		add_name(status, sources->model->instances[i].name);
	settle_names(sources, status);
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

		if (unit_is_up(server->unit) && server->port && server->port_source != PORT_OF_UNIT &&
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

		if ((unit->kind != UNIT_BUILD && !unit_is_update(unit)) || unit->state == UNIT_STOPPED)
			continue;
		status->builds = grow_array(status->builds, status->build_count, sizeof(*status->builds));
		status->builds[status->build_count++] = unit;
		status->waits |= unit->state == UNIT_FAILED;
	}
}

/* Each reload writes the report anew: a line for each problem, and for warnings. */
static void read_report(const char *prefix, struct status *status)
{
	cleanup_free char *path = xconcat(prefix, REPORT, "");
	cleanup_free char *report = text_of_file(AT_FDCWD, path);
	struct stat st;

	status->reloaded = UNIT_UNKNOWN;
	if (!report || stat(path, &st) < 0)
		return;
	status->reloaded = time_of(st.st_mtim) - status->epoch;
	for (const char *line = report; *line; line = line_after(line))
		status->problems += !startswith(line, "warning: ");
}

static bool has_overlay(const struct model *model, const char *name)
{
	int64_t id;

	return parse_id(name, &id) && model_overlay(model, id);
}

static bool has_instance(const struct status *status, const struct model *model, const char *name)
{
	if (model_instance(model, name))
		return true;
	for (size_t i = 0; i < status->count; i++)
		if (strcmp(status->names[i], name) == 0 && (status->servers[i].has_unit || unit_is_up(status->servers[i].unit)))
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

void status_build(const struct status_sources *sources, struct status *ret_status)
{
	struct status *status = ret_status;

	*status = (struct status){ .now = time_now(CLOCK_MONOTONIC) };
	status->epoch = time_now(CLOCK_REALTIME) - status->now;
	collect_names(sources, status);
	status->servers = xcalloc(status->count + 1, sizeof(*status->servers));
	for (size_t i = 0; i < status->count; i++) {
		status->servers[i].name = status->names[i];
		status_judge(sources, &status->servers[i], status->now);
	}
	note_owners(status);
	for (size_t i = 0; i < status->count; i++)
		status->waits |= status->servers[i].waits;
	status->is_whole = sources->only_count == 0;
	if (!status->is_whole)
		return;
	collect_builds(sources->units, status);
	read_report(sources->prefix, status);
	status->waits |= status->problems > 0 || sources->refuses;
	collect_left_behind(sources, status);
}

pid_t *status_unrecorded(const struct units *units, const struct records *records, size_t *ret_count)
{
	pid_t *pids = NULL;
	size_t count = 0;

	for (size_t i = 0; i < units->count; i++) {
		const struct unit *unit = &units->units[i];

		if (unit->kind != UNIT_SERVER || unit->pid == 0 || records_find_start(records, unit->name))
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
		free(status->servers[i].reload);
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
