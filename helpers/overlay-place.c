#include "overlay-place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "overlay-mount.h"
#include "overlay-say.h"

void place_done(struct place *place)
{
	closep(&place->root);
	closep(&place->runtime);
	closep(&place->instance);
	free(place->path);
}

int opened(int fd, bool may_be_missing, const char *directory, const char *name)
{
	if (fd == -ELOOP)
		die(EXIT_FAILED, ELOOP, "'%s/%s' leads through a symbolic link, which is not followed", directory,
		    name);
	if (fd == -EACCES)
		die(EXIT_FAILED, EACCES, "cannot make '%s/%s' as the owner of runtime", directory, name);
	if (fd < 0 && !(may_be_missing && fd == -ENOENT))
		die(EXIT_FAILED, -fd, "cannot open '%s/%s'", directory, name);
	return fd;
}

void open_place(const char *root, const char *name, bool create, struct place *place)
{
	bool may_be_missing = !create;

	*place = (struct place){
		.root = open_root(root),
		.instance = -ENOENT,
		.path = xasprintf("%s/runtime/%s", root, name),
	};
	place->runtime = opened(open_beneath(place->root, "runtime", O_PATH | O_DIRECTORY, 0), may_be_missing,
				root, "runtime");
	if (place->runtime < 0)
		return;
	place->instance = opened(create ? make_beneath(place->runtime, name, place->runtime,
						       O_RDONLY | O_DIRECTORY)
					: open_beneath(place->runtime, name, O_RDONLY | O_DIRECTORY, 0),
				 may_be_missing, root, place->path + strlen(root) + 1);
}

int open_part(const struct place *place, const char *name, bool create)
{
	int fd = -ENOENT;

	if (create)
		fd = make_beneath(place->instance, name, place->runtime, O_PATH | O_DIRECTORY);
	else if (place->instance >= 0)
		fd = open_beneath(place->instance, name, O_PATH | O_DIRECTORY, 0);
	return opened(fd, !create, place->path, name);
}
