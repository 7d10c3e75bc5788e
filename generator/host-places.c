/* Links to where units see nothing: host-needs.h. */
#include <errno.h>
#include <string.h>

#include "host-needs.h"
#include "name.h"
#include "value.h"

/* Where a path that is among the needs really is; "" where that is not known. */
static const char *real_path(const struct needs *needs, const struct look *look, const char *path)
{
	for (size_t i = 0; i < needs->count; i++) {
		cleanup_free char *number = xasprintf("%zu", i);
		const struct found *found = strcmp(needs->list[i].path, path) == 0 ? look_find(look, FOUND_FILE, number) : NULL;

		if (found)
			return found->real;
	}
	return "";
}

/* The units bind what lies in the homes by its name. What lies below ROOT comes with it, unless it is a link itself. */
static void check_place(const struct needs *needs, const struct look *look, const char *key, const char *path,
			struct report *report)
{
	const char *root = needs->config->host.root;
	const char *real = real_path(needs, look, path), *real_root = real_path(needs, look, root);
	bool is_below = path != root && path_below(path, root);
	bool comes_along = is_below && *real && *real_root && path_below(real, real_root);

	if (comes_along || (path_in_homes(path) && !is_below) || path_is_private(path))
		return;
	if (path_in_homes(real))
		report_problem(report, path, "leads to %s, which is hidden from units by that name: name it itself, %s = %s",
			       real, key, real);
	else if (path_is_private(real))
		report_problem(report, path, "leads to %s, where units have directories of their own: move it elsewhere, and set %s",
			       real, key);
}

/* Units see the directory of the helpers and /usr. */
static void check_helper(const struct needs *needs, const struct look *look, const char *name, struct report *report)
{
	const char *helpers = needs->config->host.helpers;
	cleanup_free char *path = xconcat(helpers, "/", name);
	const char *real = real_path(needs, look, path), *place = real_path(needs, look, helpers);
	cleanup_free char *directory = *real ? path_directory(real) : NULL;

	if (directory && *place && strcmp(directory, place) != 0 && !path_below(real, "/usr"))
		report_problem(report, path, "leads to %s, which units do not see: [host] helpers = %s", real, directory);
}

/* Whether it comes with what is bound, by where both really are. */
static bool is_bound(const struct needs *needs, const struct look *look, const char *real)
{
	for (size_t i = 0; i < needs->count; i++) {
		const struct need *need = &needs->list[i];
		const char *place = real_path(needs, look, need->path);

		if ((need->kind == NEED_ROOT || need->kind == NEED_PLACE || need->kind == NEED_DIRECTORY) && *place &&
		    path_below(real, place))
			return true;
	}
	return false;
}

/* The update sees /usr and its HOME. */
static bool is_seen_by_update(const struct needs *needs, const struct look *look, const char *real)
{
	cleanup_free char *steam = xconcat(needs->config->host.root, "/", "steam");
	const char *home = real_path(needs, look, steam);

	return path_below(real, "/usr") || (*home && path_below(real, home));
}

static void check_interpreter(const struct needs *needs, const struct look *look, size_t at, struct report *report)
{
	cleanup_free char *number = xasprintf("%zu", at);
	const struct found *found = look_find(look, FOUND_INTERPRETER, number);
	const struct need *need = &needs->list[at];
	bool is_hidden;

	if (!found || (found->number == EACCES && !needs->as_user))
		return;
	is_hidden = need->kind == NEED_UPDATE_SCRIPT ? !is_seen_by_update(needs, look, found->real)
		: (path_in_homes(found->real) || path_is_private(found->real)) && !is_bound(needs, look, found->real);
	if (found->number != 0 && !path_is_private(found->real))
		report_problem(report, need->path, "is run by %s: %s: %s; %s", found->real, strerror((int) found->number),
			       need->consequence, need->remedy);
	else if (is_hidden)
		report_problem(report, need->path, "is run by %s, which units do not see: %s; %s", found->real,
			       need->consequence, need->remedy);
}

/* Of a link both ends have to be there. */
static void check_update(const struct needs *needs, const struct look *look, struct report *report)
{
	cleanup_free char *path = value_program(needs->config->update.command);
	cleanup_free char *steam = xconcat(needs->config->host.root, "/", "steam");
	const char *real = real_path(needs, look, path);
	bool is_named = path_in_usr(path) || path_below(path, steam);

	if ((*real || path_is_private(path)) && (!is_named || !is_seen_by_update(needs, look, real)))
		report_problem(report, path, "is neither in /usr nor in %s%s%s, and nothing else is seen by an update: %s; put it "
			       "there, and set [update] command", steam,
			       *real && strcmp(path, real) != 0 ? ", but leads to " : "", *real && strcmp(path, real) != 0 ? real : "",
			       host_no_update);
}

/*
 * Whether the path lies below a directory that a server's unit makes anew: in there are no links of the host's. That does not hold
 * if the directory itself is a link.
 */
static bool is_masked(const struct needs *needs, const struct look *look, const char *path)
{
	const char *mask = path_mask(path);

	return mask && strcmp(real_path(needs, look, mask), mask) == 0;
}

/*
 * Whether a link on the way to the helpers, which are bound by their name, is followed in the unit as well. A server's follows it
 * unless it lies in a directory that the unit makes anew; builds and updates see no links of the host's but those of /usr.
 */
static bool is_followed(const struct needs *needs, const struct look *look, const char *path, bool by_server)
{
	cleanup_free char *directory = path_directory(path);
	const char *way = real_path(needs, look, directory);
	bool is_in_homes = path_in_homes(way);

	if (by_server)
		return !is_masked(needs, look, path) && (is_in_homes || !path_mask(way));
	return path_in_usr(path) && (!*way || is_in_homes || path_below(way, "/usr"));
}

/* Where homes are closed, nothing can be bound that a link leads there. */
static void check_helpers(const struct needs *needs, const struct model *model, const struct look *look, struct report *report)
{
	const struct config *config = needs->config;
	const char *path = config->host.helpers, *real = real_path(needs, look, path);
	bool servers = host_enabled_servers(model) > 0, others = host_builds(model) > 0 || *config->update.command;

	if (config_opens_homes(config) || !path_in_homes(real))
		return;
	if ((servers && is_followed(needs, look, path, true)) || (others && is_followed(needs, look, path, false)))
		report_problem(report, path, "leads to %s, which is hidden from units by that name: name it itself, [host] helpers = %s",
			       real, real);
}

void host_check_places(const struct needs *needs, const struct model *model, const struct look *look,
			 struct report *report)
{
	const struct config *config = needs->config;
	bool web = config->web_enabled || *config->workshop.refresh;
	cleanup_free char *database = path_directory(config->host.database);

	if (web || (host_enabled_servers(model) > 0 && !is_masked(needs, look, config->host.root)))
		check_place(needs, look, "[host] root", config->host.root, report);
	if (web) {
		check_place(needs, look, "the directory of [host] database", database, report);
		check_place(needs, look, "[host] source", config->host.source, report);
		check_place(needs, look, "[web] venv", config->web.venv, report);
	}
	if (*config->update.command)
		check_update(needs, look, report);
	for (size_t i = 0; i < needs->count; i++)
		check_interpreter(needs, look, i, report);
	check_helpers(needs, model, look, report);
	if (host_enabled_servers(model) > 0 || host_builds(model) > 0 || *config->update.command) {
		check_helper(needs, look, "left4me-overlay", report);
		check_helper(needs, look, "left4me-fetch-script", report);
	}
}
