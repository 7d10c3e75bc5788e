/*
 * The system calls made as root, in their order, and why each is safe; those of enter_host() and open_beneath()
 * are in privileged.c.
 *
 *   pidfd_open, setns    Into PID 1's mount namespace; in the unit's own there is no database.
 *   socket, sendto       In fetch-probe.c, to the host's own addresses, as the kernel lists them.
 *   pipe2, fork          In fetch-child.c: the child reads the database, and its first act is to give up root.
 *   setgid, setuid       In platform.c, by that child: to the build's user, never to root.
 *   kill, waitpid        Of that child alone.
 *   openat2              SCRIPT_ROOT and what is below, through no link. No other user may write there.
 *   mkdirat, openat      Of the directory of an id, and of a file without a name in it.
 *   fchown, fchmod       Of these two, by descriptor: readable for the build's group, writable for nobody else.
 *   linkat               Gives the script its name when it is complete.
 *   unlinkat             Of a script and its directory, when the build has ended or the next one begins.
 */
#include "fetch-unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch-probe.h"
#include "platform.h"

#define SCRIPT "script"

static int fail(char **ret_reason, int error, const char *what, const char *id)
{
	*ret_reason = xasprintf("cannot %s '%s%s%s': %s", what, SCRIPT_ROOT, *id ? "/" : "", id, strerror(error));
	return -1;
}

int check_host_unreachable(char **ret_reason)
{
	cleanup_free char *address = NULL;
	int r = probe_own_addresses(&address);

	if (r < 0)
		*ret_reason = xasprintf("cannot list the host's addresses: %s", strerror(-r));
	else if (r > 0)
		*ret_reason = xasprintf("the build could reach the host itself at %s: the unit's address or interface "
					"filter is not enforced (is libbpf1 installed? if only since the boot: systemctl "
					"daemon-reexec)", address);
	return r == 0 ? 0 : -1;
}

/*
 * The descriptor, or -errno: -EPERM if somebody else may write there. With `create` it is made if it is missing, as
 * systemd-tmpfiles does at boot.
 */
static int open_script_root(bool create)
{
	static const char path[] = RUN_DIRECTORY;
	cleanup_close int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int run = top < 0 ? -errno : open_beneath(top, path + 1, O_PATH | O_DIRECTORY, 0);
	const char *name = &SCRIPT_ROOT[sizeof(path)];
	struct stat st;
	int fd;

	if (run < 0)
		return run;
	if (create && mkdirat(run, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open_beneath(run, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || (fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & 0022) == 0))
		return fd;
	closep(&fd);
	return -EPERM;
}

static int refuse_script_root(char **ret_reason, int error)
{
	if (error != EPERM)
		return fail(ret_reason, error, "use", "");
	*ret_reason = xasprintf("another user than root may write in '%s': remove it", SCRIPT_ROOT);
	return -1;
}

/* 0 also if there is none. */
static int remove_below(int root, const char *id)
{
	cleanup_close int directory = open_beneath(root, id, O_RDONLY | O_DIRECTORY, 0);

	if (directory == -ENOENT)
		return 0;
	if (directory < 0)
		return directory;
	if (unlinkat(directory, SCRIPT, 0) < 0 && errno != ENOENT)
		return -errno;
	return unlinkat(root, id, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* The file has its name when it is complete and has its mode. */
static int write_script(int directory, gid_t gid, const struct text *script)
{
	cleanup_close int fd = platform_open_unnamed(directory, 0400);

	if (fd < 0)
		return -errno;
	if (script->length > 0) {
		int r = write_all(fd, script->data, script->length);

		if (r < 0)
			return r;
	}
	if (fchown(fd, 0, gid) < 0 || fchmod(fd, 0440) < 0)
		return -errno;
	return platform_give_name(fd, directory, SCRIPT);
}

/* The directory is root's alone until the script is in it. */
static int make_below(int root, const char *id, gid_t gid, const struct text *script)
{
	cleanup_close int directory = mkdirat(root, id, 0700) < 0 ? -errno : open_beneath(root, id, O_RDONLY | O_DIRECTORY, 0);
	int r = directory < 0 ? directory : write_script(directory, gid, script);

	if (r == 0 && (fchown(directory, 0, gid) < 0 || fchmod(directory, 0750) < 0))
		r = -errno;
	return r;
}

int publish_script(const char *id, gid_t gid, const struct text *script, char **ret_reason)
{
	cleanup_close int root = open_script_root(true);
	int r;

	if (root < 0)
		return refuse_script_root(ret_reason, -root);
	r = remove_below(root, id);
	if (r < 0)
		return fail(ret_reason, -r, "replace", id);
	r = make_below(root, id, gid, script);
	if (r == 0)
		return 0;
	(void) remove_below(root, id);
	return fail(ret_reason, -r, "make", id);
}

int remove_script(const char *id, char **ret_reason)
{
	cleanup_close int root = open_script_root(false);
	int r;

	if (root < 0)
		return root == -ENOENT ? 0 : refuse_script_root(ret_reason, -root);
	r = remove_below(root, id);
	return r < 0 ? fail(ret_reason, -r, "remove", id) : 0;
}
