#include "cpuset.h"

#include <string.h>

#include "base.h"
#include "name.h"

/* "3" or "0-1"; changes the word. */
static bool add_range(struct cpuset *set, char *word)
{
	char *dash = strchr(word, '-');
	int64_t first, last;

	if (dash)
		*dash = '\0';
	if (!parse_decimal(word, 0, CPUS_MAX - 1, &first))
		return false;
	last = first;
	if (dash && !parse_decimal(dash + 1, first, CPUS_MAX - 1, &last))
		return false;
	for (int64_t cpu = first; cpu <= last; cpu++)
		set->member[cpu] = 1;
	return true;
}

bool cpuset_parse(const char *text, struct cpuset *ret_set)
{
	cleanup_free char *copy = xstrdup(text);
	struct cpuset set = { { 0 } };
	char *rest = NULL;

	for (char *word = strtok_r(copy, ", \t", &rest); word; word = strtok_r(NULL, ", \t", &rest))
		if (!add_range(&set, word))
			return false;
	if (cpuset_count(&set) == 0)
		return false;
	*ret_set = set;
	return true;
}

int cpuset_highest(const struct cpuset *set)
{
	int cpu = CPUS_MAX - 1;

	while (cpu >= 0 && !set->member[cpu])
		cpu--;
	return cpu;
}

unsigned cpuset_count(const struct cpuset *set)
{
	unsigned count = 0;

	for (int cpu = 0; cpu < CPUS_MAX; cpu++)
		count += set->member[cpu];
	return count;
}

struct cpuset cpuset_without(unsigned cpus, const struct cpuset *set)
{
	struct cpuset rest = { { 0 } };

	for (unsigned cpu = 0; cpu < cpus; cpu++)
		rest.member[cpu] = !set->member[cpu];
	return rest;
}

char *cpuset_format(const struct cpuset *set)
{
	struct text out = TEXT_EMPTY;

	text_puts(&out, "");
	for (int first = 0; first < CPUS_MAX; first++) {
		int last = first;

		if (!set->member[first])
			continue;
		while (last + 1 < CPUS_MAX && set->member[last + 1])
			last++;
		text_printf(&out, last > first ? "%s%d-%d" : "%s%d", out.length ? "," : "", first, last);
		first = last;
	}
	return out.data;
}
