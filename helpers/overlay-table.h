/*
 * What the mount table, /proc/self/mountinfo, says about an instance; it is parsed by libmount. Comparing device
 * numbers instead would miss a bind mount within one file system.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base.h"

/* Returns the id of the mount that `fd` lies in, the first column of proc_pid_mountinfo(5). Dies of an error. */
uint64_t mount_id(int fd);

/*
 * Returns whether `merged`, a descriptor of a directory in the open directory `anchor`, is the overlay that this
 * program mounted with the source `prefix``name`. Dies if anything else is mounted there.
 */
bool mounted_by_us(const char *prefix, const char *name, int anchor, int merged);

/*
 * Returns the path of an overlay of the instance that is mounted anywhere but on `merged`, its anchor: an earlier version
 * mounted it below ROOT, from where it may have been moved. NULL if there is none. The caller frees it. *ret_id is the
 * mount's id.
 */
char *find_elsewhere(const char *name, const char *merged, uint64_t *ret_id);

/* Returns the names of all instances that have an overlay mounted, each ended by a NUL; the caller frees them. */
struct text mounted_instances(void);

/* Returns the path of a mount below the directory `path`, NULL if there is none. The caller frees it. */
char *find_nested(const char *path);

/* Returns what the mount with this id shows: the path within its file system, and its source. The caller frees it. */
char *describe_mount(uint64_t id);
