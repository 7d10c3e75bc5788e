#include "overlay-generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "escape.h"
#include "name.h"
#include "overlay-anchor.h"
#include "overlay-directory.h"
#include "overlay-instance.h"
#include "overlay-mount.h"
#include "overlay-owner.h"
#include "overlay-pins.h"
#include "overlay-remove.h"
#include "overlay-say.h"
#include "overlay-table.h"

#define NEW "new"
#define OLD "old-"

/*
 * Starts wait for the lock, so it is released after this many names: the user may have made as many as the disk holds, and makes more
 * meanwhile. What is left after the passes waits for the next time.
 */
enum { NAMES_MAX = 1000, PASSES_MAX = 1000 };

void generations_done(struct generations *generations)
{
	closep(&generations->parent);
	closep(&generations->top);
	closep(&generations->own);
	freep(&generations->path);
	freep(&generations->own_path);
}

static bool has_owner_of(int parent, int own, const char *path, struct stat *ret_owner)
{
	struct stat state;

	if (fstat(parent, ret_owner) < 0 || fstat(own, &state) < 0)
		die(EXIT_FAILED, errno, "cannot look at '%s'", path);
	return state.st_uid == ret_owner->st_uid && state.st_gid == ret_owner->st_gid;
}

static int open_own(const struct generations *generations)
{
	int own = open_beneath(generations->top, generations->id, O_RDONLY | O_DIRECTORY, 0);

	if (own < 0 && own != -ENOENT)
		die(EXIT_FAILED, -own, "cannot open '%s'", generations->own_path);
	return own;
}

/*
 * Only what is made here is given to the owner of PARENT: that user may have put another directory of root's in the place of
 * .left4me. An empty one, of a helper that was killed before it could give it away, is made anew.
 */
