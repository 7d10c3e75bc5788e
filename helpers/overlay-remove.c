#include "overlay-remove.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "overlay-directory.h"
#include "privileged.h"

/* A tree that is being removed: the directory at its top, and the number of the next name that is given there. */
struct removal {
	int top;
	unsigned next;
};

/* A file, or an empty directory. 0 if it is gone, -ENOTEMPTY for a directory that is not empty, or -errno. */
static int remove_one(int directory, const char *name)
{
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return errno == EEXIST ? -ENOTEMPTY : -errno;
}

/* A script may leave directories that their owner cannot read or write in. */
static int open_to_empty(int directory, const char *name)
{
	if (fchmodat(directory, name, 0700, 0) < 0)
		return -errno;
	return open_beneath(directory, name, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
}

/* Moves the directory `name` in `from` to the top under a new name, so that no depth needs memory or descriptors. */
static int move_to_top(struct removal *removal, int from, const char *name)
{
	char new_name[32];
	int r;

	if (fchmodat(from, name, 0700, 0) < 0)
		return -errno;
	do {
		(void) snprintf(new_name, sizeof(new_name), ".%u", removal->next++);
		r = renameat2(from, name, removal->top, new_name, RENAME_NOREPLACE);
	} while (r < 0 && errno == EEXIST);
	return r < 0 ? -errno : 0;
}

/*
 * Removes what is in the directory `fd`. What has to be emptied first goes to the top, but for a directory in another subvolume of
 * btrfs than that, which is emptied where it is.
 */
static int empty(struct removal *removal, int fd)
{
	cleanup_closedir DIR *directory = directory_open(fd);
	const struct dirent *entry;
	int r = directory ? 0 : -errno;

	while (r == 0 && (entry = directory_next(directory))) {
		r = remove_one(fd, entry->d_name);
		if (r == -ENOTEMPTY)
			r = move_to_top(removal, fd, entry->d_name);
		if (r == -EXDEV)
			r = remove_tree(fd, entry->d_name);
	}
	return r < 0 ? r : -errno;
}

/* One of the directories at the top. */
static int remove_below_top(struct removal *removal, const char *name)
{
	cleanup_close int fd = -1;
	int r = remove_one(removal->top, name);

	if (r != -ENOTEMPTY)
		return r;
	fd = open_to_empty(removal->top, name);
	r = fd < 0 ? fd : empty(removal, fd);
	return r < 0 ? r : remove_one(removal->top, name);
}

/* Goes through the top once. Returns how many names there were, or -errno. */
static int pass(struct removal *removal)
{
	cleanup_closedir DIR *directory = directory_open(removal->top);
	const struct dirent *entry;
	int count = 0, r = directory ? 0 : -errno;

	while (r == 0 && (entry = directory_next(directory))) {
		count++;
		r = remove_below_top(removal, entry->d_name);
	}
	return r < 0 ? r : count;
}

int remove_tree(int directory, const char *name)
{
	struct removal removal = { .top = -1 };
	int r = remove_one(directory, name);

	if (r != -ENOTEMPTY)
		return r;
	removal.top = open_to_empty(directory, name);
	if (removal.top < 0)
		return removal.top;
	do
		r = pass(&removal);
	while (r > 0);
	closep(&removal.top);
	return r < 0 ? r : remove_one(directory, name);
}
