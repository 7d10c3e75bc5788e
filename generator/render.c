#include "render.h"

#include "escape.h"
#include "name.h"
#include "rules.h"
#include "started.h"
#include "templates.h"
#include "variables.h"

/* A rendering under way; texts of one unit are used again for the next. */
struct rendering {
	const struct render_sources *sources;
	struct sink *sink;
	struct variables variables;
	struct text name, description, reason, arguments, layers;
	struct text started, groups;           /* --started=, and what of it all servers have in common */
};

/* --- the table of outputs -------------------------------------------------------------------------------- */

static bool always(const struct render_sources *sources)
{
	(void) sources;
	return true;
}

static bool has_web(const struct render_sources *sources)
{
	return sources->config->web_enabled;
}

static bool has_refresh(const struct render_sources *sources)
{
	return *sources->config->workshop.refresh;
}

static bool has_update(const struct render_sources *sources)
{
	return *sources->config->update.command;
}

static bool has_pinning(const struct render_sources *sources)
{
	return sources->config->reserved_cpus;
}

static bool has_rules(const struct render_sources *sources)
{
	return sources->origin != ROWS_OMITTED;
}

enum part { OF_HOST, OF_ORIGIN, OF_ROWS };

struct output;
static int put_host(struct rendering *rendering, const struct output *output);
static int want_activate(struct rendering *rendering, const struct output *output);
static int want_activate_later(struct rendering *rendering, const struct output *output);
static int put_fallback(struct rendering *rendering, const struct output *output);
static int put_servers(struct rendering *rendering, const struct output *output);
static int put_turns(struct rendering *rendering, const struct output *output);
static int put_builds(struct rendering *rendering, const struct output *output);
static int put_user_mask(struct rendering *rendering, const struct output *output);
static int put_rules(struct rendering *rendering, const struct output *output);
static int put_directory(struct rendering *rendering, const struct output *output);

/*
 * Everything that is written, in this order: what it depends on, who writes it, from what, where to, whether at all,
 * the directory of the link that wants it, and the description of the fallback template, which takes over where the
 * row of a unit is gone. The name of servers and builds is what stands before the instance.
 */
