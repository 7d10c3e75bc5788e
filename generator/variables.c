#include "variables.h"

#include <string.h>

#define AS_NAME(name) #name,
const char *const variable_names[] = { VARIABLES(AS_NAME) NULL };

static void set_text(struct host_variables *variables, unsigned number, const char *text)
{
	variables->texts[number] = text;
	variable_set(variables->of, number, &variables->texts[number]);
}

static bool is_below(const char *path, const char *const *folders, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(folders[i]);

		if (strncmp(path, folders[i], length) == 0 && (path[length] == '/' || path[length] == '\0'))
			return true;
	}
	return false;
}

/* What the templates' own masks do not cover: a root, database or helper folder in an unusual place. */
static void set_masks(struct host_variables *variables, const struct config *config)
{
	static const char *const masked[] = {
		"/etc", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/var",
	};
	static const char *const visible[] = { "/usr" };
	const char *const root[] = { config->host.root };
	bool root_is_masked = is_below(config->host.root, masked, ELEMENTS(masked));
	bool database_is_masked = is_below(config->host.database, masked, ELEMENTS(masked)) ||
				  is_below(config->host.database, root, 1);

	set_text(variables, VAR_ROOT_TO_MASK, root_is_masked ? NULL : config->host.root);
	set_text(variables, VAR_DATABASE_TO_MASK, database_is_masked ? NULL : config->host.database);
	set_text(variables, VAR_HELPERS_TO_BIND,
		 is_below(config->host.helpers, visible, ELEMENTS(visible)) ? NULL : config->host.helpers);
}

/* A helper's path and the options it needs on this host; it reads no configuration of its own. */
static void set_helpers(struct host_variables *variables, const struct config *config)
{
	cleanup_free char *default_database = xconcat(config->host.root, "/left4me.db", "");
	bool root_moved = strcmp(config->host.root, "/var/lib/left4me") != 0;
	bool database_moved = strcmp(config->host.database, default_database) != 0;
	cleanup_free char *root = root_moved ? xconcat(" --root=", config->host.root, "") : xstrdup("");
	cleanup_free char *database = database_moved ? xconcat(" --database=", config->host.database, "") : xstrdup("");

	variables->owned[0] = xasprintf("%s/left4me-overlay%s", config->host.helpers, root);
	variables->owned[1] = xasprintf("%s/left4me-fetch-script%s%s", config->host.helpers, root, database);
	set_text(variables, VAR_UMOUNT, variables->owned[0]);
	set_text(variables, VAR_FETCH, variables->owned[1]);
}

/* An allow list alone restricts nothing (F11). */
static void set_ports(struct host_variables *variables, const struct config *config)
{
	if (!config->strict_ports)
		return;
	set_text(variables, VAR_SOCKET_BIND_DENY, "any");
	variables->bind_rules[0] = variables->owned[2] = xconcat("tcp:", config->game.ports, "");
	variables->bind_rules[1] = variables->owned[3] = xconcat("udp:", config->game.ports, "");
	variables->of[VAR_SOCKET_BIND_ALLOW] = (struct variable){ variables->bind_rules, 2 };
}

/* Values that config.c has checked against value.h need no escape: it allows nothing that a unit gives a meaning. */
void host_variables_set(const struct config *config, struct host_variables *ret_variables)
{
	struct host_variables *variables = ret_variables;
	const struct {
		unsigned number;
		const char *text;
	} values[] = {
		{ VAR_ROOT, config->host.root },
		{ VAR_DATABASE, config->host.database },
		{ VAR_SOURCE, config->host.source },
		{ VAR_USER, config->host.user },
		{ VAR_GROUP, config->host.group },
		{ VAR_VENV, config->web.venv },
		{ VAR_WEB_BIND, config->web.bind },
		{ VAR_WEB_WORKERS, config->web.workers },
		{ VAR_WEB_THREADS, config->web.threads },
		{ VAR_REFRESH, config->workshop.refresh },
		{ VAR_GAME_MEMORY_HIGH, config->game.memory_high },
		{ VAR_GAME_MEMORY_MAX, config->game.memory_max },
		{ VAR_GAME_TASKS_MAX, config->game.tasks_max },
		{ VAR_GAME_NICE, config->game.nice },
		{ VAR_GAME_CPUS, config->game_cpus },
		{ VAR_RESERVED_CPUS, config->reserved_cpus },
		{ VAR_BUILD_MEMORY_MAX, config->build.memory_max },
		{ VAR_BUILD_TASKS_MAX, config->build.tasks_max },
		{ VAR_BUILD_CPU_QUOTA, config->build.cpu_quota },
		{ VAR_BUILD_TIMEOUT, config->build.timeout },
		{ VAR_RESOLV_CONF, config->build.resolv_conf },
		{ VAR_BUILD_ADDRESS_FAMILIES, config->unix_sockets ? "AF_INET AF_INET6 AF_UNIX" : "AF_INET AF_INET6" },
		{ VAR_SOCKETPAIR, config->unix_sockets ? NULL : "socketpair" },
		{ VAR_DENIED_ADDRESSES, *config->build.denied_addresses ? config->build.denied_addresses : NULL },
	};

	*variables = (struct host_variables){ 0 };
	for (size_t i = 0; i < ELEMENTS(values); i++)
		set_text(variables, values[i].number, values[i].text);
	set_masks(variables, config);
	set_helpers(variables, config);
	set_ports(variables, config);
}

void host_variables_done(struct host_variables *variables)
{
	for (size_t i = 0; i < ELEMENTS(variables->owned); i++)
		free(variables->owned[i]);
	*variables = (struct host_variables){ 0 };
}
