/* What POSIX does not have. The only file of the core that knows Linux. */
#pragma once

#include <sys/types.h>

unsigned platform_online_cpus(void);           /* at least 1 */

/*
 * Gives up root for good: no supplementary groups, uid and gid real, effective and saved, no way to more
 * privileges through a program (no_new_privs). 0 or -errno; on failure the caller must not go on.
 */
int platform_become(uid_t uid, gid_t gid);

/*
 * A new file below the directory that has no name, for writing, gone with its descriptor unless it is given a name.
 * The descriptor, or -1 where there is no such thing; 0 or -errno: -EEXIST for a name that is taken.
 */
int platform_open_unnamed(int directory, mode_t mode);
int platform_give_name(int fd, int directory, const char *path);

/* The calling process gets SIGKILL when its parent ends. */
void platform_die_with_parent(void);
