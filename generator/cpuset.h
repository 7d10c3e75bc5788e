/* Sets of logical CPUs as AllowedCPUs= writes them: "0,4-7". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { CPUS_MAX = 8192 };      /* the kernel's own NR_CPUS limit on x86-64 */

struct cpuset {
	uint64_t words[CPUS_MAX / 64];
};

/* Numbers and ranges, separated by commas or blanks; false for anything else and for a CPU of CPUS_MAX or above. */
bool cpuset_parse(const char *text, struct cpuset *ret_set);

bool cpuset_has(const struct cpuset *set, int cpu);                    /* 0 to CPUS_MAX-1 */
int cpuset_highest(const struct cpuset *set);                          /* -1 when empty */
struct cpuset cpuset_without(unsigned cpus, const struct cpuset *set); /* 0 to cpus-1, less the set */
char *cpuset_format(const struct cpuset *set);                         /* owned by the caller; "" when empty */
