#include "overlay-instance.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "overlay-mount.h"
#include "overlay-say.h"

void instance_done(struct instance_directory *instance)
{
	closep(&instance->root);
	closep(&instance->runtime);
	closep(&instance->directory);
	free(instance->path);
}

int opened(int fd, bool may_be_missing, const char *directory, const char *name)
{
	if (fd == -ELOOP)
		die(EXIT_FAILED, 0, "'%s/%s' leads through a symbolic link, which is not followed", directory,
		    name);
	if (fd < 0 && !(may_be_missing && fd == -ENOENT))
		die(EXIT_FAILED, -fd, "cannot open '%s/%s'", directory, name);
	return fd;
}

/* The same for what make_beneath() has made, or not. */
static int made(int fd, const char *directory, const char *name)
{
	if (fd == -EACCES)
		die(EXIT_FAILED, EACCES, "cannot make '%s/%s' as the owner of runtime", directory, name);
	return opened(fd, false, directory, name);
}

void open_instance(const char *root, const char *name, bool create, struct instance_directory *instance)
{
	const char *below_root;
	int fd;

	*instance = (struct instance_directory){
		.root = open_root(root),
		.directory = -ENOENT,
		.path = xasprintf("%s/runtime/%s", root, name),
	};
	fd = open_beneath(instance->root, "runtime", O_PATH | O_DIRECTORY, 0);
	instance->runtime = opened(fd, !create, root, "runtime");
	if (instance->runtime < 0)
		return;
	below_root = instance->path + strlen(root) + 1;
	if (create)
		instance->directory = made(make_beneath(instance->runtime, name, instance->runtime), root, below_root);
	else
		instance->directory = opened(open_beneath(instance->runtime, name, O_PATH | O_DIRECTORY, 0), true, root,
					     below_root);
}

int open_part(const struct instance_directory *instance, const char *name, bool create)
{
	if (create)
		return made(make_beneath(instance->directory, name, instance->runtime), instance->path, name);
	if (instance->directory < 0)
		return -ENOENT;
	return opened(open_beneath(instance->directory, name, O_PATH | O_DIRECTORY, 0), true, instance->path, name);
}
