/* setgroups(2), prctl(2) */
#define _GNU_SOURCE
#include "platform.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

unsigned platform_online_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 0 ? (unsigned) cpus : 1;
}

int platform_become(uid_t uid, gid_t gid)
{
	/* from root, setgid() and setuid() set the real, effective and saved ids (setuid(2)) */
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return -errno;
	if (uid != 0 && setuid(0) == 0)
		return -EPERM;
#ifdef __linux__
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
#endif
	return 0;
}

void platform_die_with_parent(void)
{
#ifdef __linux__
	(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}
