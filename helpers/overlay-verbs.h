/*
 * mount and umount: the order of things, and what each says. Every refusal ends the program in die().
 */
#pragma once

#include "base.h"

/* A checked command line. */
struct request {
	const char *root;
	const char *name;
	char **layers;          /* topmost first; empty for umount */
	int count;
	bool dry_run;           /* say it on stdout, change nothing */
};

void verb_mount(const struct request *request);
void verb_umount(const struct request *request);
