#include "render.h"

#include <string.h>

#include "escape.h"
#include "name.h"

/* Every @PLACEHOLDER@ of templates/. */
#define VARIABLES(X) \
	X(ROOT) X(DATABASE) X(SOURCE) X(USER) X(GROUP) \
	X(VENV) X(WEB_BIND) X(WEB_WORKERS) X(WEB_THREADS) X(REFRESH) \
	X(GAME_MEMORY_HIGH) X(GAME_MEMORY_MAX) X(GAME_TASKS_MAX) X(GAME_NICE) X(GAME_CPUS) X(RESERVED_CPUS) \
	X(BUILD_MEMORY_MAX) X(BUILD_TASKS_MAX) X(BUILD_CPU_QUOTA) X(BUILD_TIMEOUT) X(BUILD_ADDRESS_FAMILIES) \
	X(RESOLV_CONF) X(DENIED_ADDRESSES) X(SOCKET_BIND_ALLOW) X(SOCKET_BIND_DENY) \
	X(ROOT_TO_MASK) X(DATABASE_TO_MASK) X(HELPERS_TO_BIND) X(UMOUNT) \
	/* of one unit; from here on free in the templates */ \
	X(DESCRIPTION) X(ENVIRONMENT) X(MOUNT) X(FETCH) X(RESTART) X(REFUSED) X(FALSE) \
	/* lists of units */ \
	X(SERVERS) X(BUILDS) X(STOPPABLE) X(LOGGED)

#define AS_NUMBER(name) VAR_##name,
#define AS_NAME(name) #name,
enum { VARIABLES(AS_NUMBER) VARIABLE_COUNT, VAR_FIRST_FREE = VAR_DESCRIPTION };
static const char *const variable_names[] = { VARIABLES(AS_NAME) NULL };

enum scope { PER_HOST, PER_INSTANCE, PER_OVERLAY, LIST_OF_RULES };

static bool always(const struct config *config)
{
	(void) config;
	return true;
}

static bool has_web(const struct config *config)
{
	return config->web_enabled;
}

static bool has_refresh(const struct config *config)
{
	return *config->workshop.refresh;
}

static bool has_pinning(const struct config *config)
{
	return config->reserved_cpus;
}

/* Everything that is written, apart from empty folders; design.md 5. A name with %s is one unit's. */
static const struct output {
	enum scope scope;
	const char *template;
	const char *directory, *name;
	const char *wanted_by;         /* folder of the link, or NULL */
	bool (*when)(const struct config *config);
} outputs[] = {
	{ PER_HOST, "left4me.target", "", "left4me.target", "multi-user.target.wants", always },
	{ PER_HOST, "server.service", "", "left4me-server@.service", NULL, always },
	{ PER_HOST, "server-hardening.conf", "left4me-server@.service.d", "10-hardening.conf", NULL, always },
	{ PER_HOST, "build.service", "", "build-overlay@.service", NULL, always },
	{ PER_HOST, "build-hardening.conf", "build-overlay@.service.d", "10-hardening.conf", NULL, always },
	{ PER_HOST, "l4d2.slice", "", "l4d2.slice", NULL, always },
	{ PER_HOST, "l4d2-game.slice", "", "l4d2-game.slice", NULL, always },
	{ PER_HOST, "l4d2-build.slice", "", "l4d2-build.slice", NULL, always },
	{ PER_HOST, "reserved-cpus.conf", "system.slice.d", "10-left4me-cpuset.conf", NULL, has_pinning },
	{ PER_HOST, "reserved-cpus.conf", "user.slice.d", "10-left4me-cpuset.conf", NULL, has_pinning },
	{ PER_HOST, "web.service", "", "left4me-web.service", "left4me.target.wants", has_web },
	{ PER_HOST, "web-hardening.conf", "left4me-web.service.d", "10-hardening.conf", NULL, has_web },
	{ PER_HOST, "workshop-refresh.service", "", "left4me-workshop-refresh.service", NULL, has_refresh },
	{ PER_HOST, "workshop-refresh.timer", "", "left4me-workshop-refresh.timer", "timers.target.wants", has_refresh },
	{ PER_HOST, "activate.service", "", "left4me-activate.service", NULL, always },
	{ PER_HOST, "check.service", "", "left4me-check.service", "left4me.target.wants", always },
	{ PER_HOST, "check.timer", "", "left4me-check.timer", "timers.target.wants", always },
	{ PER_INSTANCE, "server.service", "", "left4me-server@%s.service", "left4me.target.wants", always },
	{ PER_OVERLAY, "build.service", "", "build-overlay@%s.service", NULL, always },
	{ LIST_OF_RULES, "left4me.sudoers", "sudoers.d", "left4me", NULL, always },
};

