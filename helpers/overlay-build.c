#include "overlay-build.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "name.h"
#include "overlay-anchor.h"
#include "overlay-directory.h"
#include "overlay-generation.h"
#include "overlay-instance.h"
#include "overlay-link.h"
#include "overlay-mount.h"
#include "overlay-owner.h"
#include "overlay-say.h"
#include "overlay-table.h"
#include "overlay-view.h"

/* A symbolic link beside upper and work whose text is the device and inode number of the generation below them. */
#define BASE "base"

static bool is_installation(const char *id)
{
	return strcmp(id, INSTALLATION) == 0;
}

/* "overlay 5", for messages. */
static char *name_of(const char *id)
{
	return is_installation(id) ? xstrdup("the installation") : xasprintf("overlay %s", id);
}

static char *unit_of(const char *id)
{
	return is_installation(id) ? xstrdup(UPDATE_UNIT) : xasprintf(BUILD_UNIT "%s", id);
}

static char *describe(int directory, const char *path)
{
	struct stat state;

	if (fstat(directory, &state) < 0)
		die(EXIT_FAILED, errno, "cannot look at '%s'", path);
	return xasprintf("%u:%u %" PRIu64, major(state.st_dev), minor(state.st_dev), (uint64_t) state.st_ino);
}

/* Returns a readable descriptor of the present generation, which the caller closes. */
static int open_present(const struct generations *generations)
{
	int fd = open_beneath(generations->parent, generations->id, O_RDONLY | O_DIRECTORY, 0);
	cleanup_free char *name = name_of(generations->id);

	if (fd == -ENOENT)
		die(EXIT_FAILED, 0, "%s has no directory: '%s' is the application's to make", name, generations->path);
	if (fd == -ELOOP)
		die(EXIT_FAILED, 0, "'%s' is a symbolic link, which is not followed", generations->path);
	if (fd < 0)
		die(EXIT_FAILED, -fd, "cannot open '%s'", generations->path);
	if (mount_id(fd) != mount_id(generations->parent))
		die(EXIT_FAILED, 0, "'%s' is a mount point, which cannot be exchanged for a new generation: mount the disk on "
		    "the directory above, or unmount it", generations->path);
	return fd;
}

