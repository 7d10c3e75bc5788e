/*
 * From root in the build unit to its user on the host: everything that left4me-fetch-script does as root.
 * fetch-unit.c begins with the list of system calls.
 */
#pragma once

/*
 * Leaves the unit's mount namespace for the host's, checks that the unit's processes cannot reach the host over the
 * network, opens the unit's runtime directory and becomes its owner for good. `database` must belong to the same
 * user, or to root. 0, or -1 with the reason, owned by the caller; then it must not go on.
 */
int become_builder(const char *runtime_directory, const char *database, int *ret_directory, char **ret_reason);
