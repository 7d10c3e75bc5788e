#include "rules.h"

#include <string.h>

struct ruled {
	const char *name;
	bool startable;
};

/* What can be started comes first, so that of a unit that has a row and runs the row counts. */
static int compare_ruled(const void *a, const void *b)
{
	const struct ruled *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : y->startable - x->startable;
}

static void list(struct ruled *ruled, size_t count, struct name_list *ret_startable, struct name_list *ret_stoppable)
{
	struct name_list startable = { xcalloc(count + 1, sizeof(char *)), 0 };
	struct name_list stoppable = { xcalloc(count + 1, sizeof(char *)), 0 };

	sort_array(ruled, count, sizeof(*ruled), compare_ruled);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcmp(ruled[i - 1].name, ruled[i].name) == 0)
			continue;
		stoppable.names[stoppable.count++] = ruled[i].name;
		if (ruled[i].startable)
			startable.names[startable.count++] = ruled[i].name;
	}
	*ret_startable = startable;
	*ret_stoppable = stoppable;
}

static void list_servers(const struct model *model, const struct running *running, struct rules *rules)
{
	size_t count = 0;
	cleanup_free struct ruled *ruled = xcalloc(model->instance_count + running->server_count + 1, sizeof(*ruled));

	for (size_t i = 0; i < model->instance_count; i++)
		ruled[count++] = (struct ruled){ model->instances[i].name, !model->instances[i].refused };
	for (size_t i = 0; i < running->server_count; i++)
		ruled[count++] = (struct ruled){ running->servers[i], false };
	list(ruled, count, &rules->servers, &rules->stoppable_servers);
}

static void list_builds(const struct model *model, const struct running *running, struct rules *rules)
{
	size_t count = 0;
	cleanup_free struct ruled *ruled = xcalloc(model->overlay_count + running->build_count + 1, sizeof(*ruled));

	for (size_t i = 0; i < model->overlay_count; i++)
		if (model->overlays[i].has_script)
			ruled[count++] = (struct ruled){ model->overlays[i].id_text, !model->overlays[i].refused };
	for (size_t i = 0; i < running->build_count; i++)
		ruled[count++] = (struct ruled){ running->builds[i], false };
	list(ruled, count, &rules->builds, &rules->stoppable_builds);
}

void rules_list(const struct model *model, const struct running *running, struct rules *ret_rules)
{
	list_servers(model, running, ret_rules);
	list_builds(model, running, ret_rules);
}

void rules_done(struct rules *rules)
{
	free(rules->servers.names);
	free(rules->stoppable_servers.names);
	free(rules->builds.names);
	free(rules->stoppable_builds.names);
	*rules = (struct rules){ 0 };
}
