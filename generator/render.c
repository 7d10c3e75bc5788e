#include "render.h"

#include <string.h>

#include "escape.h"
#include "name.h"

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
	{ PER_HOST, "web-hardening.conf", "left4me-workshop-refresh.service.d", "10-hardening.conf", NULL, has_refresh },
	{ PER_HOST, "activate.service", "", "left4me-activate.service", NULL, always },
	{ PER_HOST, "check.service", "", "left4me-check.service", "left4me.target.wants", always },
	{ PER_HOST, "check.timer", "", "left4me-check.timer", "timers.target.wants", always },
	{ PER_INSTANCE, "server.service", "", "left4me-server@%s.service", "left4me.target.wants", always },
	{ PER_OVERLAY, "build.service", "", "build-overlay@%s.service", NULL, always },
	{ LIST_OF_RULES, "left4me.sudoers", "sudoers.d", "left4me", NULL, always },
};

/* --- texts ----------------------------------------------------------------------------------------------- */

/* What makes a unit of a refused row, and the fallback template, out of a good one: it says why and fails. */
static void set_refusal(struct variable *variables, const char *const *reason)
{
	static const char *const command = "/bin/false", *const restart = "no";

	variable_set(variables, VAR_REFUSED, reason);
	variable_set(variables, VAR_FALSE, &command);
	variable_set(variables, VAR_RESTART, &restart);
	variables[VAR_MOUNT].count = variables[VAR_FETCH].count = variables[VAR_ENVIRONMENT].count = 0;
}

static void set_unit(const struct rendering *rendering, struct variable *variables)
{
	static const char *const restart = "on-failure";

	memcpy(variables, rendering->host.of, VARIABLE_COUNT * sizeof(*variables));
	variables[VAR_MOUNT] = variables[VAR_UMOUNT];
	variable_set(variables, VAR_RESTART, &restart);
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

	template_fill(template_of(rendering, output), rendering->host.of, out);
}

/* The template of a kind of unit serves instances that have no unit of their own, as those of a vanished row. */
static void write_fallback(const void *maker, const struct artifact *artifact, struct text *out)
{
	static const char *const reason = "\"%i is not in the database\"";
	static const char *const server = "Left 4 Dead 2 server %i, not in the database";
	static const char *const build = "Build of overlay %i, not in the database";
	static const char *const collect = "inactive-or-failed";       /* nobody is left who would reset it */
	const struct output *output = artifact->subject;
	struct variable variables[VARIABLE_COUNT];

	set_unit(maker, variables);
	set_refusal(variables, &reason);
	variable_set(variables, VAR_DESCRIPTION, strcmp(output->template, "server.service") == 0 ? &server : &build);
	variable_set(variables, VAR_COLLECT, &collect);
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
	const struct model *model = rendering->model;

	for (size_t i = 0; i < instance->layer_count; i++) {
		text_puts(out, model->overlays[model->layers[instance->first_layer + i].overlay].id_text);
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
	variable_set(variables, VAR_DESCRIPTION, (const char *const *) &scratch->description.data);
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
	variable_set(variables, VAR_DESCRIPTION, (const char *const *) &scratch->description.data);
	template_fill(rendering->build, variables, out);
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
			.directory = output->directory, .name = rendering->units.servers[i],
			.write = write_server, .maker = rendering, .subject = &model->instances[i],
		});
	for (size_t i = 0; i < model->instance_count; i++)
		if (model->instances[i].enabled && !model->instances[i].refused)
			bundle_add(&rendering->bundle, &(struct artifact){
				.kind = ARTIFACT_LINK, .place = PLACE_UNITS,
				.directory = output->wanted_by, .name = rendering->units.servers[i],
			});
}

static void add_builds(struct rendering *rendering, const struct output *output, const struct model *model)
{
	for (size_t i = 0; i < model->overlay_count; i++)
		if (rendering->units.builds[i])
			bundle_add(&rendering->bundle, &(struct artifact){
				.kind = ARTIFACT_FILE, .place = PLACE_UNITS, .mode = 0644,
				.directory = output->directory, .name = rendering->units.builds[i],
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

/* A template that serves two outputs is loaded for the first of them. */
static void load_templates(struct rendering *rendering)
{
	const struct vocabulary vocabulary = { variable_names, rendering->host.of, VAR_FIRST_FREE };

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

void render_prepare(const struct config *config, struct rendering *ret_rendering)
{
	struct rendering *rendering = ret_rendering;

	*rendering = (struct rendering){ .config = config };
	rendering->templates = xcalloc(ELEMENTS(outputs), sizeof(*rendering->templates));
	rendering->scratch = make_scratch();
	host_variables_set(config, &rendering->host);
	load_templates(rendering);
}

void render(const struct model *model, const struct running *running, enum rows_origin origin,
	    struct rendering *rendering)
{
	rendering->model = model;
	units_name(model, running, &rendering->units);
	units_list(&rendering->units, model, running, rendering->host.of);
	for (const struct output *output = outputs; output < outputs + ELEMENTS(outputs); output++) {
		if (!output->when(rendering->config))
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
	units_done(&rendering->units);
	host_variables_done(&rendering->host);
	for (size_t i = 0; rendering->templates && i < ELEMENTS(outputs); i++)
		template_done(&rendering->templates[i]);
	free_scratch(rendering->scratch);
	free(rendering->templates);
	*rendering = (struct rendering){ .model = NULL };
}
