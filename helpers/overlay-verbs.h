/*
 * The verbs of left4me-overlay. They run in PID 1's mount namespace, and return only if they succeeded; every failure
 * ends the program through die().
 */
#pragma once

#include "base.h"

/* The command line, already checked. */
struct request {
	const char *root;       /* absolute and normalised */
	const char *name;       /* of the instance */
	char **layers;          /* overlay ids, topmost first, then INSTALLATION; empty for umount */
	int count;
	bool dry_run;           /* print what would be done, change nothing */
};

/* Mounts the instance's overlay. If it is mounted already, nothing is done, whatever the layers are. */
void verb_mount(const struct request *request);

/* Unmounts the instance's overlay and removes what the kernel leaves in its work directory. */
void verb_umount(const struct request *request);