static const struct output {
	enum part part;
	int (*put)(struct rendering *rendering, const struct output *output);
	const struct template *template;
	const char *directory, *name;
	bool (*when)(const struct render_sources *sources);
	const char *wanted_by;
	const char *fallback;
} outputs[] = {
	{ OF_HOST, put_host, &template_left4me_target, "", "left4me.target", always, "multi-user.target.wants", NULL },
	{ OF_HOST, put_host, &template_stop_service, "", "left4me-stop.service", always, NULL, NULL },
	{ OF_HOST, put_host, &template_resume_service, "", "left4me-resume.service", always, NULL, NULL },
	{ OF_HOST, put_fallback, &template_server_service, "", SERVER_UNIT ".service", always, NULL,
	  "Left 4 Dead 2 server %i, not in the database" },
	{ OF_HOST, put_host, &template_server_hardening_conf, SERVER_UNIT ".service.d", "10-hardening.conf", always, NULL, NULL },
	{ OF_HOST, put_host, &template_queue_service, "", "left4me-queue.service", always, "left4me.target.wants", NULL },
	{ OF_HOST, put_host, &template_queue_target, "", "left4me-queue.target", always, NULL, NULL },
	{ OF_HOST, put_host, &template_turn_service, "", QUEUE_UNIT ".service", always, NULL, NULL },
	{ OF_HOST, put_host, &template_unmount_service, "", "left4me-unmount.service", always, NULL, NULL },
	{ OF_HOST, put_host, &template_unmount_target, "", "left4me-unmount.target", always, NULL, NULL },
	{ OF_HOST, put_host, &template_collect_service, "", "left4me-collect.service", always, NULL, NULL },
	{ OF_HOST, put_fallback, &template_build_service, "", BUILD_UNIT ".service", always, NULL,
	  "Build of overlay %i, not in the database" },
	{ OF_HOST, put_host, &template_build_hardening_conf, BUILD_UNIT ".service.d", "10-hardening.conf", always, NULL, NULL },
	{ OF_HOST, put_host, &template_l4d2_slice, "", "l4d2.slice", always, NULL, NULL },
	{ OF_HOST, put_host, &template_l4d2_game_slice, "", "l4d2-game.slice", always, NULL, NULL },
	{ OF_HOST, put_host, &template_l4d2_build_slice, "", "l4d2-build.slice", always, NULL, NULL },
	{ OF_HOST, put_host, &template_reserved_cpus_conf, "system.slice.d", "10-left4me-cpuset.conf", has_pinning, NULL, NULL },
	{ OF_HOST, put_host, &template_reserved_cpus_conf, "user.slice.d", "10-left4me-cpuset.conf", has_pinning, NULL, NULL },
	{ OF_HOST, put_host, &template_web_service, "", "left4me-web.service", has_web, "left4me.target.wants", NULL },
	{ OF_HOST, put_host, &template_web_hardening_conf, "left4me-web.service.d", "10-hardening.conf", has_web, NULL, NULL },
	{ OF_HOST, put_host, &template_workshop_refresh_service, "", "left4me-workshop-refresh.service", has_refresh, NULL, NULL },
	{ OF_HOST, put_host, &template_workshop_refresh_timer, "", "left4me-workshop-refresh.timer", has_refresh,
	  "timers.target.wants", NULL },
	{ OF_HOST, put_host, &template_workshop_refresh_hardening_conf, "left4me-workshop-refresh.service.d",
	  "10-hardening.conf", has_refresh, NULL, NULL },
	{ OF_HOST, put_host, &template_update_service, "", UPDATE_UNIT ".service", has_update, NULL, NULL },
	{ OF_HOST, put_host, &template_update_hardening_conf, UPDATE_UNIT ".service.d", "10-hardening.conf", has_update, NULL, NULL },
	{ OF_HOST, put_host, &template_activate_service, "", "left4me-activate.service", always, NULL, NULL },
	{ OF_HOST, put_host, &template_activate_timer, "", "left4me-activate.timer", always, NULL, NULL },
	{ OF_ORIGIN, want_activate, NULL, "", "left4me-activate.timer", always, "timers.target.wants", NULL },
	{ OF_ORIGIN, want_activate_later, NULL, "", "left4me-activate.timer", always, "left4me-check.service.wants", NULL },
	{ OF_HOST, put_host, &template_reload_service, "", "left4me-reload.service", always, NULL, NULL },
	{ OF_HOST, put_host, &template_check_service, "", "left4me-check.service", always, "left4me.target.wants", NULL },
	{ OF_HOST, put_host, &template_check_timer, "", "left4me-check.timer", always, "timers.target.wants", NULL },
	{ OF_HOST, put_user_mask, NULL, "", "user@", always, NULL, NULL },
	{ OF_ROWS, put_servers, &template_server_service, "", SERVER_UNIT, always, "left4me.target.wants", NULL },
	{ OF_ROWS, put_turns, NULL, "", QUEUE_UNIT, always, "left4me-queue.target.wants", NULL },
	{ OF_ROWS, put_builds, &template_build_service, "", BUILD_UNIT, always, NULL, NULL },
	{ OF_ROWS, put_rules, &template_left4me_sudoers, "sudoers.d", "left4me", has_rules, NULL, NULL },
	{ OF_ORIGIN, put_directory, NULL, "", "root", has_rules, NULL, NULL },
	{ OF_ORIGIN, put_directory, NULL, "", STARTED_DIRECTORY, has_rules, NULL, NULL },
};

/* --- into the sink --------------------------------------------------------------------------------------- */

static void set(struct rendering *rendering, unsigned variable, const char *text)
{
	variable_set(&rendering->variables, variable, text);
}

static void set_list(struct rendering *rendering, unsigned variable, const char *const *list, size_t count)
{
	rendering->variables.list[variable] = (struct variable){ .list = list, .count = count };
}

static const char *unit_name(struct rendering *rendering, const char *kind, const char *instance)
{
	text_clear(&rendering->name);
	text_puts(&rendering->name, kind);
	text_puts(&rendering->name, instance);
	text_puts(&rendering->name, ".service");
	return rendering->name.data;
}

static int put(struct rendering *rendering, const struct template *template, const struct file *file)
{
	struct text *text = rendering->sink->open(rendering->sink, file);

	if (!text)
		return -1;
	template_fill(template, rendering->variables.list, text);
	return rendering->sink->close(rendering->sink, file);
}

/* A unit and, where it is wanted, the link to it. */
static int put_unit(struct rendering *rendering, const struct output *output, const char *name, bool wanted)
{
	struct sink *sink = rendering->sink;
	const struct file file = { .tree = TREE_UNITS, .directory = output->directory, .name = name, .mode = 0644 };

	if (put(rendering, output->template, &file) < 0)
		return -1;
	return wanted ? sink->link(sink, &file, output->wanted_by) : 0;
}

