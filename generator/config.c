#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "config-cpus.h"
#include "config-env.h"
#include "config-file.h"
#include "name.h"
#include "value.h"

#define KEY_ROW(section, name, type, fallback, ...) \
	{ #section, #name, type, offsetof(struct config, section.name), fallback },

static const struct key {
	const char *section, *name;
	enum value_grammar grammar;
	size_t offset;
	const char *fallback;
} keys[] = { KEYS(KEY_ROW) };

/* A load under way: the configuration so far, and what the checks need that come last. */
struct loader {
	const struct config_source *source;
	struct report *report;
	struct config config;
	char *cpus_place;              /* where system_cpus was set, NULL where it was not */
	bool refresh_is_set;           /* to a good value */
};

static char **field(struct config *config, const struct key *key)
{
	return (char **) (void *) ((char *) config + key->offset);
}

static void assign(struct config *config, const struct key *key, const char *value)
{
	char **target = field(config, key);

	free(*target);
	*target = value ? xstrdup(value) : NULL;
}

static bool known_section(const char *section)
{
	for (size_t i = 0; i < ELEMENTS(keys); i++)
		if (strcmp(keys[i].section, section) == 0)
			return true;
	return false;
}

static void set_key(void *userdata, const char *section, const char *name, const char *value, const char *where)
{
	struct loader *loader = userdata;

	for (const struct key *key = keys; key < keys + ELEMENTS(keys); key++) {
		if (strcmp(key->section, section) != 0 || strcmp(key->name, name) != 0)
			continue;
		if (key->grammar == TYPE_CPU_LIST) {
			free(loader->cpus_place);
			loader->cpus_place = xstrdup(where);
		}
		if (key->grammar == TYPE_CALENDAR)
			loader->refresh_is_set = value_is(key->grammar, value);
		if (value_is(key->grammar, value)) {
			assign(&loader->config, key, value);
			return;
		}
		report_problem(loader->report, where, "[%s] %s '%.100s' is not %s",
			       section, name, value, value_what(key->grammar));
		assign(&loader->config, key, key->fallback);
		return;
	}
	if (*section)
		report_problem(loader->report, where, "unknown key '%s' in [%s]", name, section);
	else
		report_problem(loader->report, where, "'%s' stands before the first section", name);
}

static void take_over(char **target, char **value)
{
	if (!*value)
		return;
	free(*target);
	*target = take_ptr(value);
}

static void load_env(struct loader *loader, const char *directory)
{
	struct config *config = &loader->config;
	struct config_env env;

	config_env_load(loader->source, directory, config->game.ports, loader->report, &env);
	take_over(&config->host.root, &env.root);
	take_over(&config->host.database, &env.database);
	take_over(&config->game.ports, &env.ports);
}

static void load_ini(struct loader *loader, const char *label, bool may_be_missing)
{
	cleanup_free char *path = NULL;
	cleanup(config_file_freep) char *text = NULL;
	struct ini_handler handler = { known_section, set_key, loader };
	bool from_stdin = strcmp(label, "-") == 0;

	path = xasprintf("%s%s", from_stdin ? "" : loader->source->prefix, label);
	if (from_stdin)
		label = "standard input";
	text = config_file_read(path, label, may_be_missing, loader->source->root_owned, loader->report);
	if (text)
		config_file_parse_ini(text, label, &handler, loader->report);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

bool config_is_fragment(const char *name)
{
	return *name != '.' && endswith(name, ".conf");
}

static void load_fragments(struct loader *loader, const char *directory)
{
	cleanup_free char *label = xasprintf("%s/left4me.conf.d", directory);
	cleanup_free char *path = xasprintf("%s%s", loader->source->prefix, label);
	cleanup_closedir DIR *dir = opendir(path);
	const struct dirent *entry;
	char **names = NULL;
	size_t count = 0;

	while (dir && (errno = 0, entry = readdir(dir)) != NULL) {
		if (!config_is_fragment(entry->d_name))
			continue;
		names = grow_array(names, count, sizeof(*names));
		names[count++] = xasprintf("%s/%s", label, entry->d_name);
	}
	if (errno != 0 && errno != ENOENT)
		config_file_failed(label, errno, loader->source->root_owned, loader->report);
	sort_array(names, count, sizeof(*names), compare_strings);
	for (size_t i = 0; i < count; i++) {
		load_ini(loader, names[i], false);
		free(names[i]);
	}
	free(names);
}

static void load_directory(struct loader *loader, const char *directory)
{
	cleanup_free char *file = xasprintf("%s/left4me.conf", directory);

	load_env(loader, directory);
	load_ini(loader, file, true);
	load_fragments(loader, directory);
}

static void load_files(struct loader *loader)
{
	const char *path = loader->source->path;
	cleanup_free char *prefixed = NULL;
	struct stat st;

	if (!path) {
		load_directory(loader, "/etc/left4me");
		return;
	}
	prefixed = xasprintf("%s%s", loader->source->prefix, path);
	if (strcmp(path, "-") != 0 && stat(prefixed, &st) == 0 && S_ISDIR(st.st_mode))
		load_directory(loader, path);
	else
		load_ini(loader, path, false);
}

static void resolve_paths(struct config *config)
{
	if (!config->host.database)
		config->host.database = xasprintf("%s/left4me.db", config->host.root);
	if (!config->web.venv)
		config->web.venv = xasprintf("%s/.venv", config->host.root);
}

/* It is the web application that refreshes: where there is none, only who asks for it has a refresh. */
static void resolve_refresh(struct loader *loader)
{
	struct config *config = &loader->config;

	config->web_enabled = value_is_yes(config->web.enabled);
	if (!config->web_enabled && !loader->refresh_is_set)
		*config->workshop.refresh = '\0';
}

void config_load(const struct config_source *source, struct report *report, struct config *ret_config)
{
	struct loader loader = { .source = source, .report = report };
	struct config *config = &loader.config;

	for (size_t i = 0; i < ELEMENTS(keys); i++)
		assign(config, &keys[i], keys[i].fallback);
	load_files(&loader);
	resolve_paths(config);
	resolve_refresh(&loader);
	config_pin_cpus(source, loader.cpus_place, report, config);
	value_split_ports(config->game.ports, &config->port_first, &config->port_last);
	config->server_limit = strtoul(config->host.servers, NULL, 10);
	config->overlay_limit = strtoul(config->host.overlays, NULL, 10);
	config->strict_ports = value_is_yes(config->game.strict_ports);
	config->unix_sockets = value_is_yes(config->build.unix_sockets);
	config->web_may_update = *config->update.command && value_is_yes(config->update.web_may_start);
	free(loader.cpus_place);
	*ret_config = *config;
}

bool config_opens_homes(const struct config *config)
{
	return path_in_homes(config->host.root) || path_in_homes(config->host.helpers);
}

void config_done(struct config *config)
{
	for (size_t i = 0; i < ELEMENTS(keys); i++)
		free(*field(config, &keys[i]));
	free(config->reserved_cpus);
	free(config->game_cpus);
	*config = (struct config){ 0 };
}
