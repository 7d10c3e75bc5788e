/*
 * What the mount table, /proc/self/mountinfo, says about an instance; it is parsed by libmount. Comparing device
 * numbers instead would miss a bind mount within one file system.
 */
#pragma once

#include "base.h"

#include <stdint.h>

/* Returns the id of the mount that `fd` lies in, the first column of proc_pid_mountinfo(5). Dies of an error. */
uint64_t mount_id(int fd);

/*
 * Returns whether the directory `merged` is the overlay that this program mounted for the instance `name`.
 * `root` and `instance` are descriptors of ROOT and ROOT/runtime/NAME; a negative `merged` means that there is no
 * such directory. Dies if anything else is mounted on merged, and if the instance's overlay is mounted elsewhere
 * below ROOT, since its upper directory is then in use.
 */
bool mounted_by_us(const char *name, int root, int instance, int merged);
