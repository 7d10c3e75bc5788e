#include "running.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base.h"
#include "name.h"

static void add(char *name, char ***names, size_t *count)
{
	*names = grow_array(*names, *count, sizeof(**names));
	(*names)[(*count)++] = name;
}

static void add_file(struct running *running, const char *file)
{
	const char *unit = startswith(file, "invocation:");
	enum unit_kind kind;
	char *name = unit ? unit_instance(unit, &kind) : NULL;

	if (name && kind == UNIT_SERVER)
		add(name, &running->servers, &running->server_count);
	else if (name)
		add(name, &running->builds, &running->build_count);
}

void running_read(const char *directory, struct report *report, struct running *ret_running)
{
	struct running running = { NULL, 0, NULL, 0 };
	cleanup_closedir DIR *dir = opendir(directory);
	const struct dirent *entry;

	while (dir && (errno = 0, entry = readdir(dir)) != NULL)
		add_file(&running, entry->d_name);
	if (errno != 0 && errno != ENOENT)
		report_problem(report, directory, "%s; what runs without a row may lack its rule to stop it", strerror(errno));
	*ret_running = running;
}

void running_done(struct running *running)
{
	for (size_t i = 0; i < running->server_count; i++)
		free(running->servers[i]);
	for (size_t i = 0; i < running->build_count; i++)
		free(running->builds[i]);
	free(running->servers);
	free(running->builds);
	*running = (struct running){ NULL, 0, NULL, 0 };
}