static int put_host(struct rendering *rendering, const struct output *output)
{
	return put_unit(rendering, output, output->name, output->wanted_by != NULL);
}

/* Wanted where the database was out of reach: it is looked for again and again. */
static int want(struct rendering *rendering, const struct output *output)
{
	const struct file unit = { .tree = TREE_UNITS, .directory = output->directory, .name = output->name };

	return rendering->sink->link(rendering->sink, &unit, output->wanted_by);
}

static int want_activate(struct rendering *rendering, const struct output *output)
{
	enum rows_origin origin = rendering->sources->origin;

	return origin == ROWS_NONE || origin == ROWS_LAST_GOOD ? want(rendering, output) : 0;
}

/* Once the host has booted a reload starts no timer, but the check does. With the last good rows no server is missing. */
static int want_activate_later(struct rendering *rendering, const struct output *output)
{
	return rendering->sources->origin == ROWS_NONE ? want(rendering, output) : 0;
}

/*
 * The web application, servers and builds are one user, who needs no manager of its own: who can start one has left the
 * sandbox of the web application.
 */
static int put_user_mask(struct rendering *rendering, const struct output *output)
{
	struct sink *sink = rendering->sink;
	const struct file unit = {
		.tree = TREE_UNITS, .directory = output->directory,
		.name = unit_name(rendering, output->name, rendering->sources->config->host.uid),
	};

	return sink->mask ? sink->mask(sink, &unit) : 0;
}

/* --- units of rows --------------------------------------------------------------------------------------- */

/* What every server and build has unless it is refused. */
static void set_unit(struct rendering *rendering)
{
	set(rendering, VAR_MOUNT, rendering->variables.overlay);
	set(rendering, VAR_FETCH, rendering->variables.fetch);
	set(rendering, VAR_RESTART, "on-failure");
	set(rendering, VAR_REFUSED, NULL);
	set(rendering, VAR_FALSE, NULL);
	set(rendering, VAR_COLLECT, NULL);
	set(rendering, VAR_STARTED, NULL);
	set(rendering, VAR_LAYERS, NULL);
	set(rendering, VAR_PORT, "0");
	set(rendering, VAR_ARGUMENTS, "");
}

/* What makes the unit of a refused row, and the fallback template, out of a good one: it says why, and fails. */
static void set_refusal(struct rendering *rendering, const char *reason)
{
	set(rendering, VAR_REFUSED, reason);
	set(rendering, VAR_FALSE, "/bin/false");
	set(rendering, VAR_RESTART, "no");
	set(rendering, VAR_MOUNT, NULL);
	set(rendering, VAR_FETCH, NULL);
}

/* The template of a kind of unit serves instances that have no unit of their own, as those of a vanished row. */
static int put_fallback(struct rendering *rendering, const struct output *output)
{
	set_unit(rendering);
	set_refusal(rendering, "\"%i is not in the database\"");
	set(rendering, VAR_DESCRIPTION, output->fallback);
	set(rendering, VAR_COLLECT, "inactive-or-failed");     /* nobody is left who would reset it */
	return put_unit(rendering, output, output->name, false);
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
	set(rendering, VAR_PORT, instance->port_text);
	set(rendering, VAR_ARGUMENTS, rendering->arguments.data);
	set(rendering, VAR_LAYERS, rendering->layers.data);
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
	set(rendering, VAR_DESCRIPTION, "");
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
	set(rendering, VAR_STARTED, out->data);
}

static int put_server(struct rendering *rendering, const struct output *output, const struct instance *instance)
{
	set_unit(rendering);
	describe(rendering, "Left 4 Dead 2 server ", instance->name, instance->refused);
	if (!instance->refused) {
		set_words(rendering, instance);
		set_started(rendering, instance);
	}
	set(rendering, VAR_DESCRIPTION, rendering->description.data);
	return put_unit(rendering, output, unit_name(rendering, output->name, instance->name), instance_is_to_start(instance));
}

static int put_servers(struct rendering *rendering, const struct output *output)
{
	const struct model *model = rendering->sources->model;
	int r = 0;

	if (model->instance_count > 0)
		hash_groups(rendering);
	for (size_t i = 0; r == 0 && i < model->instance_count; i++)
		r = put_server(rendering, output, &model->instances[i]);
	return r;
}

