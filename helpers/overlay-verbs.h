/*
 * The verbs of left4me-overlay. They run in PID 1's mount namespace, and return only if they succeeded; every failure
 * ends the program through die().
 */
#pragma once

#include "base.h"

/* The command line, already checked. */
struct request {
	const char *root;       /* absolute and normalised */
	const char *name;       /* of the instance; of `build`, `commit` and `discard` the id of the overlay */
	char **layers;          /* of `mount`: overlay ids, topmost first, then INSTALLATION */
	int count;
	const char *started;    /* of `mount`: what its unit says of the start, KEY=VALUE,KEY=VALUE, or NULL */
	bool dry_run;           /* print what would be done, change nothing */
};

/*
 * Mounts the instance's overlay on its anchor (overlay-anchor.h), and notes what its unit is to see (overlay-view.h) and what it
 * was started with (overlay-record.h). What is mounted there already was left by a stop if a unit starts, which gives `started`:
 * it is unmounted first. If that fails since somebody uses it, or without `started`, it stays, whatever its layers are; then what
 * the unit is to see is noted anew, and with `started` what it was started with.
 */
void verb_mount(const struct request *request);

/* Unmounts the instance's overlay and removes what the kernel leaves in its work directory. */
void verb_umount(const struct request *request);

/* The same for a caller that holds the lock of the instance's anchor, the descriptor `anchor`. */
void unmount_instance(const struct request *request, int anchor);
