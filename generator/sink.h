/* Where a bundle goes: folders of files, or the metadata of a configuration management tool. */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "bundle.h"
#include "report.h"

/*
 * Writes below two folders: `units`, which exists, gets PLACE_UNITS, `state`, made if missing, PLACE_STATE (NULL: not written).
 * Files of `state` are replaced by rename(2), once all else is written. What fails is reported and what was
 * written is taken back. 0 or -1. Gives up where *give_up is set by a signal handler. To be called last: some files
 * are left open for the end of the program.
 */
int sink_folders(const struct bundle *bundle, const char *units, const char *state,
		 const volatile sig_atomic_t *give_up, struct report *report);

/* The same below `output`, which must be empty or missing: output/systemd/generator and output/left4me. */
int sink_tree(const struct bundle *bundle, const char *output, struct report *report);

/*
 * The units of the host as {"systemd": {"units": {NAME: {SECTION: {KEY: VALUE}}}}}, to the file `output` or,
 * when NULL, to standard output. A value is a string or, for a repeated key, a list of strings.
 */
int sink_json(const struct bundle *bundle, const char *output, struct report *report);
