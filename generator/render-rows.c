#include "render-rows.h"

#include "escape.h"
#include "name.h"
#include "rules.h"
#include "started.h"
#include "templates.h"

/* --- servers and builds ---------------------------------------------------------------------------------- */

/* What every server and build has unless it is refused. */
static void set_unit(struct rendering *rendering)
{
	rendering_set(rendering, VAR_MOUNT, rendering->variables.overlay);
	rendering_set(rendering, VAR_FETCH, rendering->variables.fetch);
	rendering_set(rendering, VAR_RESTART, "on-failure");
	rendering_set(rendering, VAR_REFUSED, NULL);
	rendering_set(rendering, VAR_FALSE, NULL);
	rendering_set(rendering, VAR_COLLECT, NULL);
	rendering_set(rendering, VAR_STARTED, NULL);
	rendering_set(rendering, VAR_LAYERS, NULL);
	rendering_set(rendering, VAR_PORT, "0");
	rendering_set(rendering, VAR_ARGUMENTS, "");
}

/* What makes the unit of a refused row, and the fallback template, out of a good one: it says why, and fails. */
static void set_refusal(struct rendering *rendering, const char *reason)
{
	rendering_set(rendering, VAR_REFUSED, reason);
	rendering_set(rendering, VAR_FALSE, "/bin/false");
	rendering_set(rendering, VAR_RESTART, "no");
	rendering_set(rendering, VAR_MOUNT, NULL);
	rendering_set(rendering, VAR_FETCH, NULL);
}

int render_fallback(struct rendering *rendering, const struct output *output)
{
	set_unit(rendering);
	set_refusal(rendering, "\"%i is not in the database\"");
	rendering_set(rendering, VAR_DESCRIPTION, output->fallback);
	rendering_set(rendering, VAR_COLLECT, "inactive-or-failed");     /* nobody is left who would reset it */
	return rendering_put_unit(rendering, output, output->name, false);
}

/* Begins the description, which says why a refused row is refused. */
static void describe(struct rendering *rendering, const char *what, const char *instance, const char *refused)
{
	text_clear(&rendering->description);
	text_puts(&rendering->description, what);
	text_puts(&rendering->description, instance);
	if (refused) {
		text_puts(&rendering->description, ", refused: ");
		escape_value(&rendering->description, refused);
		text_clear(&rendering->reason);
		escape_word(&rendering->reason, refused);
		set_refusal(rendering, rendering->reason.data);
	}
}

/* --- servers --------------------------------------------------------------------------------------------- */

static void put_layers(struct text *out, const struct model *model, const struct instance *instance)
{
	for (size_t i = 0; i < instance->layer_count; i++) {
		text_puts(out, model->overlays[model->layers[instance->first_layer + i].overlay].id_text);
		text_putc(out, ' ');
	}
	text_puts(out, INSTALLATION);
}

/* What the command lines say of the row. */
static void set_words(struct rendering *rendering, const struct instance *instance)
{
	text_clear(&rendering->arguments);
	text_puts(&rendering->arguments, "");
	escape_arguments(&rendering->arguments, instance->arguments);
	text_clear(&rendering->layers);
	put_layers(&rendering->layers, rendering->sources->model, instance);
	rendering_set(rendering, VAR_PORT, instance->port_text);
	rendering_set(rendering, VAR_ARGUMENTS, rendering->arguments.data);
	rendering_set(rendering, VAR_LAYERS, rendering->layers.data);
}

/* Appends what all servers have in common of a template: the key and the hash. */
static void hash_template(struct rendering *rendering, const char *key, const struct template *template)
{
	text_clear(&rendering->started);
	template_fill(template, rendering->variables.list, &rendering->started);
	text_puts(&rendering->groups, key);
	started_put_hash(&rendering->groups, started_hash_settings(text_string(&rendering->started)));
}

/* Nothing of a row is in it, nor the argument that will tell of it. */
static void hash_groups(struct rendering *rendering)
{
	set_unit(rendering);
	rendering_set(rendering, VAR_DESCRIPTION, "");
	text_clear(&rendering->groups);
	hash_template(rendering, "," STARTED_UNIT "=", &template_server_service);
	hash_template(rendering, "," STARTED_HARDENING "=", &template_server_hardening_conf);
}

