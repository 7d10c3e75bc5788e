/*
 * What the mount table says about an instance. It is read from mountinfo, through libmount; a device number
 * cannot tell (S33).
 */
#pragma once

#include "base.h"

#include <stdint.h>

/* The id in mountinfo's first column of the mount that `fd` lies in. */
uint64_t mount_id(int fd);

/*
 * Whether what is open as `merged` is our overlay of this instance. Dies where anything else is mounted there,
 * and where our overlay turns up at another place below `root`: its upper directory is in use then.
 * merged may be negative: it does not exist.
 */
bool mounted_by_us(const char *name, int root, int instance, int merged);
