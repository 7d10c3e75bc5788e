#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "kernel.h"
#include "name.h"

/* PrivateUsers=: a unit that gets no namespace ends with status 217. */
static void check_user_namespaces(struct report *report)
{
	static const char limit[] = "/proc/sys/user/max_user_namespaces";
	cleanup_free char *value = text_of_file(AT_FDCWD, limit);

	if (access("/proc/self/ns/user", F_OK) < 0)
		report_problem(report, "the kernel", "has no user namespaces: no server and no build starts (217/USER)");
	else if (value && strtol(value, NULL, 10) == 0)
		report_problem(report, limit, "is 0: no server and no build starts (217/USER); take user.max_user_namespaces "
			       "out of sysctl.d and reboot, or set it to 10000");
}

/* The file is there where the call is. Only the host's own root may filter packets by it. */
static void check_bpf(struct report *report)
{
	static const char consequence[] = "systemd ignores the filters of addresses, interfaces and ports, and no build starts";

	if (access("/proc/sys/kernel/unprivileged_bpf_disabled", F_OK) < 0)
		report_problem(report, "the kernel", "has no bpf(2): %s", consequence);
	else if (in_user_namespace())
		report_problem(report, "the container", "has no bpf(2) in its user namespace: %s; a container of the host's "
			       "root has it", consequence);
}

/* Whether a list of modules of the running kernel's has overlayfs. */
static bool lists_overlayfs(const char *release)
{
	cleanup_free char *path = xasprintf("/lib/modules/%s/modules.dep", release);
	cleanup_free char *modules = text_of_file(AT_FDCWD, path);

	return modules && strstr(modules, "/overlayfs/overlay.ko");
}

/* Its module is loaded at the first mount. What modules its host has a container cannot see. */
static void check_overlayfs(struct report *report)
{
	cleanup_free char *known = text_of_file(AT_FDCWD, "/proc/filesystems");
	cleanup_free char *disabled = text_of_file(AT_FDCWD, "/proc/sys/kernel/modules_disabled");
	struct utsname kernel;

	if (!known || strstr(known, "\toverlay\n") || uname(&kernel) < 0)
		return;
	if (disabled && *disabled == '1')
		report_problem(report, "overlayfs", "is not loaded and can no longer be (kernel.modules_disabled): no server "
			       "starts; put overlay into /etc/modules-load.d and reboot");
	else if (access("/run/systemd/container", F_OK) < 0 && !lists_overlayfs(kernel.release))
		report_problem(report, "overlayfs", "is neither in the kernel nor in /lib/modules/%s: no server starts; reboot "
			       "after an upgrade of the kernel", kernel.release);
}

/* Layers of an overlay are given one by one, which is new in 6.8; what else the units need came before. */
static void check_version(struct report *report)
{
	struct utsname kernel;

	if (uname(&kernel) == 0 && kernel_is_older(&kernel, 6, 8))
		report_problem(report, "the kernel", "is %s: no server and no build starts before 6.8; left4me is made for 6.12 and "
			       "later", kernel.release);
}

static void check_seccomp(struct report *report)
{
	if (access("/proc/sys/kernel/seccomp/actions_avail", F_OK) < 0)
		report_problem(report, "the kernel", "has no seccomp filters: no build starts, and servers make any system call");
}

/* Whether the list, "cpu memory pids", has the word. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
		if ((at == list || at[-1] == ' ') && strchr(" \n", at[length]))
			return true;
	return false;
}

/* systemd passes over a limit whose controller is not there. In a container its host decides. */
static void check_controllers(const struct config *config, struct report *report)
{
	static const char path[] = "/sys/fs/cgroup/cgroup.controllers";
	static const char *const wanted[] = { "cpu", "memory", "pids", "cpuset" };
	size_t count = ELEMENTS(wanted) - (config->reserved_cpus ? 0 : 1);
	cleanup_text struct text missing = TEXT_EMPTY;
	cleanup_free char *there = text_of_file(AT_FDCWD, path);

	for (size_t i = 0; i < count; i++)
		if (!there || !has_word(there, wanted[i]))
			text_printf(&missing, " %s", wanted[i]);
	if (missing.length > 0)
		report_warning(report, path, "lacks%s: limits of memory, tasks and processors that need them have no effect; the host of "
			       "a container has to delegate them, and cgroup v1 must not hold them", missing.data);
}

/* A build exchanges overlays/ID, and an update the installation, for a new tree, which no mount point can be. */
void host_check_mounts(const struct config *config, struct report *report)
{
	cleanup_free char *overlays = xasprintf("%s/overlays", config->host.root);
	cleanup_free char *installation = xasprintf("%s/" INSTALLATION, config->host.root);
	cleanup_free char *table = text_of_file(AT_FDCWD, "/proc/self/mountinfo");
	char *rest, target[4096];

	if (!table)
		return;
	for (char *line = strtok_r(table, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *name;

		if (sscanf(line, "%*s %*s %*s %*s %4095s", target) != 1)
			continue;
		name = path_below(target, overlays);
		if (name && valid_id(name))
			report_problem(report, target, "is a mount point: every build of overlay %s fails; mount the disk on "
				       "'%s', or let the overlay be a directory of it", name, overlays);
		if (*config->update.command && strcmp(target, installation) == 0)
			report_problem(report, target, "is a mount point: every update of the game fails; mount the disk on '%s'",
				       config->host.root);
	}
}

void host_check_kernel(const struct config *config, struct report *report)
{
	check_version(report);
	check_user_namespaces(report);
	check_bpf(report);
	check_seccomp(report);
	check_overlayfs(report);
	check_controllers(config, report);
}
