#include "units.h"

#include <string.h>

#include "variables.h"

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

/* All names lie in one piece of memory. */
void units_name(const struct model *model, struct units *ret_units)
{
	static const char server[] = "left4me-server@", build[] = "build-overlay@";
	const size_t around = sizeof(server) + sizeof(".service") + sizeof(" -f");
	struct units units = { 0 };
	size_t size = 1;
	char *end;

	for (size_t i = 0; i < model->instance_count; i++)
		size += 2 * (around + strlen(model->instances[i].name));
	for (size_t i = 0; i < model->overlay_count; i++)
		size += 2 * (around + strlen(model->overlays[i].id_text));
	units.text = end = xrealloc(NULL, size, 1);
	units.servers = xcalloc(model->instance_count + 1, sizeof(*units.servers));
	units.builds = xcalloc(model->overlay_count + 1, sizeof(*units.builds));
	for (size_t i = 0; i < model->instance_count; i++)
		units.servers[i] = put_name(&end, server, model->instances[i].name);
	for (size_t i = 0; i < model->overlay_count; i++)
		if (model->overlays[i].has_script)
			units.builds[i] = put_name(&end, build, model->overlays[i].id_text);
	*ret_units = units;
}

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

static size_t list_ruled(const struct units *units, const struct model *model, struct ruled *ruled,
			 size_t *ret_builds)
{
	size_t count = 0, builds;

	for (size_t i = 0; i < model->overlay_count; i++)
		if (units->builds[i])
			ruled[count++] = (struct ruled){ units->builds[i], model->overlays[i].refused };
	builds = count;
	for (size_t i = 0; i < model->instance_count; i++)
		ruled[count++] = (struct ruled){ units->servers[i], model->instances[i].refused };
	qsort(ruled, builds, sizeof(*ruled), compare_ruled);
	qsort(ruled + builds, count - builds, sizeof(*ruled), compare_ruled);
	*ret_builds = builds;
	return count;
}

/* Lists those of from..to that have a row that counts; returns the end of the list. */
static const char **list_startable(const char **list, const struct ruled *from, const struct ruled *to,
				   struct variable *variable)
{
	const char **end = list;

	for (; from < to; from++)
		if (!from->refused)
			*end++ = from->unit;
	*variable = (struct variable){ list, (size_t) (end - list) };
	return end;
}

void units_list(struct units *units, const struct model *model, struct variable *variables)
{
	size_t room = model->instance_count + model->overlay_count + 1;
	cleanup_free struct ruled *ruled = xcalloc(room, sizeof(*ruled));
	size_t builds, count = list_ruled(units, model, ruled, &builds);
	const char **stoppable, **logged;

	units->lists = xcalloc(4 * room, sizeof(*units->lists));
	stoppable = list_startable(units->lists, ruled, ruled + builds, &variables[VAR_BUILDS]);
	stoppable = list_startable(stoppable, ruled + builds, ruled + count, &variables[VAR_SERVERS]);
	logged = stoppable + count;
	for (size_t i = 0; i < count; i++) {
		stoppable[i] = logged[2 * i] = ruled[i].unit;
		logged[2 * i + 1] = ruled[i].unit + strlen(ruled[i].unit) + 1;
	}
	variables[VAR_STOPPABLE] = (struct variable){ stoppable, count };
	variables[VAR_LOGGED] = (struct variable){ logged, 2 * count };
}

void units_done(struct units *units)
{
	free(units->servers);
	free(units->builds);
	free(units->text);
	free(units->lists);
	*units = (struct units){ 0 };
}
