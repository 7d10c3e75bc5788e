#include "overlay-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "overlay-mount.h"
#include "overlay-say.h"

/*
 * UPPER_DEPTH: each level of the walk holds a descriptor, and no game nests its files this deep.
 * LEFTOVER_DEPTH: the kernel puts at most two levels below work/work (ovl_workdir_cleanup() in fs/overlayfs).
 */
enum { UPPER_DEPTH = 200, LEFTOVER_DEPTH = 2 };

#define TAINT "user.fuseoverlayfs."

static void closedirp(DIR **directory)
{
	if (*directory)
		(void) closedir(*directory);
}

/* Returns the next entry but "." and "..", NULL at the end. Dies of a read error. */
static const struct dirent *next_entry(DIR *directory, const char *path)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(directory);
		if (!entry && errno)
			die(EXIT_FAILED, errno, "cannot read '%s'", path);
	} while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry;
}

static DIR *directory_of(int fd, const char *path)
{
	DIR *directory = fdopendir(fd);

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
		if (strncmp(list + i, TAINT, strlen(TAINT)) == 0)
			die(EXIT_FAILED, 0, "'%s/%s' has the attribute %s: this upper directory was written by "
			    "fuse-overlayfs, empty it first", path, name, list + i);
}

static void walk_upper(int fd, const char *path, int depth)
{
	cleanup(closedirp) DIR *directory = directory_of(fd, path);
	const struct dirent *entry;

	if (depth > UPPER_DEPTH)
		die(EXIT_FAILED, 0, "'%s' is nested too deeply to be checked", path);
	while ((entry = next_entry(directory, path))) {
		cleanup_free char *inner = NULL;
		int child;

		refuse_tainted_file(fd, entry->d_name, path);
		if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
			continue;
		inner = xasprintf("%s/%s", path, entry->d_name);
		child = open_beneath(fd, entry->d_name, O_RDONLY | O_DIRECTORY, 0);
		if (child >= 0)
			walk_upper(child, inner, depth + 1);
		else if (child != -ENOENT && child != -ENOTDIR && child != -ELOOP)
			die(EXIT_FAILED, -child, "cannot open '%s'", inner);
	}
}

void refuse_taint(int upper, const char *path)
{
	refuse_tainted_file(upper, ".", path);
	walk_upper(upper, path, 1);
}

static int remove_at(int fd, const char *name, const char *path, int depth);

static int empty_directory(int fd, const char *path, int depth)
{
	cleanup(closedirp) DIR *directory = directory_of(fd, path);
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
	int child, r;

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
