/* The running kernel's version, and whether this is its first user namespace; for the helpers as well. */
#pragma once

#include <limits.h>
#include <sys/utsname.h>

#include "base.h"

/* False also where the release is no version. */
static inline bool kernel_is_older(const struct utsname *kernel, unsigned major, unsigned minor)
{
	unsigned its_major, its_minor;

	return sscanf(kernel->release, "%u.%u", &its_major, &its_minor) == 2 &&
	       (its_major < major || (its_major == major && its_minor < minor));
}

/* Whether the user ids of this process are not the whole range: those of a container without privileges on its host. */
static inline bool in_user_namespace(void)
{
	cleanup_fclose FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned inside, outside, count;

	return map && fscanf(map, "%u %u %u", &inside, &outside, &count) == 3 &&
	       (inside != 0 || outside != 0 || count != UINT_MAX);
}
