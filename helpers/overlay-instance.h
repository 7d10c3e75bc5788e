/*
 * The directory of one instance, ROOT/runtime/NAME, and what lies in it, as open descriptors. Nothing below ROOT
 * is reached through a symbolic link.
 */
#pragma once

#include "base.h"

/* Descriptors, O_PATH. Each is -ENOENT if it does not exist. */
struct instance_directory {
	int root;               /* ROOT; always open */
	int runtime;            /* ROOT/runtime */
	int directory;          /* ROOT/runtime/NAME */
	char *path;             /* its path, for messages */
};

/*
 * Opens the directory of the instance `name`, which must be valid (valid_name()), below `root`, an absolute path.
 * With `create`, ROOT/runtime must exist and ROOT/runtime/NAME is made if missing. Dies of anything but a
 * missing directory that may be missing. *instance belongs to the caller, who frees it by instance_done().
 */
void open_instance(const char *root, const char *name, bool create, struct instance_directory *instance);
void instance_done(struct instance_directory *instance);

/*
 * Opens `upper` or `work` in the instance's directory, O_PATH; with `create`, makes it if missing. Returns a
 * descriptor that the caller closes, or, without `create`, -ENOENT. Dies of any other error.
 */
int open_part(const struct instance_directory *instance, const char *name, bool create);

/*
 * Checks the result of an open: returns a descriptor unchanged, and -ENOENT if `may_be_missing`. Dies of any other
 * -errno with a message that names `directory`/`name`.
 */
int opened(int fd, bool may_be_missing, const char *directory, const char *name);
