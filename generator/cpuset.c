#include "cpuset.h"

#include <string.h>

#include "base.h"
#include "name.h"

static void add(struct cpuset *set, unsigned cpu)
{
	set->words[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

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
		add(set, (unsigned) cpu);
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
	if (cpuset_highest(&set) < 0)
		return false;
	*ret_set = set;
	return true;
}

struct cpuset cpuset_first(unsigned count)
{
	struct cpuset set = { { 0 } };

	for (unsigned cpu = 0; cpu < count; cpu++)
		add(&set, cpu);
	return set;
}

bool cpuset_parse_host(const char *text, struct cpuset *ret_set)
{
	int64_t count;

	if (strpbrk(text, ",-"))
		return cpuset_parse(text, ret_set);
	if (!parse_decimal(text, 1, CPUS_MAX, &count))
		return false;
	*ret_set = cpuset_first((unsigned) count);
	return true;
}

bool cpuset_has(const struct cpuset *set, int cpu)
{
	return set->words[cpu / 64] >> cpu % 64 & 1;
}

int cpuset_highest(const struct cpuset *set)
{
	int cpu = CPUS_MAX - 1;

	while (cpu >= 0 && set->words[cpu / 64] == 0)
		cpu -= 64;
	while (cpu >= 0 && !cpuset_has(set, cpu))
		cpu--;
	return cpu;
}

bool cpuset_is_single(const struct cpuset *set)
{
	uint64_t word = 0;
	int used = 0;

	for (size_t i = 0; i < ELEMENTS(set->words); i++)
		if (set->words[i]) {
			word = set->words[i];
			used++;
		}
	return used == 1 && (word & (word - 1)) == 0;
}

struct cpuset cpuset_without(const struct cpuset *all, const struct cpuset *set)
{
	struct cpuset rest = *all;

	for (size_t i = 0; i < ELEMENTS(rest.words); i++)
		rest.words[i] &= ~set->words[i];
	return rest;
}

char *cpuset_format(const struct cpuset *set)
{
	struct text out = TEXT_EMPTY;
	int highest = cpuset_highest(set);

	for (int first = 0; first <= highest; first++) {
		int last = first;

		if (!cpuset_has(set, first))
			continue;
		while (last < highest && cpuset_has(set, last + 1))
			last++;
		text_printf(&out, last > first ? "%s%d-%d" : "%s%d", out.length ? "," : "", first, last);
		first = last;
	}
	return text_take(&out);
}
