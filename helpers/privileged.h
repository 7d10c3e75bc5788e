/*
 * What the privileged helpers have in common: a clean start, the way into the host's mount namespace, and
 * opening files below a directory. privileged.c lists the system calls. Nothing here prints or exits.
 */
#pragma once

#include <stdint.h>

/*
 * Gives up what came along from the caller: descriptors above 2, environment, umask, SIGPIPE; 0 to 2 are open
 * afterwards. There is nothing to execute later, so no_new_privs is set. 0 or -errno.
 */
int start_clean(void);

/* From whatever mount namespace the unit has into PID 1's. 0 or -errno. */
int enter_host(void);

/* A path below an open directory, through no symbolic link; O_CLOEXEC is added. The descriptor or -errno. */
int open_beneath(int directory, const char *path, int flags, uint64_t resolve);