/* Returns a readable descriptor of a directory that is made, with the owner's rights. */
static int make_part(const struct generations *generations, const char *name)
{
	int fd;

	if (mkdirat(generations->own, name, 0700) < 0)
		die(EXIT_FAILED, errno, "cannot make '%s/%s'", generations->own_path, name);
	fd = open_beneath(generations->own, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		die(EXIT_FAILED, -fd, "cannot open '%s/%s'", generations->own_path, name);
	return fd;
}

/* Returns whether the overlay of a build is mounted on the anchor. */
static bool is_building(const char *id, int anchor)
{
	cleanup_close int merged = open_merged(anchor, false);

	return merged >= 0 && mounted_by_us(BUILD_SOURCE, id, anchor, merged);
}

/* False also where it cannot be read: then whoever needs it says why. */
static bool is_empty(int fd)
{
	cleanup_closedir DIR *directory = directory_open(fd);

	return directory && !directory_next(directory) && errno == 0;
}

static void unmount_build(const char *id, int anchor)
{
	cleanup_free char *path = merged_path(ANCHOR_BUILD, id);
	int r = 0;

	while (r == 0 && is_building(id, anchor))
		r = unmount_in(anchor, MERGED);
	if (r < 0)
		die(EXIT_FAILED, -r, "cannot unmount '%s'", path);
}

static void say_base(const struct generations *generations, int present)
{
	char when[64] = "an unknown time";
	struct statx state;
	struct tm tm;
	time_t born;

	if (statx(present, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &state) == 0) {
		born = (time_t) (state.stx_mask & STATX_BTIME ? state.stx_btime.tv_sec : state.stx_mtime.tv_sec);
		if (gmtime_r(&born, &tm))
			(void) strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	}
	(void) fprintf(stderr, PROGRAM ": the build stands on the generation of %s in '%s'\n", when,
		       generations->path);
}

/* Where the program of an update finds its own files, and may write; left4me-update.service binds it. */
#define UPDATE_HOME "steam"

/* What the unit is to see; `overlay` is the root of its mount. */
static void note_build(const char *root, const char *id, int overlay)
{
	cleanup_free char *unit = unit_of(id);
	cleanup_text struct text view = TEXT_EMPTY;

	view_add(&view, overlay, "/overlay");
	if (is_installation(id)) {
		cleanup_free char *path = xasprintf("%s/" UPDATE_HOME, root);
		cleanup_close int fd = open_root(root);
		cleanup_close int home = opened(open_beneath(fd, UPDATE_HOME, O_PATH | O_DIRECTORY, 0), false, root, UPDATE_HOME);

		view_add(&view, home, path);
	}
	write_view(unit, &view);
}

static void mount_build(const char *root, const struct generations *generations, int present, int anchor)
{
	cleanup_free char *source = xasprintf(BUILD_SOURCE "%s", generations->id), *base = NULL;
	cleanup_free char *path = merged_path(ANCHOR_BUILD, generations->id);
	cleanup_close int upper = -1, work = -1, mount = -1, merged = -1;

	base = describe(present, generations->path);
	use_rights_of(generations->parent, 0);
	upper = make_part(generations, "upper");
	work = make_part(generations, "work");
	copy_attributes(present, upper, generations->path);
	if (fsetxattr(upper, BUILD_UNFINISHED, "1", 1, 0) < 0)
		die(EXIT_FAILED, errno, "cannot mark the build of '%s', whose owner must be allowed to write there, as unfinished",
		    generations->path);
	if (symlinkat(base, generations->own, BASE) < 0)
		die(EXIT_FAILED, errno, "cannot make '%s/" BASE "'", generations->own_path);
	use_own_rights();
	merged = open_merged(anchor, true);
	mount = make_overlay(&(const struct stack){ .source = source, .layers = { present }, .count = 1, .upper = upper,
			     .work = work, .owner = generations->parent }, path);
	note_build(root, generations->id, mount);
	attach_overlay(mount, merged, path);
}

void verb_build(const struct request *request)
{
	cleanup(generations_done) struct generations generations;
	cleanup_close int present = -1;
	int anchor = lock_anchor(ANCHOR_BUILD, request->name);

	unmount_build(request->name, anchor);
	open_generations(request->root, request->name, true, &generations);
	present = open_present(&generations);
	collect_generations(&generations, false);
	mount_build(request->root, &generations, present, anchor);
	say_base(&generations, present);
}

/* The present generation must be the one that the script saw. */
static int open_base(const struct generations *generations)
{
	int present = open_present(generations);
	cleanup_free char *now = describe(present, generations->path);
	char base[64] = "";
	ssize_t length = readlinkat(generations->own, BASE, base, sizeof(base) - 1);

	if (length < 0)
		die(EXIT_FAILED, errno, "cannot read '%s/" BASE "'", generations->own_path);
	if (strcmp(now, base) != 0)
		die(EXIT_FAILED, 0, "'%s' was replaced during its build", generations->path);
	return present;
}

static void say_tally(const struct generations *generations, const struct tally *tally)
{
	(void) fprintf(stderr, PROGRAM ": '%s' has a new generation: files added %" PRIu64 ", changed %" PRIu64
		       ", removed %" PRIu64 "; %" PRIu64 " bytes\n", generations->path, tally->added, tally->changed,
		       tally->removed, tally->bytes);
	if (tally->copied > 0)
		(void) fprintf(stderr, PROGRAM ": files copied since no hard link to them may be made: %" PRIu64 "\n",
			       tally->copied);
}

/* Whether the script has left everything as it was, the top directory's attributes included. */
static bool is_unchanged(int upper, int lower)
{
	return is_empty(upper) && same_attributes(upper, lower);
}

/* A script that takes it away itself only spoils what it makes. */
static void check_success(int upper, const char *name)
{
	ssize_t length = fgetxattr(upper, BUILD_UNFINISHED, NULL, 0);

	if (length < 0 && errno != ENODATA)
		die(EXIT_FAILED, errno, "cannot read the attribute " BUILD_UNFINISHED " of %s", name);
	if (length >= 0)
		die(EXIT_FAILED, 0, "the build of %s is not known to have succeeded: systemd took the end of another process for it, or "
		    "something of the unit has run without left4me-overlay enter; build it again", name);
}

/*
 * What the script has written may be in memory alone, and an exchange is not what a file system takes for a sign to write it first
 * (auto_da_alloc of ext4 is about rename(2) and truncation): after a power loss the new names would have empty files. Takes
 * as long as the disk needs, so it is done before anything is locked that a server's start waits for.
 */
static void write_to_disk(const struct generations *generations, int made)
{
	if (syncfs(made) < 0)
		die(EXIT_FAILED, errno, "cannot write the new generation of '%s' to the disk", generations->path);
}

static int open_upper(const struct generations *generations)
{
	int fd = open_beneath(generations->own, "upper", O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		die(EXIT_FAILED, -fd, "cannot open '%s/upper'", generations->own_path);
	return fd;
}

void verb_commit(const struct request *request)
{
	cleanup(generations_done) struct generations generations;
	cleanup_close int upper = -1, lower = -1, merged = -1, made = -1;
	int anchor = lock_anchor(ANCHOR_BUILD, request->name);
	cleanup_free char *name = name_of(request->name);
	struct tally tally = { 0 };

	if (!is_building(request->name, anchor))
		die(EXIT_FAILED, 0, "no build of %s is in progress", name);
	open_generations(request->root, request->name, false, &generations);
	lower = open_base(&generations);
	upper = open_upper(&generations);
	check_success(upper, name);
	if (is_unchanged(upper, lower)) {
		(void) fprintf(stderr, PROGRAM ": '%s' has no new generation: nothing was changed\n",
			       generations.path);
		return;
	}
	merged = open_beneath(anchor, MERGED, O_RDONLY | O_DIRECTORY, 0);
	if (merged < 0)
		die(EXIT_FAILED, -merged, "cannot open the overlay of the build");
	use_rights_of(generations.parent, 0);
	made = make_part(&generations, "new");
	link_generation(&(const struct layered){ merged, upper, lower }, made, generations.path, &tally);
	use_own_rights();
	write_to_disk(&generations, made);
	exchange_generation(&generations, lower);
	say_tally(&generations, &tally);
}

void verb_discard(const struct request *request)
{
	cleanup_free char *unit = unit_of(request->name);
	cleanup(generations_done) struct generations generations;
	int anchor = lock_anchor(ANCHOR_BUILD, request->name);

	remove_view(unit);
	unmount_build(request->name, anchor);
	open_generations(request->root, request->name, false, &generations);
	if (generations.own >= 0)
		collect_generations(&generations, false);
}

/* Leaves alone what a build, or its end, is at work on right now. */
static void collect_one(const struct request *request, const char *id)
{
	cleanup(generations_done) struct generations generations;
	int anchor = try_lock_anchor(ANCHOR_BUILD, id);

	if (anchor < 0)
		return;
	open_generations(request->root, id, false, &generations);
	if (generations.own >= 0)
		collect_generations(&generations, is_building(id, anchor));
	remove_empty(&generations);
	release_anchor();
}

void verb_collect(const struct request *request)
{
	struct text ids = list_generations(request->root);

	for (char *name = ids.data; name && name < ids.data + ids.length; name += strlen(name) + 1)
		if (valid_id(name))
			collect_one(request, name);
	text_done(&ids);
	collect_one(request, INSTALLATION);
}
