/*
 * The privileged system calls of left4me-overlay. The head of overlay-mount.c lists them.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "name.h"
#include "privileged.h"

/* The source of our mounts is this and the instance's name. By it the mount table shows which overlays are ours. */
#define OVERLAY_SOURCE "left4me:"

/* The same for the mount of a build, with the overlay's id. */
#define BUILD_SOURCE "left4me-build:"

/*
 * Opens ROOT, O_PATH. `path` may contain symbolic links: what stands above ROOT is root's. Returns a descriptor,
 * which the caller closes; dies if there is no such directory.
 */
int open_root(const char *path);

/*
 * open_beneath() of a directory, O_PATH, which is first made, mode 0755, if it is missing. It is made with the rights of
 * the owner of the open directory `like` and belongs to that owner. Returns a descriptor or -errno.
 */
int make_beneath(int directory, const char *name, int like);

/* What is to be mounted. All but the source are descriptors of directories. */
struct stack {
	const char *source;             /* what the mount table shows */
	int layers[LAYERS_MAX];         /* topmost first */
	size_t count;
	int upper, work;
	int owner;                      /* the file system is used with the rights of this directory's owner */
};

/*
 * Makes the overlay, attached nowhere yet; `path` names in messages where it will be. Returns a descriptor of the
 * mount, which the caller closes: it is gone then unless it was attached. Dies with the kernel's own explanation.
 */
int make_overlay(const struct stack *stack, const char *path);

/* Attaches a mount that make_overlay() returned to the open directory `target`, which `path` names. Dies of an error. */
void attach_overlay(int mount, int target, const char *path);

/*
 * Unmounts what is mounted on `name` in the open directory. Never lazy: -EBUSY while a process uses the mount.
 * Returns 0 or -errno.
 */
int unmount_in(int directory, const char *name);
