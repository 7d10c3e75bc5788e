/* setgroups(2), prctl(2), O_TMPFILE */
#define _GNU_SOURCE
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
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
	/* for root, setgid() and setuid() set the real, effective and saved id (setuid(2)) */
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

int platform_open_unnamed(int directory, mode_t mode)
{
#ifdef O_TMPFILE
	return openat(directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
#else
	(void) directory, (void) mode;
	return -1;
#endif
}

int platform_give_name(int fd, int directory, const char *path)
{
#ifdef AT_EMPTY_PATH
	char nameless[40];

	if (linkat(fd, "", directory, path, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	/* without CAP_DAC_READ_SEARCH by the detour that linkat(2) names */
	(void) snprintf(nameless, sizeof(nameless), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, nameless, directory, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
#else
	(void) fd, (void) directory, (void) path;
	return -ENOENT;
#endif
}

void platform_die_with_parent(void)
{
#ifdef __linux__
	(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}
