/*
 * fuse BACKING MOUNTPOINT CALL NAME [ERRNO]: passes BACKING through, but never answers requests of one kind (getattr, open,
 * read, readdir) for one name, "." being the directory itself; with ERRNO it answers them with that error.
 */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

static int backing;
static const char *fault_call, *fault_name;
static int fault_error;                        /* 0: never answer */

static const char *below(const char *path) { return path[1] ? path + 1 : "."; }

static bool is_fault(const char *call, const char *path)
{
	if (strcmp(call, fault_call) != 0 || strcmp(below(path), fault_name) != 0)
		return false;
	while (fault_error == 0)
		pause();
	return true;
}

static int do_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
	(void) info;
	if (is_fault("getattr", path))
		return -fault_error;
	return fstatat(backing, below(path), st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

static int do_open(const char *path, struct fuse_file_info *info)
{
	if (is_fault("open", path))
		return -fault_error;
	int fd = openat(backing, below(path), O_RDONLY | O_CLOEXEC);
	info->fh = (uint64_t) fd;
	return fd < 0 ? -errno : 0;
}

static int do_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info)
{
	if (is_fault("read", path))
		return -fault_error;
	ssize_t n = pread((int) info->fh, buffer, size, offset);
	return n < 0 ? -errno : (int) n;
}

static int do_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
		      enum fuse_readdir_flags flags)
{
	(void) offset; (void) info; (void) flags;
	if (is_fault("readdir", path))
		return -fault_error;
	DIR *directory = fdopendir(openat(backing, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!directory)
		return -errno;
	for (struct dirent *entry; (entry = readdir(directory)); )
		fill(buffer, entry->d_name, NULL, 0, 0);
	closedir(directory);
	return 0;
}

static int do_release(const char *path, struct fuse_file_info *info)
{
	(void) path;
	return close((int) info->fh);
}

int main(int argc, char **argv)
{
	static const struct fuse_operations operations = {
		.getattr = do_getattr, .open = do_open, .read = do_read, .readdir = do_readdir, .release = do_release,
	};
	char *arguments[] = { argv[0], argv[2], "-f", "-o", "allow_other,default_permissions,attr_timeout=0,entry_timeout=0", NULL };
	if (argc < 5)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	backing = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fault_call = argv[3];
	fault_name = argv[4];
	fault_error = argc > 5 ? atoi(argv[5]) : 0;
	return fuse_main(5, arguments, &operations, NULL);
}