static int make_own(const struct generations *generations)
{
	int own = open_own(generations);
	struct stat owner;

	if (own >= 0 && has_owner_of(generations->parent, own, generations->own_path, &owner))
		return own;
	closep(&own);
	if (unlinkat(generations->top, generations->id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		die(EXIT_FAILED, errno, "'%s' belongs to another user than the directory above, and cannot be removed",
		    generations->own_path);
	if (mkdirat(generations->top, generations->id, 0700) < 0)
		die(EXIT_FAILED, errno, "cannot make '%s'", generations->own_path);
	own = open_own(generations);
	if (own < 0)
		die(EXIT_FAILED, -own, "cannot open '%s'", generations->own_path);
	if (!has_owner_of(generations->parent, own, generations->own_path, &owner) &&
	    fchown(own, owner.st_uid, owner.st_gid) < 0)
		die(EXIT_FAILED, errno, "cannot give '%s' to its user", generations->own_path);
	return own;
}

static void make_directories(struct generations *generations, const char *parent)
{
	generations->top = open_own_directory(generations->parent, parent, GENERATIONS, 0700);
	generations->own = make_own(generations);
}

/* PARENT/.left4me, or -ENOENT. */
static int open_top(int parent, const char *path)
{
	int top = opened(open_beneath(parent, GENERATIONS, O_RDONLY | O_DIRECTORY, 0), true, path, GENERATIONS);

	if (top >= 0)
		check_own(top, path, GENERATIONS);
	return top;
}

static void find_directories(struct generations *generations, const char *parent)
{
	generations->top = open_top(generations->parent, parent);
	if (generations->top >= 0)
		generations->own = opened(open_beneath(generations->top, generations->id, O_RDONLY | O_DIRECTORY, 0), true, parent,
					  GENERATIONS);
}

static int open_parent(const char *root, bool of_installation, bool may_be_missing)
{
	const char *name = of_installation ? "." : "overlays";
	cleanup_close int fd = open_root(root);

	return opened(open_beneath(fd, name, O_RDONLY | O_DIRECTORY, 0), may_be_missing, root, name);
}

void open_generations(const char *root, const char *id, bool create, struct generations *ret_generations)
{
	bool of_installation = strcmp(id, INSTALLATION) == 0;
	cleanup_free char *parent = xasprintf("%s%s", root, of_installation ? "" : "/overlays");

	*ret_generations = (struct generations){
		.id = id,
		.parent = open_parent(root, of_installation, !create),
		.top = -ENOENT,
		.own = -ENOENT,
		.path = xasprintf("%s/%s", parent, id),
		.own_path = xasprintf("%s/" GENERATIONS "/%s", parent, id),
	};
	if (ret_generations->parent < 0)
		return;
	if (create)
		make_directories(ret_generations, parent);
	else
		find_directories(ret_generations, parent);
}

struct text list_generations(const char *root)
{
	cleanup_free char *overlays = xasprintf("%s/overlays", root);
	cleanup_close int parent = open_parent(root, false, true);
	cleanup_close int top = parent < 0 ? parent : open_top(parent, overlays);
	cleanup_closedir DIR *directory = NULL;
	struct text list = TEXT_EMPTY;
	const struct dirent *entry;

	if (top < 0)
		return list;
	directory = directory_open(top);
	if (!directory)
		die(EXIT_FAILED, errno, "cannot read '%s/" GENERATIONS "'", overlays);
	while ((entry = directory_next(directory)))
		text_append(&list, entry->d_name, strlen(entry->d_name) + 1);
	return list;
}

void remove_empty(const struct generations *generations)
{
	if (generations->top >= 0)
		(void) unlinkat(generations->top, generations->id, AT_REMOVEDIR);
}

int lock_layers(bool exclusive)
{
	int fd = open_anchors(ANCHOR_BUILD);

	lock_directory(fd, exclusive ? LOCK_EX : LOCK_SH, RUN_DIRECTORY "/" ANCHOR_BUILD);
	return fd;
}

/* --- old generations ------------------------------------------------------------------------------------- */

/*
 * Renames `new` to old-N, where N is its inode number: a server may have it mounted. Each subvolume of btrfs has the same number,
 * hence old-N.1 and so on.
 */
static void retire(const struct generations *generations)
{
	cleanup_free char *name = NULL;
	struct stat state;
	unsigned others = 0;

	if (fstatat(generations->own, NEW, &state, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	name = xasprintf(OLD "%ju", (uintmax_t) state.st_ino);
	while (renameat2(generations->own, NEW, generations->own, name, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST)
			die(EXIT_FAILED, errno, "cannot rename '%s/" NEW "'", generations->own_path);
		freep(&name);
		name = xasprintf(OLD "%ju.%u", (uintmax_t) state.st_ino, ++others);
	}
}

static bool is_old(const char *name)
{
	return startswith(name, OLD);
}

static bool may_go(const struct generations *generations, const struct pins *pins, const char *name, bool building)
{
	struct stat state;

	if (!is_old(name))
		return !building;
	return fstatat(generations->own, name, &state, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !is_pinned(pins, state.st_dev, state.st_ino);
}

/* *ret_all is whether no name is left that was not looked at. */
static char **list_garbage(const struct generations *generations, const struct pins *pins, bool building, bool *ret_all)
{
	cleanup_closedir DIR *directory = directory_open(generations->own);
	const struct dirent *entry = NULL;
	char **list = NULL;
	size_t count = 0;

	for (int looked = 0; looked < NAMES_MAX && directory && (entry = directory_next(directory)); looked++) {
		if (!may_go(generations, pins, entry->d_name, building))
			continue;
		list = grow_array(list, count, sizeof(*list));
		list[count++] = xstrdup(entry->d_name);
	}
	list = grow_array(list, count, sizeof(*list));
	list[count] = NULL;
	*ret_all = !entry;
	return list;
}

/* While the lock is held no server mounts an old generation, and afterwards none can find it. */
static char **choose_garbage(const struct generations *generations, bool building, bool *ret_all)
{
	int lock = lock_layers(true);
	cleanup(pins_done) struct pins pins = read_pins();
	char **list;

	use_rights_of(generations->parent, 0);
	if (!building)
		retire(generations);
	list = list_garbage(generations, &pins, building, ret_all);
	use_own_rights();
	closep(&lock);
	return list;
}

/* Names are their owner's to choose. */
static void say_what_stays(const struct generations *generations, const char *name, int error)
{
	cleanup_free char *path = xconcat(generations->own_path, "/", name);
	cleanup_free char *shown = escape_message(path);

	(void) fprintf(stderr, PROGRAM ": cannot remove '%s': %s\n", shown, strerror(error));
}

/* Frees the list. Returns whether there was something, and all of it is gone. */
static bool remove_garbage(const struct generations *generations, char **garbage)
{
	bool gone = *garbage != NULL;

	use_rights_of(generations->parent, 0);
	for (char **name = garbage; *name; name++) {
		int r = remove_tree(generations->own, *name);

		if (r < 0) {
			say_what_stays(generations, *name, -r);
			gone = false;
		}
		free(*name);
	}
	use_own_rights();
	free(garbage);
	return gone;
}

void collect_generations(const struct generations *generations, bool building)
{
	bool all = false;

	for (int i = 0; !all && i < PASSES_MAX; i++)
		if (!remove_garbage(generations, choose_garbage(generations, building, &all)))
			return;
}

void exchange_generation(const struct generations *generations, int present)
{
	int lock = lock_layers(true);
	struct stat now, then;

	if (fstat(present, &then) < 0 || fstatat(generations->parent, generations->id, &now, AT_SYMLINK_NOFOLLOW) < 0)
		die(EXIT_FAILED, errno, "cannot look at '%s'", generations->path);
	if (now.st_dev != then.st_dev || now.st_ino != then.st_ino)
		die(EXIT_FAILED, 0, "'%s' was replaced during its build", generations->path);
	use_rights_of(generations->parent, 0);
	if (renameat2(generations->own, NEW, generations->parent, generations->id, RENAME_EXCHANGE) < 0)
		die(EXIT_FAILED, errno, "cannot exchange '%s' for its new generation", generations->path);
	retire(generations);
	use_own_rights();
	closep(&lock);
}
