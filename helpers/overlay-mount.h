/*
 * Every privileged system call of left4me-overlay; overlay-mount.c begins with the list.
 */
#pragma once

#include <stdint.h>

#include "name.h"
#include "privileged.h"

/* The mount's source is this and the instance's name; by it an overlay is known as ours. */
#define OVERLAY_SOURCE "left4me:"

/* ROOT itself may be reached through links. Dies when it is no directory. */
int open_root(const char *path);

/* open_beneath() of a directory that is made first if missing, owned like the open directory `like`. */
int make_beneath(int directory, const char *name, int like, int flags);

/* Waits a few seconds for the exclusive lock on an open directory, then dies. Released when the program ends. */
void lock_directory(int directory, const char *path);

/* What is to be mounted: descriptors only, layers topmost first. */
struct stack {
	const char *name;
	int layers[LAYERS_MAX];
	size_t count;
	int upper, work, merged;
};

/* Mounts the stack on `merged`; returns a descriptor of the mount. Dies with the kernel's own explanation. */
int mount_stack(const struct stack *stack, const char *path);

/* Takes away again what mount_stack() mounted, wherever it is now. */
void undo_mount(int mount);

/* Unmounts what is on `merged` in the open directory. 0 or -errno; -EBUSY while anything uses it. */
int unmount_merged(int directory);