/* --- variables ------------------------------------------------------------------------------------------- */

static const char *own(struct rendering *rendering, char *text)
{
	rendering->owned = grow_array(rendering->owned, rendering->owned_count, sizeof(*rendering->owned));
	rendering->owned[rendering->owned_count++] = text;
	return text;
}

/* One text, borrowed; NULL leaves the variable without any. */
static void set(struct variable *variables, unsigned number, const char *const *text)
{
	variables[number] = (struct variable){ text, *text ? 1 : 0 };
}

/* For the variables of the host: the list is kept with the rendering. */
static void set_list(struct rendering *rendering, unsigned number, const char *const *texts, size_t count)
{
	rendering->variables[number] = (struct variable){ texts, count };
}

static void set_host(struct rendering *rendering, unsigned number, const char *text)
{
	const char **item = &rendering->lists[rendering->list_count++];

	*item = text;
	set(rendering->variables, number, item);
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
static void set_masks(struct rendering *rendering, const struct config *config)
{
	static const char *const masked[] = {
		"/etc", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/var/lib",
	};
	static const char *const visible[] = { "/usr" };
	const char *const root[] = { config->host.root };
	bool root_is_masked = is_below(config->host.root, masked, ELEMENTS(masked));
	bool database_is_masked = is_below(config->host.database, masked, ELEMENTS(masked)) ||
				  is_below(config->host.database, root, 1);

	set_host(rendering, VAR_ROOT_TO_MASK, root_is_masked ? NULL : config->host.root);
	set_host(rendering, VAR_DATABASE_TO_MASK, database_is_masked ? NULL : config->host.database);
	set_host(rendering, VAR_HELPERS_TO_BIND,
		 is_below(config->host.helpers, visible, ELEMENTS(visible)) ? NULL : config->host.helpers);
}

/* A helper's path and the options it needs on this host; it reads no configuration of its own. */
static void set_helpers(struct rendering *rendering, const struct config *config)
{
	static const char default_root[] = "/var/lib/left4me";
	bool moved = strcmp(config->host.root, default_root) != 0;
	cleanup_free char *default_database = xasprintf("%s/left4me.db", config->host.root);
	bool database_moved = strcmp(config->host.database, default_database) != 0;
	const char *helpers = config->host.helpers;
	const char *root_option = moved ? " --root=" : "", *root = moved ? config->host.root : "";
	const char *database_option = database_moved ? " --database=" : "";
	const char *database = database_moved ? config->host.database : "";

	set_host(rendering, VAR_UMOUNT, own(rendering, xasprintf("%s/left4me-overlay%s%s", helpers, root_option, root)));
	set_host(rendering, VAR_FETCH,
		 own(rendering, xasprintf("%s/left4me-fetch-script%s%s%s%s", helpers, root_option, root,
					  database_option, database)));
}

static void set_ports(struct rendering *rendering, const struct config *config)
{
	const char **allow = &rendering->lists[rendering->list_count];

	set_host(rendering, VAR_SOCKET_BIND_DENY, config->strict_ports ? "any" : NULL);
	if (!config->strict_ports)
		return;
	allow = &rendering->lists[rendering->list_count];
	rendering->list_count += 2;
	allow[0] = own(rendering, xasprintf("tcp:%s", config->game.ports));
	allow[1] = own(rendering, xasprintf("udp:%s", config->game.ports));
	set_list(rendering, VAR_SOCKET_BIND_ALLOW, allow, 2);
}

/* Values that config.c has checked against value.h need no escape: it allows nothing that a unit gives a meaning. */
static void set_configuration(struct rendering *rendering, const struct config *config)
{
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
		{ VAR_DENIED_ADDRESSES, *config->build.denied_addresses ? config->build.denied_addresses : NULL },
	};

	for (size_t i = 0; i < ELEMENTS(values); i++)
		set_host(rendering, values[i].number, values[i].text);
	set_masks(rendering, config);
	set_helpers(rendering, config);
	set_ports(rendering, config);
}

