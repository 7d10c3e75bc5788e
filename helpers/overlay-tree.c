#include "overlay-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "overlay-directory.h"
#include "overlay-say.h"
#include "privileged.h"

/* The kernel puts at most two levels below work/work (ovl_workdir_cleanup() in fs/overlayfs). */
enum { LEFTOVER_DEPTH = 2 };

#define TAINT "user.fuseoverlayfs."

/*
 * On an upper directory whose walk took longer than MARKED_AFTER: it was walked through to its end. From then
 * on a start looks only as far as it gets in that time. Nobody but root can set trusted.* attributes (xattr(7)).
 */
#define MARK "trusted.left4me.checked"
#define MARKED_AFTER (100 * USEC_PER_MSEC)
enum { WALK_SECONDS = 30 };

/* Returns the next entry, NULL at the end. Dies of a read error. */
static const struct dirent *next_entry(DIR *directory, const char *path)
{
	const struct dirent *entry = directory_next(directory);

	if (!entry && errno)
		die(EXIT_FAILED, errno, "cannot read '%s'", path);
	return entry;
}

static DIR *directory_of(int fd, const char *path)
{
	DIR *directory = directory_open(fd);

	if (!directory)
		die(EXIT_FAILED, errno, "cannot read '%s'", path);
	return directory;
}

/*
 * llistxattr(2) does not follow a symbolic link in the last component of a path, and below the descriptor there is
 * only one. It opens nothing, so that a FIFO or a lease cannot block it. A file that has just been removed, or
 * whose file system has no attributes, is not tainted.
 */
static void refuse_tainted_file(int fd, const char *name, const char *path)
{
	static char list[XATTR_LIST_MAX];
	cleanup_free char *file = xasprintf("/proc/self/fd/%d/%s", fd, name);
	ssize_t size = llistxattr(file, list, sizeof(list));

	if (size < 0 && errno != ENOENT && errno != EOPNOTSUPP)
		die(EXIT_FAILED, errno, "cannot list the attributes of '%s/%s'", path, name);
	for (ssize_t i = 0; i < size; i += (ssize_t) strlen(list + i) + 1)
		if (startswith(list + i, TAINT))
			die(EXIT_FAILED, 0, "'%s/%s' has the attribute %s: this upper directory was written by "
			    "fuse-overlayfs, empty it first", path, name, list + i);
}

/* A directory on the way down, and which of its subdirectories are still to be walked through. */
struct level {
	dev_t device;
	ino_t inode;
	char **names;
	size_t count;
	size_t path_length;
};

/* A walk in progress. It holds one descriptor, however deep it is. */
struct walk {
	int fd;                 /* the directory that it is in */
	struct text path;       /* of that directory */
	struct level *levels;   /* the top of the tree first */
	size_t count;
	int64_t start;
	int64_t limit;          /* so long after the start it ends */
};

static bool is_late(const struct walk *walk)
{
	return time_now(CLOCK_MONOTONIC) - walk->start > walk->limit;
}

static void walk_done(struct walk *walk)
{
	closep(&walk->fd);
	text_done(&walk->path);
	for (size_t i = 0; i < walk->count; i++) {
		while (walk->levels[i].count > 0)
			free(walk->levels[i].names[--walk->levels[i].count]);
		free(walk->levels[i].names);
	}
	free(walk->levels);
}

/* Checks the files in the directory that the walk has come to, and notes its subdirectories. False when late. */
static bool look_around(struct walk *walk)
{
	cleanup_closedir DIR *directory = directory_of(walk->fd, walk->path.data);
	struct level level = { .path_length = walk->path.length };
	const struct dirent *entry;
	struct stat state;

	if (fstat(walk->fd, &state) < 0)
		die(EXIT_FAILED, errno, "cannot look at '%s'", walk->path.data);
	level.device = state.st_dev;
	level.inode = state.st_ino;
	while ((entry = next_entry(directory, walk->path.data)) && !is_late(walk)) {
		refuse_tainted_file(walk->fd, entry->d_name, walk->path.data);
		if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
			continue;
		level.names = grow_array(level.names, level.count, sizeof(*level.names));
		level.names[level.count++] = xstrdup(entry->d_name);
	}
	walk->levels = grow_array(walk->levels, walk->count, sizeof(*walk->levels));
	walk->levels[walk->count++] = level;
	return !entry;
}

