/* What POSIX lacks. platform.c is the only file of the core that uses Linux interfaces, and compiles without them. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* How many CPUs are online; 1 if that cannot be told. */
unsigned platform_online_cpus(void);

/* How many columns the terminal behind that descriptor has; 0 if it is none, or does not tell. */
unsigned platform_terminal_columns(int fd);

/* When that was made, in seconds since 1970; 0 where the file system does not know. A link is not followed. */
int64_t platform_birth_time(int directory, const char *name);

/* Where the path leads once all links are followed, owned by the caller; NULL where that cannot be told. */
char *platform_real_path(const char *path);

/*
 * Gives up root for good: no supplementary groups; real, effective and saved ids changed; no_new_privs set, so that no
 * program brings privileges back. 0 or -errno; after an error the caller must not go on.
 */
int platform_become(uid_t uid, gid_t gid);

/*
 * Opens a new file below `directory` for writing that has no name yet: unless it gets one, it is gone when it is closed.
 * The descriptor, or -1 where the system or the file system has no such files.
 */
int platform_open_unnamed(int directory, mode_t mode);

/* Gives that file its name, relative to `directory`. 0 or -errno: -EEXIST if the name is taken. */
int platform_give_name(int fd, int directory, const char *path);

/* Has the kernel kill the calling process when its parent ends. A change of user cancels it (prctl(2)). */
void platform_die_with_parent(void);

/*
 * Confines the calling process for good: of files it may read those below the working directory, and nothing else
 * (Landlock); of system calls it has what reading a database takes (seccomp). Neither is an error where the kernel
 * or the architecture lacks it. Sets no_new_privs. 0 or -errno; after an error the caller must not go on.
 */
int platform_confine(void);