/* --- texts ----------------------------------------------------------------------------------------------- */

/* What makes a unit of a refused row, and the fallback template, out of a good one: it says why and fails. */
static void set_refusal(struct variable *variables, const char *const *reason)
{
	static const char *const command = "/bin/false", *const restart = "no";

	set(variables, VAR_REFUSED, reason);
	set(variables, VAR_FALSE, &command);
	set(variables, VAR_RESTART, &restart);
	variables[VAR_MOUNT].count = variables[VAR_FETCH].count = variables[VAR_ENVIRONMENT].count = 0;
}

static void set_unit(const struct rendering *rendering, struct variable *variables)
{
	static const char *const restart = "on-failure";

	memcpy(variables, rendering->variables, VARIABLE_COUNT * sizeof(*variables));
	variables[VAR_MOUNT] = variables[VAR_UMOUNT];
	set(variables, VAR_RESTART, &restart);
}

static const struct template *template_of(const struct rendering *rendering, const struct output *output)
{
	size_t i = 0;

	while (strcmp(outputs[i].template, output->template) != 0)
		i++;
	return &rendering->templates[i];
}

static void write_host(const void *maker, const struct artifact *artifact, struct text *out)
{
	const struct rendering *rendering = maker;
	const struct output *output = artifact->subject;

	template_fill(template_of(rendering, output), rendering->variables, out);
}

/* The template of a kind of unit serves instances that have no unit of their own, as those of a vanished row. */
static void write_fallback(const void *maker, const struct artifact *artifact, struct text *out)
{
	static const char *const reason = "\"%i is not in the database\"";
	static const char *const server = "Left 4 Dead 2 server %i, not in the database";
	static const char *const build = "Build of overlay %i, not in the database";
	const struct output *output = artifact->subject;
	struct variable variables[VARIABLE_COUNT];

	set_unit(maker, variables);
	set_refusal(variables, &reason);
	set(variables, VAR_DESCRIPTION, strcmp(output->template, "server.service") == 0 ? &server : &build);
	template_fill(template_of(maker, output), variables, out);
}

/* Texts of one unit, used again for the next. */
enum { ASSIGNMENTS = 3 };
struct scratch {
	struct text description, assignment, words[ASSIGNMENTS];
};

static struct scratch *make_scratch(void)
{
	struct scratch *scratch = xcalloc(1, sizeof(*scratch));

	scratch->description = scratch->assignment = TEXT_EMPTY;
	for (size_t i = 0; i < ASSIGNMENTS; i++)
		scratch->words[i] = TEXT_EMPTY;
	return scratch;
}

static void free_scratch(struct scratch *scratch)
{
	if (!scratch)
		return;
	text_done(&scratch->description);
	text_done(&scratch->assignment);
	for (size_t i = 0; i < ASSIGNMENTS; i++)
		text_done(&scratch->words[i]);
	free(scratch);
}

static struct scratch *clear_scratch(const struct rendering *rendering)
{
	struct scratch *scratch = rendering->scratch;

	scratch->description.length = scratch->assignment.length = 0;
	for (size_t i = 0; i < ASSIGNMENTS; i++)
		scratch->words[i].length = 0;
	return scratch;
}

static void refuse_unit(struct scratch *scratch, struct variable *variables, const char *why)
{
	text_puts(&scratch->description, ", refused: ");
	escape_value(&scratch->description, why);
	escape_word(&scratch->words[0], why);
	set_refusal(variables, (const char *const *) &scratch->words[0].data);
}

static void put_layers(struct text *out, const struct rendering *rendering, const struct instance *instance)
{
	const struct layer *layer = rendering->model->layers + instance->first_layer;

	for (size_t i = 0; i < instance->layer_count; i++) {
		text_puts(out, rendering->model->overlays[layer[i].overlay].id_text);
		text_putc(out, ' ');
	}
	text_puts(out, INSTALLATION);
}

