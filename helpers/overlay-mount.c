/*
 * The privileged system calls in the order in which a mount makes them, and why each is safe. Those of enter_host()
 * and open_beneath(), which come first, are listed in privileged.c. No descriptor of anything below ROOT allows
 * writing.
 *
 *   mkdirat, flock       In overlay-anchor.c: the anchor of the instance, below /run/left4me/server, where root alone
 *                        gets in. Its lock lets one instance be mounted or unmounted once at a time.
 *   setfsuid, setfsgid,  Missing directories below ROOT are made with the rights of the owner of ROOT/runtime and no
 *   mkdirat              more. They belong to that owner from the start, so there is no chown that could hit
 *                        something else.
 *   fsetxattr            In overlay-tree.c and overlay-build.c: the marks that a large upper directory was walked through,
 *                        and that a build has not succeeded yet, on their descriptors.
 *   fsopen, fsconfig     The new mount API (fsopen(2)). Layers, upper and work are given as /proc/self/fd/N, which is
 *                        the directory that was opened and checked, whatever its name means by now. Each is a string
 *                        of its own without a name from the file system, so there is nothing to quote.
 *   capset               While the overlay is made: overlayfs keeps the credentials of that moment and uses them for
 *                        all later work on the layers (Documentation/filesystems/overlayfs.rst, "Permission model").
 *                        They are the file system uid and gid of the owner of ROOT/runtime, so that a server cannot
 *                        use the blocks that the file system reserves for root, with the
 *                        capabilities in COPY_UP_CAPABILITIES and no other.
 *   fsmount              With nosuid and nodev. The mount is not attached yet, and goes if this process is killed.
 *   openat, renameat,    In overlay-state.c: /run/left4me/view/UNIT, which names the directories that the unit is to
 *   unlinkat             see, and /run/left4me/mounted/NAME, what the server was started with. Root alone can write there.
 *   fchown               In overlay-generation.c: gives ROOT/overlays/.left4me/ID, which nobody else can have put into
 *                        a directory of root's, to the owner of ROOT/overlays.
 *   linkat, renameat2,   In overlay-link.c, overlay-generation.c and overlay-remove.c, for builds: with the rights of the
 *   symlinkat, mknodat,  owner of ROOT/overlays, or of ROOT for the installation, and without capabilities, on single names
 *   fchmod, utimensat,   below descriptors. Data is written only where a file cannot be linked, to one that this
 *   copy_file_range      process has made.
 *   syncfs               In overlay-build.c, before a generation is exchanged.
 *   move_mount           Attaches the mount to the anchor by descriptor, without looking up a path.
 *   umount2              With UMOUNT_NOFOLLOW, on a single name below a descriptor. libmount would follow a symbolic
 *                        link there unless it ran setuid (do_umount() in context_umount.c), and might execute
 *                        /sbin/umount.overlay. A descriptor of the mount itself would make it busy.
 *   unlinkat             In overlay-tree.c: removes work/work by descriptors, after the unmount. In overlay-anchor.c:
 *                        removes the anchor.
 *   faccessat2, fork,    In overlay-stopped.c: which servers run, by links of systemd's that are only looked for, and a
 *   waitpid              process for each that has stopped.
 */
#include "overlay-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"
#include "overlay-owner.h"
#include "overlay-say.h"

#define FD_PATH "/proc/self/fd/%d"

int open_root(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die(EXIT_FAILED, errno, "cannot open '%s'", path);
	return fd;
}

int make_beneath(int directory, const char *name, int like)
{
	const int flags = O_PATH | O_DIRECTORY;
	int fd = open_beneath(directory, name, flags, 0), error = 0;

	if (fd != -ENOENT)
		return fd;
	use_rights_of(like, 0);
	if (mkdirat(directory, name, 0755) < 0 && errno != EEXIST)
		error = errno;
	use_own_rights();
	return error ? -error : open_beneath(directory, name, flags, 0);
}

/*
 * What copy-up and whiteouts take: files of other owners and modes, trusted.overlay.* attributes, device nodes and
 * file capabilities. Not CAP_SYS_RESOURCE, which may use reserved blocks and exceed quotas.
 */
#define BIT(capability) (UINT64_C(1) << (capability))
#define COPY_UP_CAPABILITIES                                                                                     \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | \
	 BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MKNOD) | BIT(CAP_SETFCAP) | BIT(CAP_SYS_ADMIN))

/* Puts the path in place of each /proc/self/fd/N in a message of the kernel's. */
static void append_explained(struct text *log, const char *message)
{
	static const char prefix[] = "/proc/self/fd/";
	const char *found;

	while ((found = strstr(message, prefix))) {
		size_t digits = strspn(found + strlen(prefix), "0123456789");
		cleanup_free char *link = xstrdup(found);
		char path[PATH_MAX];
		ssize_t length;

		link[strlen(prefix) + digits] = '\0';
		length = readlink(link, path, sizeof(path));
		text_append(log, message, (size_t) (found - message));
		text_append(log, length < 0 ? link : path, length < 0 ? strlen(link) : (size_t) length);
		message = found + strlen(prefix) + digits;
	}
	text_puts(log, message);
}

