#include "config-cpus.h"

#include <fcntl.h>
#include <string.h>

#include "cpuset.h"
#include "platform.h"

/* A list of sysfs's: one line. */
static bool read_cpus(const char *path, struct cpuset *ret_set)
{
	cleanup_free char *line = text_of_file(AT_FDCWD, path);

	if (!line)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return cpuset_parse(line, ret_set);
}

/* The threads of a core share its caches: to reserve one of them leaves the other beside a game. */
static void warn_of_split_cores(const char *prefix, const char *place, struct report *report, const struct cpuset *reserved)
{
	for (int cpu = 0; cpu <= cpuset_highest(reserved); cpu++) {
		cleanup_free char *path = xasprintf("%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", prefix,
						    cpu);
		struct cpuset siblings;

		if (!cpuset_has(reserved, cpu) || !read_cpus(path, &siblings))
			continue;
		for (int other = 0; other <= cpuset_highest(&siblings); other++)
			if (cpuset_has(&siblings, other) && !cpuset_has(reserved, other))
				report_warning(report, place, "[host] system_cpus splits a core: CPU %d is a thread of the same core as CPU %d",
					       other, cpu);
	}
}

/*
 * With simultaneous multithreading off, or CPUs taken off line, these are not the first so many: 0,2,4,6. A prefix without
 * a sysfs still is on this machine.
 */
static struct cpuset online_cpus(const char *prefix)
{
	static const char online[] = "/sys/devices/system/cpu/online";
	cleanup_free char *prefixed = xasprintf("%s%s", prefix, online);
	struct cpuset set;

	if (read_cpus(prefixed, &set) || read_cpus(online, &set))
		return set;
	return cpuset_first(platform_online_cpus());
}

/* The CPUs that there are to share out; false where nobody can know, which is reported. */
static bool find_cpus(const struct config_source *source, const char *place, struct report *report, const char *given,
		      struct cpuset *ret_all)
{
	if (given)
		return cpuset_parse_host(given, ret_all);
	if (!source->on_target) {
		report_problem(report, place, "[host] system_cpus needs [host] cpus, which is not given: "
			       "the number of CPUs of the host, such as 8, or which they are, such as 0,2,4,6");
		return false;
	}
	*ret_all = online_cpus(source->prefix);
	return true;
}

void config_pin_cpus(const struct config_source *source, const char *place, struct report *report, struct config *config)
{
	const char *system_cpus = config->host.system_cpus, *given = config->host.cpus;
	struct cpuset all, reserved, rest, missing;

	if (!cpuset_parse(system_cpus, &reserved) || !find_cpus(source, place, report, given, &all))
		return;
	rest = cpuset_without(&all, &reserved);
	missing = cpuset_without(&reserved, &all);
	if (cpuset_highest(&missing) >= 0) {
		cleanup_free char *there = cpuset_format(&all);

		report_problem(report, place, "[host] system_cpus '%s': CPU %d is not in %s%s", system_cpus,
			       cpuset_highest(&missing), there, given ? "" : ", which are online");
	} else if (cpuset_is_single(&all))
		report_warning(report, place, "[host] system_cpus is ignored: there is a single CPU");
	else if (cpuset_highest(&rest) < 0)
		report_problem(report, place, "[host] system_cpus '%s' leaves no CPU for the games", system_cpus);
	else {
		if (source->on_target)
			warn_of_split_cores(source->prefix, place, report, &reserved);
		config->reserved_cpus = cpuset_format(&reserved);
		config->game_cpus = cpuset_format(&rest);
	}
}
