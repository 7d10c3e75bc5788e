/*
 * Where the overlay of an instance is mounted: the anchor, /run/left4me/server/NAME, holds the mount point
 * `merged`; that of a build likewise, below /run/left4me/overlay. /run/left4me/server is root's, mode 0700: nobody
 * else gets in to rename, remove or lock anything, whatever becomes of what lies below ROOT. The server sees its
 * anchor through BindPaths=: mode 0711, so that it gets through to its overlay, but cannot open the anchor and lock
 * it.
 */
#pragma once

#include <stdbool.h>

/*
 * The directories of anchors below /run/left4me, root's and 0700: of servers by name, of builds by the overlay's
 * id.
 */
#define ANCHOR_SERVER "server"
#define ANCHOR_BUILD "overlay"

/* The mount point in the anchor. */
#define MERGED "merged"

/*
 * Opens the directory `name` below the open directory `parent`, made with `mode` if it is missing. `path` is the
 * parent's, for messages. Returns a readable descriptor, which the caller closes. Dies of an error, and if another
 * user than root may write in the directory.
 */
int open_own_directory(int parent, const char *path, const char *name, unsigned mode);

/* Dies if another user than root may write in the open directory `name` below `path`. */
void check_own(int fd, const char *path, const char *name);

/* Opens /run/left4me in the same way. */
int open_run_directory(void);

/* Opens the directory of anchors of a kind, made if it is missing. Returns a descriptor, which the caller closes. */
int open_anchors(const char *kind);

/* Takes a lock (flock(2)) on a directory, for which it waits five seconds. Dies of an error. */
void lock_directory(int fd, int operation, const char *path);

/*
 * Opens the anchor `name` of a kind, made if it is missing, and takes its exclusive lock, which is held until
 * release_anchor() or the end of the program; then the anchor is removed if nothing is mounted on it. `name` must
 * stay valid until then; one anchor is held at a time. Returns a descriptor that must not be closed. Dies of an
 * error, and if another process holds the lock for more than five seconds; try_lock_anchor() returns -EWOULDBLOCK
 * if another holds it.
 */
int lock_anchor(const char *kind, const char *name);
int try_lock_anchor(const char *kind, const char *name);
void release_anchor(void);

/*
 * Opens the anchor, O_PATH, without making or locking it. Returns a descriptor or -ENOENT; dies of any other error.
 */
int find_anchor(const char *kind, const char *name);

/*
 * Opens `merged` in the anchor, O_PATH: the mount point, or the root of the overlay that is mounted on it. With
 * `create` it is made if missing. Returns a descriptor, which the caller closes, or, without `create`, -ENOENT. Dies
 * of any other error.
 */
int open_merged(int anchor, bool create);

/* Returns the path of the mount point, which the caller frees. */
char *merged_path(const char *kind, const char *name);