/*
 * Layers one by one are new in 6.8. Linux 6.6 refuses the option, 6.1 takes it and refuses the mount, both with EINVAL, which
 * newer kernels have for other reasons.
 */
static void refuse_old_kernel(const char *path)
{
	struct utsname kernel;

	if (uname(&kernel) == 0 && kernel_is_older(&kernel, 6, 8))
		die(EXIT_FAILED, 0, "cannot mount an overlay on '%s': needs Linux 6.8 or later, which takes layers one by one; "
		    "this is %s", path, kernel.release);
}

/* The file system context keeps the kernel's messages, such as "e overlay: …", for read(2); see fsopen(2). */
_Noreturn static void die_explained(int context, const char *path, int error)
{
	cleanup_text struct text log = TEXT_EMPTY;
	char message[1024];
	ssize_t length;

	if (error == EINVAL)
		refuse_old_kernel(path);
	while ((length = read(context, message, sizeof(message) - 1)) > 2) {
		message[length - (message[length - 1] == '\n')] = '\0';
		text_puts(&log, log.length ? "; " : ": ");
		append_explained(&log, message + 2);
	}
	die(EXIT_FAILED, error, "cannot mount an overlay on '%s'%s", path, log.length ? log.data : "");
}

static void configure(int context, const char *path, const char *key, const char *value)
{
	if (fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) == 0)
		return;
	die_explained(context, path, errno);
}

static void configure_directory(int context, const char *path, const char *key, int fd)
{
	cleanup_free char *value = xasprintf(FD_PATH, fd);

	configure(context, path, key, value);
}

/*
 * Whatever the kernel's build or module parameters make the default. index: an upper directory that was restored
 * or copied is not refused as another's. metacopy: a file's data is in upper once it is changed. redirect_dir: a
 * directory of a lower layer is renamed by copying it. xino: would put the layer into the upper bits of inode numbers,
 * where the stat() of a 32-bit game fails with EOVERFLOW. userxattr: root of another user namespace than the first may not use
 * trusted.* attributes; with it the kernel takes no other redirect_dir than nofollow, which differs in redirects that an upper
 * directory already has.
 */
static void configure_options(int context, const char *path)
{
	static const char *const off[] = { "index", "metacopy", "xino" };
	bool userxattr = in_user_namespace();

	for (size_t i = 0; i < ELEMENTS(off); i++)
		configure(context, path, off[i], "off");
	configure(context, path, "redirect_dir", userxattr ? "nofollow" : "off");
	if (userxattr && fsconfig(context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		die_explained(context, path, errno);
}

/* The overlay keeps the credentials that this process has at FSCONFIG_CMD_CREATE. */
static void create(int context, const struct stack *stack, const char *path)
{
	int error = 0;

	use_rights_of(stack->owner, COPY_UP_CAPABILITIES);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		error = errno;
	use_own_rights();
	if (error)
		die_explained(context, path, error);
}

/* If the kernel cannot make work/work, on a full disk for example, it mounts read-only and reports success. */
static void refuse_read_only(int mount, const char *path)
{
	struct statvfs state;

	if (fstatvfs(mount, &state) < 0)
		die(EXIT_FAILED, errno, "cannot look at the overlay for '%s'", path);
	if (state.f_flag & ST_RDONLY)
		die(EXIT_FAILED, 0, "cannot mount an overlay on '%s': the kernel could not use work and would mount it "
		    "read-only (disk full?)", path);
}

int make_overlay(const struct stack *stack, const char *path)
{
	cleanup_close int context = fsopen("overlay", FSOPEN_CLOEXEC);
	int mount;

	if (context < 0)
		die(EXIT_FAILED, errno, "the kernel has no overlay file system");
	configure(context, path, "source", stack->source);
	for (size_t i = 0; i < stack->count; i++)
		configure_directory(context, path, "lowerdir+", stack->layers[i]);
	configure_directory(context, path, "upperdir", stack->upper);
	configure_directory(context, path, "workdir", stack->work);
	configure_options(context, path);
	create(context, stack, path);
	mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mount < 0)
		die_explained(context, path, errno);
	refuse_read_only(mount, path);
	return mount;
}

void attach_overlay(int mount, int target, const char *path)
{
	if (move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		die(EXIT_FAILED, errno, "cannot mount on '%s'", path);
}

int unmount_in(int directory, const char *name)
{
	cleanup_free char *path = xasprintf(FD_PATH "/%s", directory, name);

	return umount2(path, UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}
