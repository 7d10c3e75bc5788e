/* Sets of logical CPUs as AllowedCPUs= writes them: "0,4-7". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CPUS_MAX 8192          /* the kernel's own NR_CPUS limit on x86-64 */

struct cpuset {
	uint64_t words[CPUS_MAX / 64];
};

/* What [host] cpus may be: "8" is a count and means 0 to 7, "0,2,4" or "0-7" are the CPUs themselves. */
bool cpuset_parse_host(const char *text, struct cpuset *ret_set);

struct cpuset cpuset_first(unsigned count);                            /* 0 to count-1 */

/* Numbers and ranges, separated by commas or blanks; false for anything else and for a CPU of CPUS_MAX or above. */
bool cpuset_parse(const char *text, struct cpuset *ret_set);

bool cpuset_has(const struct cpuset *set, int cpu);                    /* 0 to CPUS_MAX-1 */
int cpuset_highest(const struct cpuset *set);                          /* -1 when empty */
bool cpuset_is_single(const struct cpuset *set);
struct cpuset cpuset_without(const struct cpuset *all, const struct cpuset *set);
char *cpuset_format(const struct cpuset *set);                         /* owned by the caller; "" when empty */