/* Who is wanted takes a turn: an instance of the template. */
static int put_turns(struct rendering *rendering, const struct output *output)
{
	const struct model *model = rendering->sources->model;
	struct sink *sink = rendering->sink;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->instance_count; i++) {
		const struct instance *instance = &model->instances[i];
		struct file turn = { .tree = TREE_UNITS, .directory = output->directory, .target = QUEUE_UNIT ".service" };

		turn.name = unit_name(rendering, output->name, instance->name);
		if (instance_is_to_start(instance))
			r = sink->link(sink, &turn, output->wanted_by);
	}
	return r;
}

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
	set(rendering, VAR_DESCRIPTION, rendering->description.data);
	return put_unit(rendering, output, unit_name(rendering, output->name, overlay->id_text), false);
}

static int put_builds(struct rendering *rendering, const struct output *output)
{
	const struct model *model = rendering->sources->model;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->overlay_count; i++)
		if (model->overlays[i].has_script)
			r = put_build(rendering, output, &model->overlays[i]);
	return r;
}

/* --- RUN/left4me ----------------------------------------------------------------------------------------- */

static void set_names(struct rendering *rendering, unsigned variable, const struct name_list *names)
{
	set_list(rendering, variable, names->names, names->count);
}

/* Without rows, the rules of an earlier run stay: what runs must stay stoppable. */
static int put_rules(struct rendering *rendering, const struct output *output)
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
	return put(rendering, output->template, &file);
}

/* The root directory of the builds, in which systemd makes the mount points, and that of the records (started.h). */
static int put_directory(struct rendering *rendering, const struct output *output)
{
	const struct file directory = { .tree = TREE_STATE, .directory = output->directory, .name = output->name };

	return rendering->sink->directory ? rendering->sink->directory(rendering->sink, &directory) : 0;
}

/* --- from a setting back to its key ---------------------------------------------------------------------- */

static const struct template *template_of(const char *path)
{
	for (size_t i = 0; i < ELEMENTS(outputs); i++) {
		cleanup_free char *own = sink_path(outputs[i].directory, outputs[i].name);

		if (outputs[i].template && strcmp(own, path) == 0)
			return outputs[i].template;
	}
	return NULL;
}

#define KEY_NAME(section, name, ...) "[" #section "] " #name,

/* A line that is a setting and one placeholder is one piece, after the end of the line before it. */
const char *render_key_of(const char *path, const char *setting)
{
	static const char *const names[] = { KEYS(KEY_NAME) };
	const struct template *template = template_of(path);
	cleanup_free char *line = xasprintf("\n%s=", setting);

	for (size_t i = 0; template && i < template->count; i++) {
		const struct piece *piece = &template->pieces[i];

		if (piece->line == 1 && piece->variable != NO_VARIABLE && (size_t) piece->variable < ELEMENTS(names) &&
		    strcmp(piece->literal, line) == 0)
			return names[piece->variable];
	}
	return NULL;
}

/* --- all of it ------------------------------------------------------------------------------------------- */

static void rendering_done(struct rendering *rendering)
{
	variables_done(&rendering->variables);
	text_done(&rendering->name);
	text_done(&rendering->description);
	text_done(&rendering->reason);
	text_done(&rendering->arguments);
	text_done(&rendering->layers);
	text_done(&rendering->started);
	text_done(&rendering->groups);
}

static int render(const struct render_sources *sources, enum part part, struct sink *sink)
{
	cleanup(rendering_done) struct rendering rendering = {
		.sources = sources, .sink = sink,
		.name = TEXT_EMPTY, .description = TEXT_EMPTY, .reason = TEXT_EMPTY, .arguments = TEXT_EMPTY, .layers = TEXT_EMPTY,
		.started = TEXT_EMPTY, .groups = TEXT_EMPTY,
	};
	int r = 0;

	variables_set(sources->config, &rendering.variables);
	for (size_t i = 0; r == 0 && i < ELEMENTS(outputs); i++)
		if (outputs[i].part == part && outputs[i].when(sources))
			r = outputs[i].put(&rendering, &outputs[i]);
	return r;
}

int render_host(const struct render_sources *sources, struct sink *sink)
{
	return render(sources, OF_HOST, sink);
}

int render_origin(const struct render_sources *sources, struct sink *sink)
{
	return render(sources, OF_ORIGIN, sink);
}

int render_rows(const struct render_sources *sources, struct sink *sink)
{
	return render(sources, OF_ROWS, sink);
}
