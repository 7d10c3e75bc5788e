#include "variables.h"

#include <inttypes.h>
#include <string.h>

#include "escape.h"
#include "name.h"

void variable_set(struct variables *variables, unsigned number, const char *text)
{
	variables->list[number] = (struct variable){ .text = text, .length = text ? strlen(text) : 0 };
}

/* What the templates' own masks do not cover: a root or database in an unusual place. */
static void set_masks(struct variables *variables, const struct config *config)
{
	bool database_is_masked = path_below(config->host.database, config->host.root) || path_mask(config->host.database);

	variable_set(variables, VAR_ROOT_TO_MASK, path_mask(config->host.root) ? NULL : config->host.root);
	variable_set(variables, VAR_DATABASE_TO_MASK, database_is_masked ? NULL : config->host.database);
}

static void set_shared(struct variables *variables, const char *root)
{
	static const char *const shared[] = { SHARED_DIRECTORIES };
	struct text paths = TEXT_EMPTY;

	for (size_t i = 0; i < ELEMENTS(shared); i++) {
		if (i > 0)
			text_putc(&paths, ' ');
		text_puts(&paths, root);
		text_putc(&paths, '/');
		text_puts(&paths, shared[i]);
	}
	variables->shared = text_take(&paths);
	variable_set(variables, VAR_SHARED, variables->shared);
}

static void add_bind(const char *const path, const char *root, const char *list[2], size_t *count)
{
	if (path_in_homes(path) && !path_below(path, root))
		list[(*count)++] = path;
}

static void set_list(struct variables *variables, unsigned number, const char *const *list, size_t count)
{
	variables->list[number] = (struct variable){ .list = list, .count = count };
}

/*
 * Homes are out of sight. Where something of ours lies there they are empty directories instead, in which that alone is bound:
 * for the web application the directory of the database, which it writes to, and its programs.
 */
static void set_homes(struct variables *variables, const struct config *config)
{
	const char *root = config->host.root;
	size_t binds = 0, programs = 0;

	variables->database_directory = path_directory(config->host.database);
	if (path_in_homes(root))
		variables->binds[binds++] = root;
	add_bind(variables->database_directory, root, variables->binds, &binds);
	add_bind(config->host.source, root, variables->programs, &programs);
	add_bind(config->web.venv, root, variables->programs, &programs);
	set_list(variables, VAR_WEB_BINDS, variables->binds, binds);
	set_list(variables, VAR_WEB_PROGRAMS, variables->programs, programs);
	variable_set(variables, VAR_WEB_WRITABLE,
	    path_below(config->host.database, root) || !*variables->database_directory ? NULL : variables->database_directory);
	variable_set(variables, VAR_PROTECT_HOME, config_opens_homes(config) ? "tmpfs" : "yes");
	variable_set(variables, VAR_WEB_PROTECT_HOME, binds + programs > 0 ? "tmpfs" : "yes");
}

/* A helper's path and the options that it needs on this host: it reads no configuration of its own. */
static void set_helpers(struct variables *variables, const struct config *config)
{
	const char *root = config->host.root, *database = config->host.database;
	cleanup_free char *default_database = xasprintf("%s/left4me.db", root);
	bool root_moved = strcmp(root, DEFAULT_ROOT) != 0;
	bool database_moved = strcmp(database, default_database) != 0;

	variables->overlay = xasprintf("%s/left4me-overlay%s%s", config->host.helpers,
				       root_moved ? " --root=" : "", root_moved ? root : "");
	variables->fetch = xasprintf("%s/left4me-fetch-script --uid=%s --gid=%s%s%s%s%s", config->host.helpers,
				     config->host.uid, config->host.gid,
				     root_moved ? " --root=" : "", root_moved ? root : "",
				     database_moved ? " --database=" : "", database_moved ? database : "");
	variable_set(variables, VAR_OVERLAY_HELPER, variables->overlay);
}

/*
 * A thread that shows a live log has three processes: sudo, its monitor, which use_pty makes, and journalctl. Each worker
 * has some threads of its own, and 64 are left for the master, the commands of jobs and the application's threads.
 */
static void set_web_tasks(struct variables *variables, const struct config *config)
{
	unsigned long workers = strtoul(config->web.workers, NULL, 10), threads = strtoul(config->web.threads, NULL, 10);

	variables->web_tasks = xasprintf("%lu", 64 + 4 * workers * (threads + 1));
	variable_set(variables, VAR_WEB_TASKS_MAX, variables->web_tasks);
}

static char *escaped(const char *words)
{
	struct text out = TEXT_EMPTY;

	escape_arguments(&out, words);
	return text_take(&out);
}

/* The name of a command's program is plain (value.h), so that it stands behind a directory as it is. */
static void set_commands(struct variables *variables, const struct config *config)
{
	variables->application = escaped(config->web.application);
	variables->command = escaped(config->workshop.command);
	variable_set(variables, VAR_WEB_APPLICATION, variables->application);
	variable_set(variables, VAR_WORKSHOP_COMMAND, variables->command + 1);
	variables->update = escaped(config->update.command);
	variable_set(variables, VAR_UPDATE_COMMAND, variables->update);
	variable_set(variables, VAR_UPDATE_RULE, config->web_may_update ? UPDATE_UNIT : NULL);
}

/*
 * Values need no escape, except the operator's words (set_commands()): the grammar of value.h allows nothing that has a meaning in
 * a unit. An empty value is none, so that its line is dropped.
 */
#define SET_KEY(section, name, type, fallback, placeholder, ...) \
	variable_set(variables, VAR_##placeholder, \
	    config->section.name && *config->section.name ? config->section.name : NULL);

void variables_set(const struct config *config, struct variables *ret_variables)
{
	struct variables *variables = ret_variables;

	*variables = (struct variables){ .overlay = NULL };
	KEYS(SET_KEY)
	variable_set(variables, VAR_GAME_CPUS, config->game_cpus);
	variable_set(variables, VAR_RESERVED_CPUS, config->reserved_cpus);
	variable_set(variables, VAR_STRICT_PORTS, config->strict_ports ? config->game.ports : NULL);
	variable_set(variables, VAR_STRICT_DENY, config->strict_ports ? "any" : NULL);  /* an allow list alone restricts nothing */
	variable_set(variables, VAR_BUILD_ADDRESS_FAMILIES,
	    config->unix_sockets ? "AF_INET AF_INET6 AF_UNIX" : "AF_INET AF_INET6");
	variable_set(variables, VAR_SOCKETPAIR, config->unix_sockets ? NULL : "socketpair");
	set_masks(variables, config);
	set_shared(variables, config->host.root);
	set_homes(variables, config);
	set_helpers(variables, config);
	set_web_tasks(variables, config);
	set_commands(variables, config);
}

void variables_done(struct variables *variables)
{
	free(variables->overlay);
	free(variables->fetch);
	free(variables->shared);
	free(variables->web_tasks);
	free(variables->application);
	free(variables->command);
	free(variables->update);
	free(variables->database_directory);
	*variables = (struct variables){ .overlay = NULL };
}
