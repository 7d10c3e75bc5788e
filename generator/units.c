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
void units_name(const struct model *model, const struct running *running, struct units *ret_units)
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
	for (size_t i = 0; i < running->server_count; i++)
		size += 2 * (around + strlen(running->servers[i]));
	for (size_t i = 0; i < running->build_count; i++)
		size += 2 * (around + strlen(running->builds[i]));
	units.text = end = xrealloc(NULL, size, 1);
	units.servers = xcalloc(model->instance_count + 1, sizeof(*units.servers));
	units.builds = xcalloc(model->overlay_count + 1, sizeof(*units.builds));
	units.running_servers = xcalloc(running->server_count + 1, sizeof(*units.running_servers));
	units.running_builds = xcalloc(running->build_count + 1, sizeof(*units.running_builds));
	for (size_t i = 0; i < model->instance_count; i++)
		units.servers[i] = put_name(&end, server, model->instances[i].name);
	for (size_t i = 0; i < model->overlay_count; i++)
		if (model->overlays[i].has_script)
			units.builds[i] = put_name(&end, build, model->overlays[i].id_text);
	for (size_t i = 0; i < running->server_count; i++)
		units.running_servers[i] = put_name(&end, server, running->servers[i]);
	for (size_t i = 0; i < running->build_count; i++)
		units.running_builds[i] = put_name(&end, build, running->builds[i]);
	*ret_units = units;
}

/* A unit that a rule may name. One without a row that counts keeps what stops it and shows its log. */
struct ruled {
	const char *unit;
	enum { ROW_COUNTS, ROW_REFUSED, ROW_MISSING } row;
};

/* In the order of the bytes of their names, which is not quite that of the rows: "a-b.service" < "a.service". */
static int compare_ruled(const void *a, const void *b)
{
	const struct ruled *x = a, *y = b;
	int order = strcmp(x->unit, y->unit);

	return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/* Sorts them. What runs and has a row was given twice and stays once, with its row. */
static size_t merge_ruled(struct ruled *ruled, size_t count)
{
	size_t kept = 0;

	qsort(ruled, count, sizeof(*ruled), compare_ruled);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || strcmp(ruled[kept - 1].unit, ruled[i].unit) != 0)
			ruled[kept++] = ruled[i];
	return kept;
}

static size_t list_ruled(const struct units *units, const struct model *model, const struct running *running,
			 struct ruled *ruled, size_t *ret_builds)
{
	size_t count = 0, builds;

	for (size_t i = 0; i < model->overlay_count; i++)
		if (units->builds[i])
			ruled[count++] = (struct ruled){ units->builds[i],
							 model->overlays[i].refused ? ROW_REFUSED : ROW_COUNTS };
	for (size_t i = 0; i < running->build_count; i++)
		ruled[count++] = (struct ruled){ units->running_builds[i], ROW_MISSING };
	builds = count = merge_ruled(ruled, count);
	for (size_t i = 0; i < model->instance_count; i++)
		ruled[count++] = (struct ruled){ units->servers[i],
						 model->instances[i].refused ? ROW_REFUSED : ROW_COUNTS };
	for (size_t i = 0; i < running->server_count; i++)
		ruled[count++] = (struct ruled){ units->running_servers[i], ROW_MISSING };
	*ret_builds = builds;
	return builds + merge_ruled(ruled + builds, count - builds);
}

/* Lists those of from..to that have a row that counts; returns the end of the list. */
static const char **list_startable(const char **list, const struct ruled *from, const struct ruled *to,
				   struct variable *variable)
{
	const char **end = list;

	for (; from < to; from++)
		if (from->row == ROW_COUNTS)
			*end++ = from->unit;
	*variable = (struct variable){ list, (size_t) (end - list) };
	return end;
}

void units_list(struct units *units, const struct model *model, const struct running *running,
		struct variable *variables)
{
	size_t room = model->instance_count + model->overlay_count + running->server_count + running->build_count + 1;
	cleanup_free struct ruled *ruled = xcalloc(room, sizeof(*ruled));
	size_t builds, count = list_ruled(units, model, running, ruled, &builds);
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
	free(units->running_servers);
	free(units->running_builds);
	free(units->text);
	free(units->lists);
	*units = (struct units){ 0 };
}