/* Three assignments, each a word of Environment=; the arguments have a layer of quotes of their own within. */
static void put_environment(struct scratch *scratch, const struct rendering *rendering, const struct instance *instance)
{
	text_puts(&scratch->words[0], "L4D2_PORT=");
	text_puts(&scratch->words[0], instance->port_text);
	text_puts(&scratch->assignment, "L4D2_ARGS=");
	escape_arguments(&scratch->assignment, instance->arguments);
	escape_word(&scratch->words[1], scratch->assignment.data);
	scratch->assignment.length = 0;
	text_puts(&scratch->assignment, "L4D2_LAYERS=");
	put_layers(&scratch->assignment, rendering, instance);
	escape_word(&scratch->words[2], scratch->assignment.data);
}

static void write_server(const void *maker, const struct artifact *artifact, struct text *out)
{
	const struct rendering *rendering = maker;
	const struct instance *instance = artifact->subject;
	struct scratch *scratch = clear_scratch(rendering);
	struct variable variables[VARIABLE_COUNT];
	const char *environment[ASSIGNMENTS];

	set_unit(rendering, variables);
	text_puts(&scratch->description, "Left 4 Dead 2 server ");
	text_puts(&scratch->description, instance->name);
	if (instance->refused)
		refuse_unit(scratch, variables, instance->refused);
	else {
		text_puts(&scratch->description, " on port ");
		text_puts(&scratch->description, instance->port_text);
		put_environment(scratch, rendering, instance);
		for (size_t i = 0; i < ASSIGNMENTS; i++)
			environment[i] = scratch->words[i].data;
		variables[VAR_ENVIRONMENT] = (struct variable){ environment, ASSIGNMENTS };
	}
	set(variables, VAR_DESCRIPTION, (const char *const *) &scratch->description.data);
	template_fill(rendering->server, variables, out);
}

/* The name stands in quotes, so that a backslash at its end does not end the line. */
static void write_build(const void *maker, const struct artifact *artifact, struct text *out)
{
	const struct rendering *rendering = maker;
	const struct overlay *overlay = artifact->subject;
	struct scratch *scratch = clear_scratch(rendering);
	struct variable variables[VARIABLE_COUNT];

	set_unit(rendering, variables);
	text_puts(&scratch->description, "Build of overlay ");
	text_puts(&scratch->description, overlay->id_text);
	if (overlay->refused)
		refuse_unit(scratch, variables, overlay->refused);
	else {
		text_puts(&scratch->description, ", \"");
		escape_value(&scratch->description, overlay->name);
		text_putc(&scratch->description, '"');
	}
	set(variables, VAR_DESCRIPTION, (const char *const *) &scratch->description.data);
	template_fill(rendering->build, variables, out);
}

/* --- the sudo rules -------------------------------------------------------------------------------------- */

/* A unit that a rule may name, and whether its row was refused: then it keeps what stops it and shows its log. */
struct ruled {
	const char *unit;
	bool refused;
};

/* In the order of the bytes of their names, which is not quite that of the rows: "a-b.service" < "a.service". */
static int compare_ruled(const void *a, const void *b)
{
	return strcmp(((const struct ruled *) a)->unit, ((const struct ruled *) b)->unit);
}

static size_t list_ruled(const struct rendering *rendering, const struct model *model, struct ruled *units,
			 size_t *ret_builds)
{
	size_t count = 0, builds;

	for (size_t i = 0; i < model->overlay_count; i++)
		if (rendering->build_units[i])
			units[count++] = (struct ruled){ rendering->build_units[i], model->overlays[i].refused };
	builds = count;
	for (size_t i = 0; i < model->instance_count; i++)
		units[count++] = (struct ruled){ rendering->server_units[i], model->instances[i].refused };
	qsort(units, builds, sizeof(*units), compare_ruled);
	qsort(units + builds, count - builds, sizeof(*units), compare_ruled);
	*ret_builds = builds;
	return count;
}

/* Lists the units from..to that have a row that counts. */
static void set_startable(struct rendering *rendering, unsigned variable, const struct ruled *from, const struct ruled *to)
{
	const char **list = rendering->lists + rendering->list_count;
	size_t count = 0;

	for (; from < to; from++)
		if (!from->refused)
			list[count++] = from->unit;
	rendering->list_count += count;
	set_list(rendering, variable, list, count);
}

