/*
 * Where an instance lives: descriptors of ROOT, ROOT/runtime, ROOT/runtime/NAME and what is in there.
 */
#pragma once

#include "base.h"

/* Where a dry run or umount finds nothing, -ENOENT. */
struct place {
	int root, runtime, instance;
	char *path;             /* of the instance, as the operator writes it */
};

/* With `create`, ROOT/runtime/NAME is made if missing. ROOT and, with `create`, ROOT/runtime must be there. */
void open_place(const char *root, const char *name, bool create, struct place *place);
void place_done(struct place *place);

/* upper, work or merged in the instance's directory; with `create`, made if missing. */
int open_part(const struct place *place, const char *name, bool create);

/* Lets a descriptor through, and -ENOENT where that is allowed; dies of any other -errno, naming the path. */
int opened(int fd, bool may_be_missing, const char *directory, const char *name);
