#include <sys/stat.h>

#include "host.h"
#include "name.h"

static const struct overlay *overlay_of(const struct model *model, const struct instance *instance, size_t layer)
{
	return &model->overlays[model->layers[instance->first_layer + layer].overlay];
}

static bool has_layer(const struct model *model, const struct instance *instance, const struct overlay *overlay)
{
	for (size_t i = 0; i < instance->layer_count; i++)
		if (overlay_of(model, instance, i) == overlay)
			return true;
	return false;
}

static bool has_game(const struct model *model, const struct instance *instance, const struct look *look)
{
	for (size_t i = 0; i < instance->layer_count; i++)
		if (look_find(look, FOUND_GAME, overlay_of(model, instance, i)->id_text))
			return true;
	return look_find(look, FOUND_GAME, INSTALLATION);
}

/* Servers that do not start for one reason: one line for all of them. */
struct failing {
	const char *first;
	size_t count;
};

static void add_failing(struct failing *failing, const struct instance *instance)
{
	if (failing->count++ == 0)
		failing->first = instance->name;
}

/* Owned by the caller. */
static char *show_failing(const struct failing *failing)
{
	if (failing->count == 1)
		return xasprintf("instance '%s' does not start", failing->first);
	return xasprintf("instance '%s' and %zu more do not start", failing->first, failing->count - 1);
}

/*
 * What opens it; owned by the caller. Root types that, while the user may put a link there, which chmod and setfacl would
 * follow; and to its owner no access list matters.
 */
static char *open_layer(const struct config *config, const struct stat *layer, const char *path)
{
	if (layer->st_uid == strtoul(config->host.uid, NULL, 10))
		return xasprintf("runuser -u %s -- chmod u+rx %s", config->host.user, path);
	return xasprintf("chown -h %s:%s %s", config->host.user, config->host.group, path);
}

/* The installation is in every stack. */
static void check_game(const struct config *config, const struct model *model, const struct look *look,
			struct report *report)
{
	cleanup_free char *path = xconcat(config->host.root, "/", INSTALLATION), *who = NULL, *remedy = NULL;
	const struct found *installation = look_find(look, FOUND_INSTALLATION, INSTALLATION);
	bool closed = installation && installation->number != 0;
	struct failing failing = { .count = 0 };

	for (size_t i = 0; i < model->instance_count; i++)
		if (instance_is_to_start(&model->instances[i]) && (closed || !has_game(model, &model->instances[i], look)))
			add_failing(&failing, &model->instances[i]);
	if (failing.count == 0)
		return;
	who = show_failing(&failing);
	if (closed) {
		remedy = open_layer(config, &installation->state, path);
		report_problem(report, path, "is closed to user %s: %s; %s", config->host.uid, who, remedy);
	} else {
		report_problem(report, path, "has no srcds_run that user %s may execute: %s; steamcmd installs the game there "
			       "(left4me.conf(5), steamcmd)", config->host.uid, who);
	}
}

/* `found` is NULL where there is no directory. */
static void check_layer(const struct config *config, const struct model *model, const struct overlay *overlay,
			const struct found *found, struct report *report)
{
	cleanup_free char *path = xasprintf("%s/overlays/%s", config->host.root, overlay->id_text), *who = NULL;
	struct failing failing = { .count = 0 };

	for (size_t i = 0; i < model->instance_count; i++)
		if (instance_is_to_start(&model->instances[i]) && has_layer(model, &model->instances[i], overlay))
			add_failing(&failing, &model->instances[i]);
	if (failing.count == 0)
		return;
	who = show_failing(&failing);
	if (found) {
		cleanup_free char *remedy = open_layer(config, &found->state, path);

		report_problem(report, path, "is closed to user %s: %s; take it out of the stack, or: %s", config->host.uid,
			       who, remedy);
		return;
	}
	report_problem(report, path, "is missing, or no directory: %s; the application makes it, or: runuser -u %s -- mkdir %s%s%s",
		       who, config->host.user, path, overlay->has_script ? " && systemctl start " BUILD_UNIT : "",
		       overlay->has_script ? overlay->id_text : "");
}

void host_check_stacks(const struct config *config, const struct model *model, const struct look *look, struct report *report)
{
	check_game(config, model, look, report);
	for (size_t i = 0; i < model->overlay_count; i++) {
		const struct found *found = look_find(look, FOUND_OVERLAY, model->overlays[i].id_text);

		if (!model->overlays[i].refused && !(found && found->number == 0))
			check_layer(config, model, &model->overlays[i], found, report);
	}
}