/* The sorted rules are the template's lines, each repeated for a sorted list. */
static void set_rules(struct rendering *rendering, const struct model *model)
{
	cleanup_free struct ruled *units =
		xcalloc(model->instance_count + model->overlay_count + 1, sizeof(*units));
	size_t builds, count = list_ruled(rendering, model, units, &builds);
	const char **stoppable, **logged;

	set_startable(rendering, VAR_BUILDS, units, units + builds);
	set_startable(rendering, VAR_SERVERS, units + builds, units + count);
	stoppable = rendering->lists + rendering->list_count;
	for (size_t i = 0; i < count; i++)
		stoppable[i] = units[i].unit;
	logged = stoppable + count;
	for (size_t i = 0; i < count; i++) {
		logged[2 * i] = units[i].unit;
		logged[2 * i + 1] = units[i].unit + strlen(units[i].unit) + 1;
	}
	rendering->list_count += 3 * count;
	set_list(rendering, VAR_STOPPABLE, stoppable, count);
	set_list(rendering, VAR_LOGGED, logged, 2 * count);
}

/* --- the bundle ------------------------------------------------------------------------------------------ */

static void add_link(struct rendering *rendering, const struct artifact *unit, const char *directory)
{
	struct artifact link = *unit;

	link.kind = ARTIFACT_LINK;
	link.directory = directory;
	bundle_add(&rendering->bundle, &link);
}

static void add_host(struct rendering *rendering, const struct output *output, enum rows_origin origin)
{
	bool is_template = strcmp(output->template, "server.service") == 0 ||
			   strcmp(output->template, "build.service") == 0;
	struct artifact unit = {
		.kind = ARTIFACT_FILE, .place = PLACE_UNITS, .mode = 0644, .per_host = true,
		.directory = output->directory, .name = output->name,
		.write = is_template ? write_fallback : write_host, .maker = rendering, .subject = output,
	};

	bundle_add(&rendering->bundle, &unit);
	if (output->wanted_by)
		add_link(rendering, &unit, output->wanted_by);
	/* the database was out of reach: look again once its file system is there (design.md 7) */
	if (strcmp(output->template, "activate.service") == 0 && (origin == ROWS_NONE || origin == ROWS_LAST_GOOD))
		add_link(rendering, &unit, "multi-user.target.wants");
}

static void add_servers(struct rendering *rendering, const struct output *output, const struct model *model)
{
	for (size_t i = 0; i < model->instance_count; i++)
		bundle_add(&rendering->bundle, &(struct artifact){
			.kind = ARTIFACT_FILE, .place = PLACE_UNITS, .mode = 0644,
			.directory = output->directory, .name = rendering->server_units[i],
			.write = write_server, .maker = rendering, .subject = &model->instances[i],
		});
	for (size_t i = 0; i < model->instance_count; i++)
		if (model->instances[i].enabled && !model->instances[i].refused)
			bundle_add(&rendering->bundle, &(struct artifact){
				.kind = ARTIFACT_LINK, .place = PLACE_UNITS,
				.directory = output->wanted_by, .name = rendering->server_units[i],
			});
}

static void add_builds(struct rendering *rendering, const struct output *output, const struct model *model)
{
	for (size_t i = 0; i < model->overlay_count; i++)
		if (rendering->build_units[i])
			bundle_add(&rendering->bundle, &(struct artifact){
				.kind = ARTIFACT_FILE, .place = PLACE_UNITS, .mode = 0644,
				.directory = output->directory, .name = rendering->build_units[i],
				.write = write_build, .maker = rendering, .subject = &model->overlays[i],
			});
}

/* Without rows, rules of earlier ones stay: what runs must stay stoppable. */
static void add_state(struct rendering *rendering, const struct output *output, enum rows_origin origin)
{
	if (origin == ROWS_OMITTED)
		return;
	bundle_add(&rendering->bundle, &(struct artifact){
		.kind = ARTIFACT_FILE, .place = PLACE_STATE, .mode = 0440, .keep = origin == ROWS_NONE,
		.directory = output->directory, .name = output->name,
		.write = write_host, .maker = rendering, .subject = output,
	});
	/* the root folder of the builds: systemd makes the mount points in it */
	bundle_add(&rendering->bundle, &(struct artifact){
		.kind = ARTIFACT_DIRECTORY, .place = PLACE_STATE, .mode = 0755, .directory = "", .name = "root",
	});
}