/* What the unit says of a start is safe in a command line as it is (started.h). */
static void set_started(struct rendering *rendering, const struct instance *instance)
{
	struct text *out = &rendering->started;

	text_clear(out);
	text_puts(out, STARTED_PORT "=");
	text_puts(out, instance->port_text);
	text_puts(out, "," STARTED_ARGUMENTS "=");
	started_put_hash(out, started_hash(instance->arguments, strlen(instance->arguments)));
	text_append(out, rendering->groups.data, rendering->groups.length);
	drop_ins_put(rendering->sources->drop_ins, instance->name, out);
	rendering_set(rendering, VAR_STARTED, out->data);
}

static int put_server(struct rendering *rendering, const struct output *output, const struct instance *instance)
{
	set_unit(rendering);
	describe(rendering, "Left 4 Dead 2 server ", instance->name, instance->refused);
	if (!instance->refused) {
		set_words(rendering, instance);
		set_started(rendering, instance);
	}
	rendering_set(rendering, VAR_DESCRIPTION, rendering->description.data);
	return rendering_put_unit(rendering, output, rendering_unit_name(rendering, output->name, instance->name), instance_is_to_start(instance));
}

int render_servers(struct rendering *rendering, const struct output *output)
{
	const struct model *model = rendering->sources->model;
	int r = 0;

	if (model->instance_count > 0)
		hash_groups(rendering);
	for (size_t i = 0; r == 0 && i < model->instance_count; i++)
		r = put_server(rendering, output, &model->instances[i]);
	return r;
}

int render_turns(struct rendering *rendering, const struct output *output)
{
	const struct model *model = rendering->sources->model;
	struct sink *sink = rendering->sink;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->instance_count; i++) {
		const struct instance *instance = &model->instances[i];
		struct file turn = { .tree = TREE_UNITS, .directory = output->directory, .target = QUEUE_UNIT ".service" };

		turn.name = rendering_unit_name(rendering, output->name, instance->name);
		if (instance_is_to_start(instance))
			r = sink->link(sink, &turn, output->wanted_by);
	}
	return r;
}

/* --- builds ---------------------------------------------------------------------------------------------- */

/* The overlay's name stands in quotes, so that a backslash at its end does not end the line. */
static int put_build(struct rendering *rendering, const struct output *output, const struct overlay *overlay)
{
	set_unit(rendering);
	describe(rendering, "Build of overlay ", overlay->id_text, overlay->refused);
	if (!overlay->refused) {
		text_puts(&rendering->description, ", \"");
		escape_value(&rendering->description, overlay->name);
		text_putc(&rendering->description, '"');
	}
	rendering_set(rendering, VAR_DESCRIPTION, rendering->description.data);
	return rendering_put_unit(rendering, output, rendering_unit_name(rendering, output->name, overlay->id_text), false);
}

int render_builds(struct rendering *rendering, const struct output *output)
{
	const struct model *model = rendering->sources->model;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->overlay_count; i++)
		if (model->overlays[i].has_script)
			r = put_build(rendering, output, &model->overlays[i]);
	return r;
}

/* --- sudo rules ------------------------------------------------------------------------------------------ */

static void set_names(struct rendering *rendering, unsigned variable, const struct name_list *names)
{
	rendering->variables.list[variable] = (struct variable){ .list = names->names, .count = names->count };
}

int render_sudo_rules(struct rendering *rendering, const struct output *output)
{
	const struct render_sources *sources = rendering->sources;
	const struct file file = {
		.tree = TREE_STATE, .directory = output->directory, .name = output->name, .mode = 0440,
		.keep = sources->origin == ROWS_NONE,
	};
	cleanup(rules_done) struct rules rules;

	rules_list(sources->model, sources->running, &rules);
	set_names(rendering, VAR_SERVERS, &rules.servers);
	set_names(rendering, VAR_BUILDS, &rules.builds);
	set_names(rendering, VAR_STOPPABLE_SERVERS, &rules.stoppable_servers);
	set_names(rendering, VAR_STOPPABLE_BUILDS, &rules.stoppable_builds);
	return rendering_put(rendering, output->template, &file);
}
