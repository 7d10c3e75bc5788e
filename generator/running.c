#include "running.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base.h"
#include "name.h"

/* What stands between "invocation:KIND" and ".service", owned by the caller; NULL for another kind of file. */
static char *instance_of(const char *file, const char *prefix)
{
	static const char suffix[] = ".service";
	size_t start = strlen(prefix), length = strlen(file), end = sizeof(suffix) - 1;
	char *name;

	if (length <= start + end || strncmp(file, prefix, start) != 0 || strcmp(file + length - end, suffix) != 0)
		return NULL;
	name = xstrdup(file + start);
	name[length - start - end] = '\0';
	return name;
}

static bool valid_id(const char *text)
{
	int64_t id;

	return parse_id(text, &id);
}

static void add(char *name, bool (*valid)(const char *), char ***names, size_t *count)
{
	if (!name || !valid(name)) {
		free(name);
		return;
	}
	*names = grow_array(*names, *count, sizeof(**names));
	(*names)[(*count)++] = name;
}

void running_read(const char *directory, struct report *report, struct running *ret_running)
{
	struct running running = { NULL, 0, NULL, 0 };
	DIR *dir = opendir(directory);
	int error = dir ? 0 : errno;
	const struct dirent *entry;

	while (dir && (errno = 0, entry = readdir(dir)) != NULL) {
		const char *file = entry->d_name;

		add(instance_of(file, "invocation:" SERVER_UNIT), valid_name, &running.servers, &running.server_count);
		add(instance_of(file, "invocation:" BUILD_UNIT), valid_id, &running.builds, &running.build_count);
	}
	if (dir) {
		error = errno;
		(void) closedir(dir);
	}
	if (error != 0 && error != ENOENT)
		report_problem(report, directory, "%s; what runs without a row may lack its rule to stop it", strerror(error));
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
