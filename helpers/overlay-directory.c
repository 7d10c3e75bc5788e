#include "overlay-directory.h"

#include <errno.h>
#include <string.h>

#include "base.h"

DIR *directory_open(int fd)
{
	return opendirat(fd, ".", 0);
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

const struct dirent *directory_next(DIR *directory)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(directory);
	} while (entry && is_dot(entry->d_name));
	return entry;
}