static char *put(char *end, const char *text)
{
	size_t length = strlen(text);

	memcpy(end, text, length + 1);
	return end + length;
}

/* Adds a unit's name at *end and, behind its NUL, the same with the " -f" of its second journal rule. */
static const char *put_name(char **end, const char *kind, const char *instance)
{
	char *name = *end;

	*end = put(put(put(name, kind), instance), ".service") + 1;
	*end = put(put(*end, name), " -f") + 1;
	return name;
}

/* The names of all units in one piece of memory. */
static void name_units(struct rendering *rendering, const struct model *model)
{
	static const char server[] = "left4me-server@", build[] = "build-overlay@";
	const size_t around = sizeof(server) + sizeof(".service") + sizeof(" -f");
	size_t size = 1;
	char *end;

	for (size_t i = 0; i < model->instance_count; i++)
		size += 2 * (around + strlen(model->instances[i].name));
	for (size_t i = 0; i < model->overlay_count; i++)
		size += 2 * (around + strlen(model->overlays[i].id_text));
	rendering->names = end = xrealloc(NULL, size, 1);
	rendering->server_units = xcalloc(model->instance_count + 1, sizeof(*rendering->server_units));
	rendering->build_units = xcalloc(model->overlay_count + 1, sizeof(*rendering->build_units));
	for (size_t i = 0; i < model->instance_count; i++)
		rendering->server_units[i] = put_name(&end, server, model->instances[i].name);
	for (size_t i = 0; i < model->overlay_count; i++)
		if (model->overlays[i].has_script)
			rendering->build_units[i] = put_name(&end, build, model->overlays[i].id_text);
}

/* A template that serves two outputs is loaded for the first of them. */
static void load_templates(struct rendering *rendering)
{
	const struct vocabulary vocabulary = { variable_names, rendering->variables, VAR_FIRST_FREE };

	for (size_t i = 0; i < ELEMENTS(outputs); i++)
		if (template_of(rendering, &outputs[i]) == &rendering->templates[i])
			template_load(outputs[i].template, &vocabulary, &rendering->templates[i]);
	for (const struct output *output = outputs; output < outputs + ELEMENTS(outputs); output++) {
		if (output->scope == PER_INSTANCE)
			rendering->server = template_of(rendering, output);
		if (output->scope == PER_OVERLAY)
			rendering->build = template_of(rendering, output);
	}
}

void render(const struct config *config, const struct model *model, enum rows_origin origin,
	    struct rendering *ret_rendering)
{
	struct rendering *rendering = ret_rendering;

	*rendering = (struct rendering){ .model = model };
	rendering->variables = xcalloc(VARIABLE_COUNT, sizeof(*rendering->variables));
	rendering->templates = xcalloc(ELEMENTS(outputs), sizeof(*rendering->templates));
	rendering->scratch = make_scratch();
	rendering->lists = xcalloc(VARIABLE_COUNT + 4 * (model->instance_count + model->overlay_count),
				   sizeof(*rendering->lists));
	set_configuration(rendering, config);
	load_templates(rendering);
	name_units(rendering, model);
	set_rules(rendering, model);
	for (const struct output *output = outputs; output < outputs + ELEMENTS(outputs); output++) {
		if (!output->when(config))
			continue;
		switch (output->scope) {
		case PER_HOST:
			add_host(rendering, output, origin);
			break;
		case PER_INSTANCE:
			add_servers(rendering, output, model);
			break;
		case PER_OVERLAY:
			add_builds(rendering, output, model);
			break;
		case LIST_OF_RULES:
			add_state(rendering, output, origin);
			break;
		}
	}
}

void rendering_done(struct rendering *rendering)
{
	bundle_done(&rendering->bundle);
	for (size_t i = 0; i < rendering->owned_count; i++)
		free(rendering->owned[i]);
	for (size_t i = 0; rendering->templates && i < ELEMENTS(outputs); i++)
		template_done(&rendering->templates[i]);
	free_scratch(rendering->scratch);
	free(rendering->names);
	free(rendering->owned);
	free(rendering->templates);
	free(rendering->variables);
	free(rendering->lists);
	free(rendering->server_units);
	free(rendering->build_units);
	*rendering = (struct rendering){ .model = NULL };
}
