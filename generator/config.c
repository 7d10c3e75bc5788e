#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "config-cpus.h"
#include "config-file.h"
#include "env-file.h"
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
	unsigned env_port_first, env_port_last;
	char *env_ports_place;         /* of the later of the two, NULL when neither is set */
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

/*
 * The path of an URL of SQLAlchemy's, whose options (?timeout=30) say how the application opens the file and not which, or
 * why it has none. SQLAlchemy decodes no %XX in it.
 */
static const char *split_database_url(const char *url, char **ret_path)
{
	const char *slashes = strstr(url, "://"), *path = slashes ? slashes + strlen("://") : url;

	if (startswith(url, "sqlite+pysqlcipher:"))
		return "names an encrypted database, which cannot be read";
	if (!startswith(url, "sqlite:///") && !startswith(url, "sqlite+pysqlite:///") && !startswith(url, "sqlite+aiosqlite:///"))
		return startswith(url, "sqlite") && slashes && !*path ?
			"names a database in memory: it must be a file, sqlite:////absolute/path" :
			"is not of the form sqlite:////absolute/path";
	path++;
	if (strstr(path, "uri=") || startswith(path, "file:"))
		return "has a URI of SQLite's in it, of which only the application knows what it means: set [host] database";
	if (!*path || *path == '?' || startswith(path, ":memory:"))
		return "names a database in memory: it must be a file, sqlite:////absolute/path";
	if (*path != '/')
		return "has a relative path: an absolute one has four slashes, sqlite:////absolute/path";
	if (strpbrk(path + strcspn(path, "?"), " \t\"'#\\"))
		return "has a blank, a quote, # or \\ in its options: a comment needs a line of its own";
	*ret_path = xasprintf("%.*s", (int) strcspn(path, "?"), path);
	return NULL;
}

/* Its value is never shown: a URL may hold a password. */
static void set_database_url(struct loader *loader, const char *key, const char *url, const char *where)
{
	cleanup_free char *path = NULL;
	const char *problem = split_database_url(url, &path);

	if (problem)
		report_problem(loader->report, where, "%s %s", key, problem);
	else if (!value_is(TYPE_PATH, path))
		report_problem(loader->report, where, "the path of %s is not %s", key, value_what(TYPE_PATH));
	else
		set_key(loader, "host", "database", path, where);
}

static void set_env_port(struct loader *loader, const char *key, const char *value, const char *where, unsigned *port)
{
	int64_t number;

	if (!parse_decimal(value, 1024, 65535, &number)) {
		report_problem(loader->report, where, "%s '%.100s' is not a port from 1024 to 65535", key, value);
		return;
	}
	*port = (unsigned) number;
	free(loader->env_ports_place);
	loader->env_ports_place = xstrdup(where);
}

static void set_root(struct loader *loader, const char *key, const char *value, const char *where)
{
	if (value_is(TYPE_PATH, value))
		set_key(loader, "host", "root", value, where);
	else
		report_problem(loader->report, where, "%s '%.100s' is not %s", key, value, value_what(TYPE_PATH));
}

static void set_port_first(struct loader *loader, const char *key, const char *value, const char *where)
{
	set_env_port(loader, key, value, where, &loader->env_port_first);
}

static void set_port_last(struct loader *loader, const char *key, const char *value, const char *where)
{
	set_env_port(loader, key, value, where, &loader->env_port_last);
}

/* Servers were given these by variables once. */
static void warn_of_row(struct loader *loader, const char *key, const char *value, const char *where)
{
	(void) value;
	report_warning(loader->report, where, "%s has no effect on any server: port, arguments and layers are those of its row; "
		       "remove it", key);
}

static const struct variable {
	const char *name;
	void (*set)(struct loader *loader, const char *key, const char *value, const char *where);
} variables[] = {
	{ "LEFT4ME_ROOT", set_root }, { "DATABASE_URL", set_database_url },
	{ "LEFT4ME_PORT_RANGE_START", set_port_first }, { "LEFT4ME_PORT_RANGE_END", set_port_last },
	{ "L4D2_PORT", warn_of_row }, { "L4D2_ARGS", warn_of_row }, { "L4D2_LAYERS", warn_of_row },
};

/* What stands before the name: NULL if nothing, or if it is another name. */
static const char *prefix_of(const char *key, const char *name)
{
	const char *end = endswith(key, name);

	if (!end || end == key)
		return NULL;
	if (startswith(key, "\xef\xbb\xbf"))
		return "a byte order mark";
	if (startswith(key, "export") && strchr(" \t", key[6]))
		return "'export'";
	return strchr(" \t", end[-1]) ? "what stands" : NULL;
}

/* Whether the line begins with the name and goes on with something else than an equals sign. */
static bool lacks_equals(const char *key, const char *value, const char *name)
{
	const char *rest = startswith(key, name);

	return !value && rest && (!*rest || strchr(" \t:", *rest));
}

/*
 * systemd, which gives the same file to the web application, takes "export NAME" and a byte order mark for parts of a name that
 * is none, and passes over the line: the two must not come apart.
 */
static void set_from_env(void *userdata, const char *key, const char *value, const char *where)
{
	struct loader *loader = userdata;

	for (const struct variable *variable = variables; variable < variables + ELEMENTS(variables); variable++) {
		const char *prefix = prefix_of(key, variable->name);

		if (prefix)
			report_problem(loader->report, where, "%s before %s makes systemd pass over the line, for the services, "
				       "too; remove it", prefix, variable->name);
		else if (lacks_equals(key, value, variable->name))
			report_problem(loader->report, where, "%s lacks its '=': systemd passes over the line, for the services, "
				       "too", variable->name);
		else if (value && strcmp(key, variable->name) == 0)
			variable->set(loader, key, value, where);
	}
}

static void load_env(struct loader *loader, const char *directory, const char *name)
{
	cleanup_free char *label = xasprintf("%s/%s", directory, name);
	cleanup_free char *path = xasprintf("%s%s", loader->source->prefix, label);
	cleanup(config_file_freep) char *text =
		config_file_read(path, label, true, loader->source->root_owned, loader->report);

	if (text)
		env_file_parse(text, label, set_from_env, loader);
}

static void load_envs(struct loader *loader, const char *directory)
{
	cleanup_free char *ports = NULL;

	value_split_ports(loader->config.game.ports, &loader->env_port_first, &loader->env_port_last);
	load_env(loader, directory, "host.env");
	load_env(loader, directory, "web.env");
	if (!loader->env_ports_place)
		return;
	ports = xasprintf("%u-%u", loader->env_port_first, loader->env_port_last);
	if (loader->env_port_first <= loader->env_port_last)
		set_key(loader, "game", "ports", ports, loader->env_ports_place);
	else
		report_problem(loader->report, loader->env_ports_place,
			       "LEFT4ME_PORT_RANGE_START %u is above LEFT4ME_PORT_RANGE_END %u",
			       loader->env_port_first, loader->env_port_last);
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

	load_envs(loader, directory);
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
	free(loader.env_ports_place);
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
