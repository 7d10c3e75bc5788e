#include "config-env.h"

#include <string.h>

#include "config-file.h"
#include "env-file.h"
#include "name.h"
#include "value.h"

struct loader {
	struct report *report;
	struct config_env *env;
	unsigned port_first, port_last;
	char *ports_place;             /* of the later of the two, NULL when neither is set */
};

static void replace(char **target, char *value)
{
	free(*target);
	*target = value;
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
		replace(&loader->env->database, take_ptr(&path));
}

static void set_port(struct loader *loader, const char *key, const char *value, const char *where, unsigned *port)
{
	int64_t number;

	if (!parse_decimal(value, 1024, 65535, &number)) {
		report_problem(loader->report, where, "%s '%.100s' is not a port from 1024 to 65535", key, value);
		return;
	}
	*port = (unsigned) number;
	replace(&loader->ports_place, xstrdup(where));
}

static void set_root(struct loader *loader, const char *key, const char *value, const char *where)
{
	if (value_is(TYPE_PATH, value))
		replace(&loader->env->root, xstrdup(value));
	else
		report_problem(loader->report, where, "%s '%.100s' is not %s", key, value, value_what(TYPE_PATH));
}

static void set_port_first(struct loader *loader, const char *key, const char *value, const char *where)
{
	set_port(loader, key, value, where, &loader->port_first);
}

static void set_port_last(struct loader *loader, const char *key, const char *value, const char *where)
{
	set_port(loader, key, value, where, &loader->port_last);
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
static void set(void *userdata, const char *key, const char *value, const char *where)
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

static void load(struct loader *loader, const struct config_source *source, const char *directory, const char *name)
{
	cleanup_free char *label = xasprintf("%s/%s", directory, name);
	cleanup_free char *path = xasprintf("%s%s", source->prefix, label);
	cleanup(config_file_freep) char *text = config_file_read(path, label, true, source->root_owned, loader->report);

	if (text)
		env_file_parse(text, label, set, loader);
}

void config_env_load(const struct config_source *source, const char *directory, const char *ports, struct report *report,
		     struct config_env *ret_env)
{
	struct loader loader = { .report = report, .env = ret_env };

	*ret_env = (struct config_env){ .root = NULL };
	value_split_ports(ports, &loader.port_first, &loader.port_last);
	load(&loader, source, directory, "host.env");
	load(&loader, source, directory, "web.env");
	if (loader.ports_place && loader.port_first <= loader.port_last)
		ret_env->ports = xasprintf("%u-%u", loader.port_first, loader.port_last);
	else if (loader.ports_place)
		report_problem(report, loader.ports_place, "LEFT4ME_PORT_RANGE_START %u is above LEFT4ME_PORT_RANGE_END %u",
			       loader.port_first, loader.port_last);
	free(loader.ports_place);
}
