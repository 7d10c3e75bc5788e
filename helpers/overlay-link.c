#include "overlay-link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base.h"
#include "overlay-build.h"
#include "overlay-directory.h"
#include "overlay-say.h"
#include "privileged.h"

/* So deep may directories lie: each level takes descriptors and memory. */
enum { DEPTH_MAX = 512 };

/* The walk: what it counts, where it is. */
struct walk {
	struct tally *tally;
	struct text path;
	int depth;
};

/* --- names ----------------------------------------------------------------------------------------------- */

struct name {
	char *name;
	unsigned char type;     /* DT_*; never DT_UNKNOWN */
};

struct names {
	struct name *list;      /* sorted by bytes */
	size_t count;
};

static void names_done(struct names *names)
{
	while (names->count > 0)
		free(names->list[--names->count].name);
	free(names->list);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct name *) a)->name, ((const struct name *) b)->name);
}

static const struct name *find_name(const struct names *names, const char *name)
{
	const struct name wanted = { .name = (char *) name };

	return names->count == 0 ? NULL : bsearch(&wanted, names->list, names->count, sizeof(wanted), compare_names);
}

static unsigned char type_of(int directory, const struct dirent *entry)
{
	struct stat state;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	return fstatat(directory, entry->d_name, &state, AT_SYMLINK_NOFOLLOW) < 0 ? DT_UNKNOWN : IFTODT(state.st_mode);
}

/* The names in the directory `fd`, which stays open; none if it is negative. */
static void read_names(const struct walk *walk, int fd, struct names *names)
{
	cleanup_closedir DIR *directory = fd < 0 ? NULL : directory_open(fd);
	const struct dirent *entry;

	if (fd < 0)
		return;
	while (directory && (entry = directory_next(directory))) {
		names->list = grow_array(names->list, names->count, sizeof(*names->list));
		names->list[names->count++] = (struct name){ xstrdup(entry->d_name), type_of(fd, entry) };
	}
	if (!directory || errno)
		die(EXIT_FAILED, errno, "cannot read '%s'", walk->path.data);
	sort_array(names->list, names->count, sizeof(*names->list), compare_names);
}

/* --- attributes ------------------------------------------------------------------------------------------ */

/* Those that a user may set and see; overlayfs keeps its own under the user's names in a user namespace. */
static bool is_users(const char *attribute)
{
	if (startswith(attribute, OWN_ATTRIBUTES) || startswith(attribute, "user.overlay."))
		return false;
	return startswith(attribute, "user.") || startswith(attribute, "system.posix_acl_");
}

