/*
 * What left4me-fetch-script does as root in the host's mount namespace, which is all but the reading (fetch-child.h): finding out
 * whether the build could reach the host, and making the directory from which the unit runs its script. fetch-unit.c begins
 * with the list of system calls.
 */
#pragma once

#include <sys/types.h>

#include "base.h"
#include "privileged.h"

#define SCRIPT_ROOT RUN_DIRECTORY "/build"     /* root's, with a directory for each id */

/*
 * Checks that the unit's processes, as which this one is filtered, cannot reach the host over the network. 0, or -1
 * with the reason, owned by the caller; then the build must not go on.
 */
int check_host_unreachable(char **ret_reason);

/*
 * Makes SCRIPT_ROOT/ID with the file `script` in it, readable for that group, in place of what an earlier build left. 0,
 * or -1 with the reason, and then there is neither.
 */
int publish_script(const char *id, gid_t gid, const struct text *script, char **ret_reason);

/* Removes the two; what is not there is no error. 0, or -1 with the reason. */
int remove_script(const char *id, char **ret_reason);
