/*
 * Where the overlay of an instance is mounted: the anchor, /run/left4me/server/NAME, holds the mount point `merged`.
 * /run/left4me/server is root's, mode 0700: nobody else gets in to rename, remove or lock anything, whatever becomes
 * of what lies below ROOT. The server sees its anchor through BindPaths=: mode 0711, so that it gets through to its
 * overlay, but cannot open the anchor and lock it.
 */
#pragma once

#include <stdbool.h>

/* The mount point in the anchor. */
#define MERGED "merged"

/*
 * Opens the directory `name` below the open directory `parent`, made with `mode` if it is missing. `path` is the
 * parent's, for messages. Returns a readable descriptor, which the caller closes. Dies of an error, and if another
 * user than root may write in the directory.
 */
int open_own_directory(int parent, const char *path, const char *name, unsigned mode);

/* Opens /run/left4me in the same way. */
int open_run_directory(void);

/*
 * Opens the anchor of the instance `name`, made if it is missing, and takes its exclusive lock, which is held until
 * the program ends; then the anchor is removed if nothing is mounted on it. `name` must stay valid until then, and
 * this is called once. Returns a descriptor that must not be closed. Dies of an error, and if another process holds
 * the lock for more than five seconds.
 */
int lock_anchor(const char *name);

/* Opens the anchor, O_PATH, without making or locking it. Returns a descriptor or -ENOENT; dies of any other error. */
int find_anchor(const char *name);

/*
 * Opens `merged` in the anchor, O_PATH: the mount point, or the root of the overlay that is mounted on it. With
 * `create` it is made if missing. Returns a descriptor, which the caller closes, or, without `create`, -ENOENT. Dies
 * of any other error.
 */
int open_merged(int anchor, bool create);

/* Returns the path of the mount point, which the caller frees. */
char *merged_path(const char *name);
