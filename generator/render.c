#include "render.h"

#include "name.h"
#include "render-rows.h"
#include "started.h"
#include "templates.h"

/* --- outputs of the host --------------------------------------------------------------------------------- */

static int put_host(struct rendering *rendering, const struct output *output)
{
	return rendering_put_unit(rendering, output, output->name, output->wanted_by != NULL);
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
		.name = rendering_unit_name(rendering, output->name, rendering->sources->config->host.uid),
	};

	return sink->mask ? sink->mask(sink, &unit) : 0;
}

/* The root directory of the builds, in which systemd makes the mount points, and that of the records (started.h). */
static int put_directory(struct rendering *rendering, const struct output *output)
{
	const struct file directory = { .tree = TREE_STATE, .directory = output->directory, .name = output->name };

	return rendering->sink->directory ? rendering->sink->directory(rendering->sink, &directory) : 0;
}

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

static bool is_slow(const struct render_sources *sources)
{
	return sources->is_slow;
}

/* Everything that is written, in this order. */
static const struct output outputs[] = {
	{ OF_HOST, put_host, &template_left4me_target, "", "left4me.target", always, "multi-user.target.wants", NULL },
	{ OF_HOST, put_host, &template_stop_service, "", "left4me-stop.service", always, NULL, NULL },
	{ OF_HOST, put_host, &template_resume_service, "", "left4me-resume.service", always, NULL, NULL },
	{ OF_HOST, render_fallback, &template_server_service, "", SERVER_UNIT ".service", always, NULL,
	  "Left 4 Dead 2 server %i, not in the database" },
	{ OF_HOST, put_host, &template_server_hardening_conf, SERVER_UNIT ".service.d", "10-hardening.conf", always, NULL, NULL },
	{ OF_HOST, put_host, &template_queue_service, "", "left4me-queue.service", always, "left4me.target.wants", NULL },
	{ OF_HOST, put_host, &template_queue_target, "", "left4me-queue.target", always, NULL, NULL },
	{ OF_HOST, put_host, &template_turn_service, "", QUEUE_UNIT ".service", always, NULL, NULL },
	{ OF_HOST, put_host, &template_unmount_service, "", "left4me-unmount.service", always, NULL, NULL },
	{ OF_HOST, put_host, &template_unmount_target, "", "left4me-unmount.target", always, NULL, NULL },
	{ OF_HOST, put_host, &template_collect_service, "", "left4me-collect.service", always, NULL, NULL },
	{ OF_HOST, render_fallback, &template_build_service, "", BUILD_UNIT ".service", always, NULL,
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
	{ OF_ORIGIN, put_host, &template_reload_slow_conf, "left4me-reload.service.d", SLOW_DROP_IN, is_slow, NULL, NULL },
	{ OF_HOST, put_host, &template_check_service, "", "left4me-check.service", always, "left4me.target.wants", NULL },
	{ OF_HOST, put_host, &template_check_timer, "", "left4me-check.timer", always, "timers.target.wants", NULL },
	{ OF_HOST, put_user_mask, NULL, "", "user@", always, NULL, NULL },
	{ OF_ROWS, render_servers, &template_server_service, "", SERVER_UNIT, always, "left4me.target.wants", NULL },
	{ OF_ROWS, render_turns, NULL, "", QUEUE_UNIT, always, "left4me-queue.target.wants", NULL },
	{ OF_ROWS, render_builds, &template_build_service, "", BUILD_UNIT, always, NULL, NULL },
	{ OF_ROWS, render_sudo_rules, &template_left4me_sudoers, "sudoers.d", "left4me", has_rules, NULL, NULL },
	{ OF_ORIGIN, put_directory, NULL, "", "root", has_rules, NULL, NULL },
	{ OF_ORIGIN, put_directory, NULL, "", STARTED_DIRECTORY, has_rules, NULL, NULL },
};

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

/*
 * A line that is a setting and one placeholder is one piece, after the end of the line before it. Of a setting that stands in
 * several lines nobody can tell from which one a value is.
 */
const char *render_key_of(const char *path, const char *setting)
{
	static const char *const names[] = { KEYS(KEY_NAME) };
	const struct template *template = template_of(path);
	cleanup_free char *line = xasprintf("\n%s=", setting);
	const char *name = NULL;
	size_t count = 0;

	for (size_t i = 0; template && i < template->count; i++) {
		const struct piece *piece = &template->pieces[i];

		for (const char *found = piece->literal; (found = strstr(found, line)); found++)
			count++;
		if (piece->line == 1 && piece->variable != NO_VARIABLE && (size_t) piece->variable < ELEMENTS(names) &&
		    strcmp(piece->literal, line) == 0)
			name = names[piece->variable];
	}
	return count == 1 ? name : NULL;
}

/* --- all of it ------------------------------------------------------------------------------------------- */

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
