/* The running kernel's version; for the helpers as well. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <sys/utsname.h>

/* False also where the release is no version. */
static inline bool kernel_is_older(const struct utsname *kernel, unsigned major, unsigned minor)
{
	unsigned its_major, its_minor;

	return sscanf(kernel->release, "%u.%u", &its_major, &its_minor) == 2 &&
	       (its_major < major || (its_major == major && its_minor < minor));
}
