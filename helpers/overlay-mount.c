/*
 * The privileged system calls in the order in which a mount makes them, and why each is safe. Those of enter_host()
 * and open_beneath(), which come first, are listed in privileged.c. No descriptor allows writing.
 *
 *   setfsuid, setfsgid,  Missing directories are made with the rights of the owner of ROOT/runtime and no more. They
 *   mkdirat              belong to that owner from the start, so there is no chown that could hit something else.
 *   flock                On the instance's directory, so that one instance is mounted or unmounted once at a time.
 *   fsopen, fsconfig     The new mount API (fsopen(2)). Layers, upper and work are given as /proc/self/fd/N, which is
 *                        the directory that was opened and checked, whatever its name means by now. Each is a string
 *                        of its own without a name from the file system, so there is nothing to quote.
 *   fsmount              With nosuid and nodev. The mount is not attached yet, and goes if this process is killed.
 *   move_mount           Attaches it to the opened merged directory by descriptor, without looking up a path.
 *   umount2              With UMOUNT_NOFOLLOW, on a single name below a descriptor. libmount would follow a symbolic
 *                        link there unless it ran setuid (do_umount() in context_umount.c), and might execute
 *                        /sbin/umount.overlay. A descriptor of the mount itself would make it busy.
 *   fsetxattr            In overlay-tree.c: the mark that a large upper directory was walked through.
 *   unlinkat             In overlay-tree.c: removes work/work by descriptors, after the unmount.
 *
 * No capability is dropped: overlayfs keeps the credentials of the process that mounts, and uses them for all later
 * work on the layers (Documentation/filesystems/overlayfs.rst, "Permission model"). Without CAP_CHOWN, for
 * example, no file of another owner could be copied up.
 */
#include "overlay-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "overlay-say.h"

/* Much less than TimeoutStopSec= of the server unit, which is 15 s. */
enum { LOCK_SECONDS = 5 };

#define FD_PATH "/proc/self/fd/%d"

int open_root(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die(EXIT_FAILED, errno, "cannot open '%s'", path);
	return fd;
}

/* setfsuid(2) and setfsgid(2) report no error; a call with -1 returns the present value. */
static bool act_as(uid_t uid, gid_t gid)
{
	(void) setfsgid(gid);
	(void) setfsuid(uid);
	return (gid_t) setfsgid((gid_t) -1) == gid && (uid_t) setfsuid((uid_t) -1) == uid;
}

int make_beneath(int directory, const char *name, int like, int flags)
{
	int fd = open_beneath(directory, name, flags, 0), error = 0;
	struct stat owner;

	if (fd != -ENOENT)
		return fd;
	if (fstat(like, &owner) < 0)
		return -errno;
	if (!act_as(owner.st_uid, owner.st_gid))
		error = EPERM;
	else if (mkdirat(directory, name, 0755) < 0 && errno != EEXIST)
		error = errno;
	if (!act_as(0, 0))
		die(EXIT_FAILED, 0, "cannot become root again");
	return error ? -error : open_beneath(directory, name, flags, 0);
}

void lock_directory(int directory, const char *path)
{
	int r;

	deadline(LOCK_SECONDS);
	r = flock(directory, LOCK_EX);
	if (r < 0 && errno == EINTR)
		die(EXIT_FAILED, 0, "'%s' is locked by another process", path);
	if (r < 0)
		die(EXIT_FAILED, errno, "cannot lock '%s'", path);
	deadline(0);
}

/* The file system context keeps the kernel's messages, such as "e overlay: …", for read(2); see fsopen(2). */
_Noreturn static void die_explained(int context, const char *path, int error)
{
	cleanup_text struct text log = TEXT_EMPTY;
	char message[1024];
	ssize_t length;

	while ((length = read(context, message, sizeof(message))) > 2) {
		text_puts(&log, log.length ? "; " : ": ");
		text_append(&log, message + 2, (size_t) length - 2 - (message[length - 1] == '\n'));
	}
	die(EXIT_FAILED, error, "cannot mount an overlay on '%s'%s", path, log.length ? log.data : "");
}

static void configure(int context, const char *path, const char *key, int fd)
{
	cleanup_free char *value = xasprintf(FD_PATH, fd);

	if (fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) < 0)
		die_explained(context, path, errno);
}

/* If the kernel cannot make work/work, on a full disk for example, it mounts read-only and reports success. */
static void refuse_read_only(int mount, const char *path)
{
	struct statvfs state;

	if (fstatvfs(mount, &state) < 0)
		die(EXIT_FAILED, errno, "cannot look at the overlay for '%s'", path);
	if (state.f_flag & ST_RDONLY)
		die(EXIT_FAILED, EROFS, "cannot mount an overlay on '%s': the kernel could not use work and "
		    "would mount it read-only (disk full?)", path);
}

int mount_stack(const struct stack *stack, const char *path)
{
	cleanup_free char *source = xasprintf(OVERLAY_SOURCE "%s", stack->name);
	cleanup_close int context = fsopen("overlay", FSOPEN_CLOEXEC);
	int mount;

	if (context < 0)
		die(EXIT_FAILED, errno, "the kernel has no overlay file system");
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		die_explained(context, path, errno);
	for (size_t i = 0; i < stack->count; i++)
		configure(context, path, "lowerdir+", stack->layers[i]);
	configure(context, path, "upperdir", stack->upper);
	configure(context, path, "workdir", stack->work);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		die_explained(context, path, errno);
	mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mount < 0)
		die_explained(context, path, errno);
	refuse_read_only(mount, path);
	if (move_mount(mount, "", stack->merged, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		die(EXIT_FAILED, errno, "cannot mount on '%s'", path);
	return mount;
}

/*
 * MNT_DETACH, because our own descriptor makes the mount busy and there is no other safe name for it. A server's
 * mount is never detached: processes would go on in it unseen. This one is an instant old, and nobody knows of it.
 */
void undo_mount(int mount)
{
	cleanup_free char *path = xasprintf(FD_PATH, mount);

	if (umount2(path, MNT_DETACH) < 0)
		die(EXIT_FAILED, errno, "cannot undo a mount");
}

int unmount_merged(int directory)
{
	cleanup_free char *path = xasprintf(FD_PATH "/merged", directory);

	return umount2(path, UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}
