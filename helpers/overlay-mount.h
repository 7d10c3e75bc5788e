/*
 * The privileged system calls of left4me-overlay. The head of overlay-mount.c lists them.
 */
#pragma once

#include <stdint.h>

#include "name.h"
#include "privileged.h"

/* The source of our mounts is this and the instance's name. By it the mount table shows which overlays are ours. */
#define OVERLAY_SOURCE "left4me:"

/*
 * Opens ROOT, O_PATH. `path` may contain symbolic links: what stands above ROOT is root's. Returns a descriptor,
 * which the caller closes; dies if there is no such directory.
 */
int open_root(const char *path);

/*
 * open_beneath() of a directory, which is first made, mode 0755, if it is missing. It is made with the rights of the
 * owner of the open directory `like` and belongs to that owner. Returns a descriptor or -errno.
 */
int make_beneath(int directory, const char *name, int like, int flags);

/*
 * Takes the exclusive lock (flock(2)) on an open directory; dies if another process holds it for more than five
 * seconds. `path` is for messages. The lock is held until the program ends.
 */
void lock_directory(int directory, const char *path);

/* What is to be mounted. All but the name are descriptors of directories. */
struct stack {
	const char *name;               /* of the instance */
	int layers[LAYERS_MAX];         /* topmost first */
	size_t count;
	int upper, work, merged;
};

/*
 * Mounts the stack on its merged directory, `path` in messages. Returns a descriptor of the mount, which the caller
 * closes; dies with the kernel's own explanation if that fails.
 */
int mount_stack(const struct stack *stack, const char *path);

/* Detaches the mount that mount_stack() returned, wherever it is now. Dies if that fails. */
void undo_mount(int mount);

/*
 * Unmounts what is mounted on `merged` in the open directory. Never lazy: -EBUSY while a process uses the mount.
 * Returns 0 or -errno.
 */
int unmount_merged(int directory);
