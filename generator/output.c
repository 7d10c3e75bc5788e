#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_empty_directory(const char *path)
{
	cleanup_closedir DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = dir != NULL;

	while (empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	return empty;
}

static int make_path(const char *path, struct report *report)
{
	if (mkdir(path, 0755) == 0)
		return 0;
	report_problem(report, path, "%s", strerror(errno));
	return -1;
}

int output_make(const char *path, struct report *report, struct output_directory *ret_output)
{
	cleanup_free char *systemd = xasprintf("%s/systemd", path);
	bool made = access(path, F_OK) < 0;

	if (!made && !is_empty_directory(path)) {
		report_problem(report, path, "is not an empty directory");
		return -1;
	}
	*ret_output = (struct output_directory){
		.path = xstrdup(path), .made = made,
		.units = xasprintf("%s/generator", systemd), .state = xasprintf("%s/left4me", path),
	};
	if ((!made || make_path(path, report) == 0) && make_path(systemd, report) == 0 &&
	    make_path(ret_output->units, report) == 0)
		return 0;
	output_remove(ret_output);
	output_done(ret_output);
	return -1;
}

void output_remove(const struct output_directory *output)
{
	cleanup_free char *systemd = xasprintf("%s/systemd", output->path);

	(void) rmdir(output->units);
	(void) rmdir(systemd);
	(void) rmdir(output->state);
	if (output->made)
		(void) rmdir(output->path);
}

void output_done(struct output_directory *output)
{
	freep(&output->path);
	freep(&output->units);
	freep(&output->state);
}