/* Goes into the subdirectory `name` of the present one. False if it is none or has gone. */
static bool go_down(struct walk *walk, const char *name)
{
	int child = open_beneath(walk->fd, name, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);

	if (child == -ENOENT || child == -ENOTDIR || child == -ELOOP)
		return false;
	if (child < 0)
		die(EXIT_FAILED, -child, "cannot open '%s/%s'", walk->path.data, name);
	(void) close(walk->fd);
	walk->fd = child;
	text_printf(&walk->path, "/%s", name);
	return true;
}

/* Back to the directory above. Whoever moves directories meanwhile could make that another one. */
static void go_up(struct walk *walk)
{
	const struct level *above = &walk->levels[--walk->count - 1];
	int parent = openat(walk->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat state;

	free(walk->levels[walk->count].names);
	if (parent < 0 || fstat(parent, &state) < 0)
		die(EXIT_FAILED, errno, "cannot open the directory above '%s'", walk->path.data);
	if (state.st_dev != above->device || state.st_ino != above->inode)
		die(EXIT_FAILED, 0, "'%s' was moved while it was checked", walk->path.data);
	(void) close(walk->fd);
	walk->fd = parent;
	walk->path.length = above->path_length;
	walk->path.data[walk->path.length] = '\0';
}

/* Returns whether the walk came to its end within its time. */
static bool walk_through(struct walk *walk)
{
	if (!look_around(walk))
		return false;
	for (;;) {
		struct level *level = &walk->levels[walk->count - 1];

		if (level->count > 0) {
			cleanup_free char *name = level->names[--level->count];

			if (go_down(walk, name) && !look_around(walk))
				return false;
		} else if (walk->count > 1) {
			go_up(walk);
		} else {
			return true;
		}
	}
}

void refuse_taint(int upper, const char *path, bool may_mark)
{
	bool marked = fgetxattr(upper, MARK, NULL, 0) >= 0;
	cleanup(walk_done) struct walk walk = {
		.fd = upper,
		.path = TEXT_EMPTY,
		.start = time_now(CLOCK_MONOTONIC),
		.limit = marked ? MARKED_AFTER : WALK_SECONDS * USEC_PER_SEC,
	};

	text_puts(&walk.path, path);
	refuse_tainted_file(upper, ".", path);
	if (!walk_through(&walk) && !marked)
		die(EXIT_FAILED, 0, "'%s' has so many files that %d s are not enough to look for traces of fuse-overlayfs: "
		    "remove what the server does not need or, if fuse-overlayfs never wrote in it, as root: "
		    "setfattr -n " MARK " -v 1 '%s'", path, WALK_SECONDS, path);
	if (may_mark && !marked && time_now(CLOCK_MONOTONIC) - walk.start > MARKED_AFTER)
		(void) fsetxattr(walk.fd, MARK, "1", 1, 0);     /* where that is impossible the next start walks again */
}

static int remove_at(int fd, const char *name, const char *path, int depth);

static int empty_directory(int fd, const char *path, int depth)
{
	cleanup_closedir DIR *directory = directory_of(fd, path);
	const struct dirent *entry;

	while ((entry = next_entry(directory, path))) {
		int r = remove_at(fd, entry->d_name, path, depth);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Does not enter other mounts: the owner of `work` can move a directory into it that has a mount below. */
static int remove_at(int fd, const char *name, const char *path, int depth)
{
	struct stat entry;
	cleanup_close int child = -1;
	int r;

	/* Asked first: on a read-only file system unlinkat() fails even if there is nothing to remove. */
	if (fstatat(fd, name, &entry, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTDIR)
		return unlinkat(fd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
	if (errno != ENOTEMPTY || depth == 0)
		return -errno;
	child = open_beneath(fd, name, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
	if (child < 0)
		return child;
	r = empty_directory(child, path, depth - 1);
	if (r < 0)
		return r;
	return unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

void remove_leftover(int work, const char *path)
{
	int r = remove_at(work, "work", path, LEFTOVER_DEPTH);

	if (r < 0)
		die(EXIT_FAILED, -r, "cannot remove '%s/work'", path);
}
