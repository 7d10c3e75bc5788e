#include "overlay-stopped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "name.h"
#include "overlay-anchor.h"
#include "overlay-record.h"
#include "overlay-say.h"

/*
 * systemd keeps a link in here for each unit, from the first process of its start until it is inactive or failed. The links are
 * for journald: as long as there is one of its own unit, systemd still makes them.
 */
#define UNITS "/run/systemd/units"
#define UNIT_LINK "invocation:%s.service"

/* True also where that cannot be told. */
static bool unit_runs(int units, const char *unit)
{
	cleanup_free char *link = xasprintf(UNIT_LINK, unit);

	return faccessat(units, link, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static bool server_runs(int units, const char *name)
{
	cleanup_free char *unit = xasprintf(SERVER_UNIT "%s", name);

	return unit_runs(units, unit);
}

/* Returns a descriptor, which the caller closes. */
static int open_units(void)
{
	int units = open(UNITS, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (units < 0 || !unit_runs(units, "systemd-journald"))
		die(EXIT_FAILED, 0, "'" UNITS "' does not say which servers run; umount NAME unmounts one");
	return units;
}

/* In a process of its own, which dies of an error. Returns whether that has succeeded. */
static bool unmount_stopped(const struct request *request, int units)
{
	pid_t child = fork();
	int anchor, status;

	if (child < 0)
		die(EXIT_FAILED, errno, "cannot start a process");
	if (child == 0) {
		say_about(request->name, NULL);
		anchor = lock_anchor(ANCHOR_SERVER, request->name);
		/* A server whose start waits for this lock has its link already. */
		if (!server_runs(units, request->name))
			unmount_instance(request, anchor);
		exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die(EXIT_FAILED, errno, "cannot wait for a process");
	return status == 0;
}

/* Returns whether any was unmounted. *ret_failed is how many could not be. */
static bool unmount_all_stopped(const struct request *request, int units, int *ret_failed)
{
	cleanup_text struct text names = recorded_instances();
	bool any = false;

	*ret_failed = 0;
	for (char *name = names.data; name && name < names.data + names.length; name += strlen(name) + 1) {
		if (server_runs(units, name))
			continue;
		if (unmount_stopped(&(struct request){ .root = request->root, .name = name }, units))
			any = true;
		else
			(*ret_failed)++;
	}
	return any;
}

/* A server that fails while this runs asks for this unit while it is active, which does nothing: so it looks until nothing is left. */
void verb_umount_stopped(const struct request *request)
{
	cleanup_close int units = open_units();
	int failed;

	say_to_journal();
	while (unmount_all_stopped(request, units, &failed))
		;
	if (failed > 0)
		exit(EXIT_FAILED);
}
