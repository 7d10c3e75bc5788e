#include "host-needs.h"

#include <dirent.h>
#include <string.h>

#include "name.h"
#include "value.h"

#ifndef EXAMPLES
#define EXAMPLES "/usr/local/share/left4me/examples"
#endif

static const char no_server[] = "no server starts", no_build[] = "no build starts";
static const char no_web[] = "the web service does not start", no_refresh[] = "the workshop refresh does not start";
const char host_no_update[] = "no update of the game starts";
static const char from_tmpfiles[] = "systemd-tmpfiles --create makes it (tmpfiles.d/left4me.conf)";

static void need(struct needs *needs, enum need_kind kind, char *path, const char *consequence, const char *remedy)
{
	needs->list = grow_array(needs->list, needs->count, sizeof(*needs->list));
	needs->list[needs->count++] = (struct need){ kind, path, consequence, remedy };
}

size_t host_enabled_servers(const struct model *model)
{
	size_t count = 0;

	for (size_t i = 0; i < model->instance_count; i++)
		count += instance_is_to_start(&model->instances[i]);
	return count;
}

size_t host_builds(const struct model *model)
{
	size_t count = 0;

	for (size_t i = 0; i < model->overlay_count; i++)
		count += model->overlays[i].has_script && !model->overlays[i].refused;
	return count;
}

/* Servers have these bound; runtime is where left4me-overlay makes what it mounts. */
static void need_state(struct needs *needs, bool servers)
{
	static const char *const bound[] = { SHARED_DIRECTORIES };
	const char *root = needs->config->host.root;

	for (size_t i = 0; servers && i < ELEMENTS(bound); i++)
		need(needs, NEED_BOUND_STATE, xconcat(root, "/", bound[i]), no_server, from_tmpfiles);
	if (servers)
		need(needs, NEED_STATE, xconcat(root, "/", "runtime"), no_server, from_tmpfiles);
	else
		need(needs, NEED_STATE, xconcat(root, "/", "overlays"), no_build, from_tmpfiles);
}

static void need_mask(struct needs *needs, const char *path)
{
	if (path_mask(path))
		need(needs, NEED_WAY, xstrdup(path_mask(path)), NULL, NULL);
}

static void need_helper(struct needs *needs, const char *name, const char *consequence)
{
	need(needs, NEED_PROGRAM, xconcat(needs->config->host.helpers, "/", name), consequence,
	     "[host] helpers names the directory where it is installed");
}

/* Of the web service, or of the refresh alone. */
static void need_web(struct needs *needs, const char *program, const char *consequence)
{
	const struct config *config = needs->config;

	need(needs, NEED_PLACE, xstrdup(config->web.venv), NULL, NULL);
	need(needs, NEED_PLACE, path_directory(config->host.database), NULL, NULL);
	need(needs, NEED_DIRECTORY, xstrdup(config->host.source), consequence, "put the application there, or set [host] source");
	need(needs, NEED_SCRIPT, xasprintf("%s/bin/%s", config->web.venv, program), consequence,
	     "make the virtual environment, or set [web] venv");
	need(needs, NEED_FILE, xstrdup(HOST_ENV), consequence, from_tmpfiles);
	need(needs, NEED_FILE, xstrdup("/etc/left4me/web.env"), consequence,
	     EXAMPLES "/web.env is one to begin with; or set [web] enabled = no");
}

/* As update-hardening.conf binds it. Directories are those that servers need as well. */
static void need_update(struct needs *needs, bool servers)
{
	const char *root = needs->config->host.root;

	if (!servers) {
		need(needs, NEED_STATE, xconcat(root, "/", INSTALLATION), host_no_update, from_tmpfiles);
		need(needs, NEED_BOUND_STATE, xconcat(root, "/", "steam"), host_no_update, from_tmpfiles);
	}
	need(needs, NEED_UPDATE_SCRIPT, value_program(needs->config->update.command), host_no_update,
	     "[update] command names a program in /usr or in steam below [host] root");
}

static void need_database(struct needs *needs)
{
	static const char *const names[] = { "", "-journal", "-wal", "-shm" };

	for (size_t i = 0; i < ELEMENTS(names); i++)
		need(needs, NEED_DATABASE, xconcat(needs->config->host.database, names[i], ""), NULL, NULL);
}

/* What root has read, left4me-check.service has to. In the order of their names, as in a directory they have none. */
static void need_readable(struct needs *needs)
{
	static const char directory[] = "/etc/left4me/left4me.conf.d";
	struct dirent **entries;
	int count = scandir(directory, &entries, NULL, alphasort);

	need(needs, NEED_READABLE, xstrdup(HOST_ENV), NULL, NULL);
	need(needs, NEED_READABLE, xstrdup("/etc/left4me/web.env"), NULL, NULL);
	need(needs, NEED_READABLE, xstrdup("/etc/left4me/left4me.conf"), NULL, NULL);
	for (int i = 0; i < count; i++) {
		if (config_is_fragment(entries[i]->d_name))
			need(needs, NEED_READABLE, xasprintf("%s/%s", directory, entries[i]->d_name), NULL, NULL);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

void host_needs_list(const struct model *model, struct needs *needs)
{
	const struct config *config = needs->config;
	bool servers = host_enabled_servers(model) > 0, scripts = host_builds(model) > 0, refresh = *config->workshop.refresh;
	bool update = *config->update.command;
	cleanup_free char *command = value_program(config->workshop.command);

	need(needs, NEED_ROOT, xstrdup(config->host.root), NULL, NULL);
	if (servers) {
		need_mask(needs, config->host.root);
		need_mask(needs, config->host.helpers);
	}
	need_database(needs);
	need_readable(needs);
	if (servers || scripts || update) {
		need(needs, NEED_PLACE, xstrdup(config->host.helpers), NULL, NULL);
		need(needs, NEED_WAY, path_directory(config->host.helpers), NULL, NULL);
		need_helper(needs, "left4me-overlay", servers ? "no server and no build starts" : scripts ? no_build : host_no_update);
	}
	if (servers || scripts)
		need_state(needs, servers);
	if (update)
		need_update(needs, servers);
	if (scripts) {
		need_helper(needs, "left4me-fetch-script", no_build);
		need(needs, NEED_BOUND_FILE, xstrdup(config->build.resolv_conf), no_build,
		     "[build] resolv_conf names a file with public resolvers");
	}
	if (config->web_enabled)
		need_web(needs, "gunicorn", no_web);
	else if (refresh)
		need_web(needs, command, no_refresh);
	if (config->web_enabled && refresh)
		need(needs, NEED_SCRIPT, xasprintf("%s/bin/%s", config->web.venv, command), no_refresh,
		     "install it there, or set [workshop] command, or refresh to nothing");
}

void host_needs_done(struct needs *needs)
{
	for (size_t i = 0; i < needs->count; i++)
		free(needs->list[i].path);
	free(needs->list);
}
