/*
 * The privileged system calls that both helpers make, and why each is safe.
 *
 *   close_range          Closes what the caller left open, so that nothing of it is used by mistake.
 *   pidfd_open, setns    Enters PID 1's mount namespace, before anything is opened. The number 1 always means
 *                        init, and needs no /proc. setns(2) also moves the root and the working directory. In
 *                        PID 1's namespace already, the call changes nothing.
 *   openat2              With RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, so that nobody who may write below the
 *                        directory can lead the path out of it (openat2(2)).
 */
#include "privileged.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"

/* If descriptors 0 to 2 were closed, the next file to be opened would become stdin, stdout or stderr. */
static int have_standard_descriptors(void)
{
	int fd;

	if (fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDOUT_FILENO, F_GETFD) >= 0 &&
	    fcntl(STDERR_FILENO, F_GETFD) >= 0)
		return 0;
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	(void) close(fd);
	return 0;
}

int start_clean(void)
{
	int r = have_standard_descriptors();

	if (r < 0)
		return r;
	if (close_range(STDERR_FILENO + 1, ~0U, 0) < 0 || clearenv() != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	(void) umask(022);
	(void) signal(SIGPIPE, SIG_IGN);
	return 0;
}

int enter_host(void)
{
	cleanup_close int init = pidfd_open(1, 0);

	return init < 0 || setns(init, CLONE_NEWNS) < 0 ? -errno : 0;
}

int open_beneath(int directory, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t) flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | resolve,
	};
	int fd = (int) syscall(SYS_openat2, directory, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

void print_and_exit(const char *program, const char *text)
{
	int r = write_all(STDOUT_FILENO, text, strlen(text));

	if (r < 0)
		(void) fprintf(stderr, "%s: cannot write to standard output: %s\n", program, strerror(-r));
	exit(r < 0);
}
