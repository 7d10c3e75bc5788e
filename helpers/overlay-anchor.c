#include "overlay-anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "overlay-say.h"
#include "privileged.h"

/* Much less than TimeoutStopSec= of the server unit, which is 15 s. */
enum { LOCK_SECONDS = 5 };

static struct {
	const char *name;
	int parent, anchor;
} locked;

static char *anchor_path(const char *kind, const char *name)
{
	return xasprintf(RUN_DIRECTORY "/%s/%s", kind, name);
}

void check_own(int fd, const char *path, const char *name)
{
	struct stat state;

	if (fstat(fd, &state) < 0)
		die(EXIT_FAILED, errno, "cannot look at '%s/%s'", path, name);
	if (state.st_uid != 0 || (state.st_mode & 0022) != 0)
		die(EXIT_FAILED, 0, "'%s/%s' belongs to uid %u and has mode %o, but nobody but root may write in it", path,
		    name, state.st_uid, state.st_mode & 07777U);
}

int open_own_directory(int parent, const char *path, const char *name, unsigned mode)
{
	int fd;

	do {            /* once more if another process removes it in between */
		if (mkdirat(parent, name, (mode_t) mode) < 0 && errno != EEXIST)
			die(EXIT_FAILED, errno, "cannot make '%s/%s'", path, name);
		fd = open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0);
	} while (fd == -ENOENT);
	if (fd < 0)
		die(EXIT_FAILED, -fd, "cannot open '%s/%s'", path, name);
	check_own(fd, path, name);
	return fd;
}

int open_run_directory(void)
{
	cleanup_close int run = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (run < 0)
		die(EXIT_FAILED, errno, "cannot open '/run'");
	return open_own_directory(run, "/run", "left4me", 0755);
}

void lock_directory(int fd, int operation, const char *path)
{
	int r;

	deadline(LOCK_SECONDS);
	r = flock(fd, operation);
	if (r < 0 && errno == EINTR)
		die(EXIT_FAILED, 0, "'%s' is locked by another process, for more than %d s: lslocks names it", path,
		    LOCK_SECONDS);
	if (r < 0)
		die(EXIT_FAILED, errno, "cannot lock '%s'", path);
	deadline(0);
}

/* Whoever held the lock before may have removed the directory; then its name belongs to another one, or to none. */
static bool is_removed(int anchor)
{
	struct stat state;

	return fstat(anchor, &state) == 0 && state.st_nlink == 0;
}

/* Where an overlay is mounted, both calls to unlinkat() fail and change nothing. */
void release_anchor(void)
{
	if (!locked.name)
		return;
	(void) unlinkat(locked.anchor, MERGED, AT_REMOVEDIR);
	(void) unlinkat(locked.parent, locked.name, AT_REMOVEDIR);
	(void) close(locked.anchor);
	(void) close(locked.parent);
	locked.name = NULL;
}

/* Locks locked.anchor. False if another process holds the lock, which is waited for unless `try`. */
static bool lock(const char *path, bool try)
{
	if (!try)
		lock_directory(locked.anchor, LOCK_EX, path);
	else if (flock(locked.anchor, LOCK_EX | LOCK_NB) < 0)
		return false;
	return true;
}

int open_anchors(const char *kind)
{
	cleanup_close int run = open_run_directory();

	return open_own_directory(run, RUN_DIRECTORY, kind, 0700);
}

static int take_anchor(const char *kind, const char *name, bool try)
{
	cleanup_free char *path = anchor_path(kind, name), *parent = xasprintf(RUN_DIRECTORY "/%s", kind);
	static bool registered;

	if (!registered)
		(void) atexit(release_anchor);
	registered = true;
	locked.parent = open_anchors(kind);
	for (;;) {
		locked.anchor = open_own_directory(locked.parent, parent, name, 0711);
		if (!lock(path, try)) {
			(void) close(locked.anchor);
			(void) close(locked.parent);
			return -EWOULDBLOCK;
		}
		if (!is_removed(locked.anchor))
			break;
		(void) close(locked.anchor);
	}
	locked.name = name;
	return locked.anchor;
}

int lock_anchor(const char *kind, const char *name)
{
	return take_anchor(kind, name, false);
}

int try_lock_anchor(const char *kind, const char *name)
{
	return take_anchor(kind, name, true);
}

int find_anchor(const char *kind, const char *name)
{
	cleanup_free char *path = anchor_path(kind, name);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		die(EXIT_FAILED, errno, "cannot open '%s'", path);
	return fd < 0 ? -ENOENT : fd;
}

int open_merged(int anchor, bool create)
{
	int fd;

	if (anchor < 0)
		return -ENOENT;
	if (create && mkdirat(anchor, MERGED, 0700) < 0 && errno != EEXIST)
		die(EXIT_FAILED, errno, "cannot make the mount point");
	fd = open_beneath(anchor, MERGED, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && (create || fd != -ENOENT))
		die(EXIT_FAILED, -fd, "cannot open the mount point");
	return fd;
}

char *merged_path(const char *kind, const char *name)
{
	return xasprintf(RUN_DIRECTORY "/%s/%s/" MERGED, kind, name);
}
