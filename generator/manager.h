/*
 * What systemd says of itself and of its units, asked through its own programs: no library of systemd's is linked. Never
 * called as a generator, which systemd waits for.
 */
#pragma once

#include "base.h"

/* Runs a program by its path, without a shell; its exit status, or -1. What it prints is appended to *out. */
int manager_run(const char *const arguments[], struct text *out);

/* The answer to one `systemctl show`: a block of PROPERTY=VALUE for each unit. */
struct shown {
	char *text;
	const char **blocks;
	size_t count;
};
#define SHOWN_EMPTY ((struct shown){ .text = NULL })

/*
 * Asks for properties, separated by commas, of units in one call: a list of names and patterns that ends with NULL, and that
 * is empty for the properties of systemd itself. A name is answered whether it is loaded or not, a pattern by all that is,
 * stopped or not. 0, or -1 when systemd does not answer. The answer is the caller's to free.
 */
int manager_show(const char *properties, const char *const units[], struct shown *ret_shown);

/* Borrowed; NULL where this systemd has no such property. */
const char *shown_value(const struct shown *shown, size_t unit, const char *property);

void shown_done(struct shown *shown);