static void copy_extended(int from, int to, const char *path)
{
	static char list[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
	ssize_t size = flistxattr(from, list, sizeof(list)), length;

	for (const char *name = list; name < list + size; name += strlen(name) + 1) {
		if (!is_users(name))
			continue;
		length = fgetxattr(from, name, value, sizeof(value));
		if (length < 0 || fsetxattr(to, name, value, (size_t) length, 0) < 0)
			die(EXIT_FAILED, errno, "cannot copy the attribute %s of '%s'", name, path);
	}
}

/* How many attributes of the user's `a` has; -1 if `b` has not all of them with the same values, or they cannot be listed. */
static ssize_t count_in_both(int a, int b)
{
	static char list[XATTR_LIST_MAX], value[XATTR_SIZE_MAX], other[XATTR_SIZE_MAX];
	ssize_t size = flistxattr(a, list, sizeof(list)), count = 0, length;

	if (size < 0 && errno != EOPNOTSUPP)
		return -1;
	for (const char *name = list; name < list + size; name += strlen(name) + 1) {
		if (!is_users(name))
			continue;
		length = fgetxattr(a, name, value, sizeof(value));
		if (length < 0 || fgetxattr(b, name, other, sizeof(other)) != length || memcmp(value, other, (size_t) length) != 0)
			return -1;
		count++;
	}
	return count;
}

bool same_attributes(int a, int b)
{
	struct stat now, then;
	ssize_t count = count_in_both(a, b);

	return fstat(a, &now) == 0 && fstat(b, &then) == 0 && now.st_mode == then.st_mode && now.st_gid == then.st_gid &&
	       now.st_mtim.tv_sec == then.st_mtim.tv_sec && now.st_mtim.tv_nsec == then.st_mtim.tv_nsec &&
	       count >= 0 && count == count_in_both(b, a);
}

void copy_attributes(int from, int to, const char *path)
{
	struct stat state, now;

	if (fstat(from, &state) < 0 || fstat(to, &now) < 0)
		die(EXIT_FAILED, errno, "cannot look at '%s'", path);
	copy_extended(from, to, path);
	if (state.st_gid != now.st_gid)         /* where the owner may not give it that group, it has the owner's */
		(void) fchown(to, (uid_t) -1, state.st_gid);
	if (fchmod(to, state.st_mode & 07777) < 0 ||
	    futimens(to, (const struct timespec[]){ state.st_atim, state.st_mtim }) < 0)
		die(EXIT_FAILED, errno, "cannot set mode and time of '%s'", path);
}

/* --- files ----------------------------------------------------------------------------------------------- */

/* Dies for the entry `name` of the directory in which the walk is. */
_Noreturn static void die_at(const struct walk *walk, const char *name, int error, const char *what)
{
	die(EXIT_FAILED, error, "cannot %s '%s/%s'", what, walk->path.data, name);
}

/* Copies the data between the holes. Returns 0 or -errno. */
static int copy_data(int from, int to, off_t size)
{
	off_t start, end = 0;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	if (ftruncate(to, size) < 0)
		return -errno;
	while ((start = lseek(from, end, SEEK_DATA)) >= 0) {
		off_t at = start;

		end = lseek(from, start, SEEK_HOLE);
		if (end < 0)
			return -errno;
		while (at < end) {
			off_t in = at;
			ssize_t n = copy_file_range(from, &in, to, &(off_t){ at }, (size_t) (end - at), 0);

			if (n < 0)
				return -errno;
			if (n == 0)
				return -EIO;
			at += n;
		}
	}
	return errno == ENXIO ? 0 : -errno;
}

static void copy_file(const struct walk *walk, int from, const char *name, int to)
{
	cleanup_close int source = open_beneath(from, name, O_RDONLY | O_NONBLOCK, RESOLVE_NO_XDEV);
	cleanup_close int copy = -1;
	struct stat state;
	int r;

	if (source < 0 || fstat(source, &state) < 0)
		die_at(walk, name, source < 0 ? -source : errno, "neither link nor read");
	if (!S_ISREG(state.st_mode))
		die_at(walk, name, EPERM, "link");
	copy = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (copy < 0)
		die_at(walk, name, errno, "make a copy of");
	r = copy_data(source, copy, state.st_size);
	if (r < 0)
		die_at(walk, name, -r, "copy");
	copy_attributes(source, copy, name);
}

/* A symbolic link, FIFO or socket, which has no content but a name. */
static void copy_name(const struct walk *walk, int from, const char *name, int to)
{
	char target[PATH_MAX] = "";
	struct stat state;
	int r;

	if (fstatat(from, name, &state, AT_SYMLINK_NOFOLLOW) < 0)
		die_at(walk, name, errno, "look at");
	if (S_ISLNK(state.st_mode) && readlinkat(from, name, target, sizeof(target)) < 0)
		die_at(walk, name, errno, "read");
	if (target[sizeof(target) - 1])
		die_at(walk, name, ENAMETOOLONG, "read");
	if (S_ISLNK(state.st_mode))
		r = symlinkat(target, to, name);
	else if ((r = mknodat(to, name, state.st_mode & (S_IFMT | 07777), 0)) == 0)
		r = fchmodat(to, name, state.st_mode & 07777, 0);
	if (r < 0 || utimensat(to, name, (const struct timespec[]){ state.st_atim, state.st_mtim }, AT_SYMLINK_NOFOLLOW) < 0)
		die_at(walk, name, errno, "make a copy of");
}

/*
 * Whether a file that could not be linked is copied instead: it has too many links, or is not the user's, or its file system has
 * no hard links. EXDEV is, beside a mount point, another subvolume of btrfs or another project of quotas.
 */
static bool may_copy(const struct walk *walk, int from, const char *name, int error)
{
	struct statx state;

	if (error != EXDEV)
		return error == EMLINK || error == EPERM || error == EOPNOTSUPP || error == ENOSYS;
	if (statx(from, name, AT_SYMLINK_NOFOLLOW, 0, &state) < 0)
		die_at(walk, name, errno, "look at");
	if (state.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		die(EXIT_FAILED, 0, "'%s/%s' is a mount point: unmount it before the build", walk->path.data, name);
	return true;
}

static void link_file(const struct walk *walk, int from, const struct name *name, int to)
{
	if (linkat(from, name->name, to, name->name, 0) == 0)
		return;
	if (!may_copy(walk, from, name->name, errno))
		die_at(walk, name->name, errno, "link");
	if (name->type == DT_LNK || name->type == DT_FIFO || name->type == DT_SOCK)
		copy_name(walk, from, name->name, to);
	else
		copy_file(walk, from, name->name, to);
	walk->tally->copied++;
}

/* --- directories ----------------------------------------------------------------------------------------- */

static void link_directory(struct walk *walk, const struct layered *from, int to);

static int open_child(const struct walk *walk, int directory, const char *name)
{
	int fd = directory < 0 ? -1 : open_beneath(directory, name, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);

	if (fd == -EXDEV)
		die(EXIT_FAILED, 0, "'%s/%s' is a mount point: unmount it before the build", walk->path.data, name);
	if (fd < 0 && directory >= 0)
		die_at(walk, name, -fd, "open");
	return fd;
}

static size_t enter(struct walk *walk, const char *name)
{
	size_t length = walk->path.length;

	text_printf(&walk->path, "/%s", name);
	if (++walk->depth > DEPTH_MAX)
		die(EXIT_FAILED, 0, "'%s' lies deeper than %d directories", walk->path.data, DEPTH_MAX);
	return length;
}

static void leave(struct walk *walk, size_t length)
{
	walk->depth--;
	walk->path.length = length;
	walk->path.data[length] = '\0';
}

/* The directory `name` of the three trees: `upper` and `lower` say in which of the two it is a directory. */
static void link_child(struct walk *walk, const struct layered *from, const char *name, bool upper, bool lower,
		       int to)
{
	cleanup_close int merged_fd = open_child(walk, upper && lower ? from->merged : -1, name);
	cleanup_close int upper_fd = open_child(walk, upper ? from->upper : -1, name);
	cleanup_close int lower_fd = open_child(walk, lower ? from->lower : -1, name);
	cleanup_close int made = -1;
	size_t length = enter(walk, name);

	if (mkdirat(to, name, 0700) < 0)
		die(EXIT_FAILED, errno, "cannot make a copy of '%s'", walk->path.data);
	made = open_beneath(to, name, O_RDONLY | O_DIRECTORY, 0);
	if (made < 0)
		die(EXIT_FAILED, -made, "cannot open the copy of '%s'", walk->path.data);
	link_directory(walk, &(const struct layered){ merged_fd, upper_fd, lower_fd }, made);
	leave(walk, length);
}

static void count_new(const struct walk *walk, int upper, const char *name, const struct name *old)
{
	struct stat state;

	if (fstatat(upper, name, &state, AT_SYMLINK_NOFOLLOW) < 0)
		die_at(walk, name, errno, "look at");
	if (old && old->type != DT_DIR)
		walk->tally->changed++;
	else
		walk->tally->added++;
	if (S_ISREG(state.st_mode))
		walk->tally->bytes += (uint64_t) state.st_size;
}

/* Counts what is gone: the file `name` of the present generation, or all files in the directory of that name. */
static void count_removed(struct walk *walk, int lower, const struct name *name)
{
	cleanup(names_done) struct names below = { NULL, 0 };
	cleanup_close int fd = -1;
	size_t length;

	if (name->type != DT_DIR) {
		walk->tally->removed++;
		return;
	}
	fd = open_beneath(lower, name->name, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
	if (fd < 0)             /* its owner could remove what he could not read */
		return;
	length = enter(walk, name->name);
	read_names(walk, fd, &below);
	for (size_t i = 0; i < below.count; i++)
		count_removed(walk, fd, &below.list[i]);
	leave(walk, length);
}

/* overlayfs marks by these what it hides. */
static bool is_whiteout(int directory, const struct name *name)
{
	struct stat state;

	return name->type == DT_CHR && fstatat(directory, name->name, &state, AT_SYMLINK_NOFOLLOW) == 0 &&
	       state.st_rdev == 0;
}

/* A name of the directory that the script saw. `upper` and `lower` are the entries of that name, or NULL. */
static void link_entry(struct walk *walk, const struct layered *from, const struct name *name,
		       const struct name *upper, const struct name *lower, int to)
{
	if (upper && is_whiteout(from->upper, upper))
		return;
	if (name->type == DT_DIR) {
		link_child(walk, from, name->name, upper != NULL, lower && lower->type == DT_DIR, to);
	} else if (upper) {
		link_file(walk, from->upper, name, to);
		count_new(walk, from->upper, name->name, lower);
	} else {
		link_file(walk, from->lower, name, to);
	}
	if (upper && lower && lower->type == DT_DIR && name->type != DT_DIR)
		count_removed(walk, from->lower, lower);
	if (upper && lower && lower->type != DT_DIR && name->type == DT_DIR)
		walk->tally->removed++;
}

/*
 * The names are those of the overlay where both trees have the directory, since it knows which of the lower ones are
 * hidden; elsewhere the one tree has them all.
 */
static void link_directory(struct walk *walk, const struct layered *from, int to)
{
	cleanup(names_done) struct names upper = { NULL, 0 }, lower = { NULL, 0 }, both = { NULL, 0 };
	const struct names *seen = from->lower < 0 ? &upper : from->upper < 0 ? &lower : &both;

	read_names(walk, from->upper, &upper);
	read_names(walk, from->lower, &lower);
	if (seen == &both)
		read_names(walk, from->merged, &both);
	for (size_t i = 0; i < seen->count; i++)
		link_entry(walk, from, &seen->list[i], find_name(&upper, seen->list[i].name),
			   find_name(&lower, seen->list[i].name), to);
	for (size_t i = 0; seen == &both && i < lower.count; i++)
		if (!find_name(&both, lower.list[i].name))
			count_removed(walk, from->lower, &lower.list[i]);
	copy_attributes(from->upper >= 0 ? from->upper : from->lower, to, walk->path.data);
}

void link_generation(const struct layered *from, int to, const char *path, struct tally *tally)
{
	struct walk walk = { .tally = tally, .path = TEXT_EMPTY };

	text_puts(&walk.path, path);
	link_directory(&walk, from, to);
	text_done(&walk.path);
}
