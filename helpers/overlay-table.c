#include "overlay-table.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"
#include "name.h"
#include "overlay-mount.h"
#include "overlay-say.h"

#define MOUNTINFO "/proc/self/mountinfo"

/* A walk through the mount table. */
struct walk {
	struct libmnt_table *table;
	struct libmnt_iter *iter;
};

static void walk_done(struct walk *walk)
{
	mnt_unref_table(walk->table);
	mnt_free_iter(walk->iter);
}

static struct walk walk_table(void)
{
	struct walk walk = { mnt_new_table_from_file(MOUNTINFO), mnt_new_iter(MNT_ITER_FORWARD) };

	if (!walk.table || !walk.iter)
		die(EXIT_FAILED, errno, "cannot read '" MOUNTINFO "'");
	return walk;
}

/* The next mount, NULL at the end. It is the table's. */
static struct libmnt_fs *next_mount(const struct walk *walk)
{
	struct libmnt_fs *fs;

	return mnt_table_next_fs(walk->table, walk->iter, &fs) == 0 ? fs : NULL;
}

static bool has_id(struct libmnt_fs *fs, uint64_t id)
{
	return mnt_fs_get_id(fs) >= 0 && (uint64_t) mnt_fs_get_id(fs) == id;
}

uint64_t mount_id(int fd)
{
	struct statx result;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &result) < 0)
		die(EXIT_FAILED, errno, "cannot ask for a mount's id");
	if (!(result.stx_mask & STATX_MNT_ID))
		die(EXIT_FAILED, EOPNOTSUPP, "cannot ask for a mount's id");
	return result.stx_mnt_id;
}

static bool is_overlay_of(struct libmnt_fs *fs, const char *source)
{
	const char *type = mnt_fs_get_fstype(fs), *from = mnt_fs_get_source(fs);

	return type && from && strcmp(type, "overlay") == 0 && strcmp(from, source) == 0;
}

/* Dies if what is mounted on merged is not an overlay of `source`. */
static void check_ours(struct libmnt_fs *fs, const char *source)
{
	const char *type = mnt_fs_get_fstype(fs), *from = mnt_fs_get_source(fs);

	if (!is_overlay_of(fs, source))
		die(EXIT_FAILED, 0, "'%s' has '%s' of type %s mounted on it, which is not this program's",
		    mnt_fs_get_target(fs), from ? from : "none", type ? type : "unknown");
}

bool mounted_by_us(const char *prefix, const char *name, int anchor, int merged)
{
	cleanup_free char *source = xasprintf("%s%s", prefix, name);
	uint64_t id = mount_id(merged);
	cleanup(walk_done) struct walk walk = { NULL, NULL };
	struct libmnt_fs *fs;

	if (id == mount_id(anchor))
		return false;
	walk = walk_table();
	while ((fs = next_mount(&walk)))
		if (has_id(fs, id)) {
			check_ours(fs, source);
			return true;
		}
	die(EXIT_FAILED, 0, "the mount on merged of %s is missing in '" MOUNTINFO "'", name);
}

char *find_elsewhere(const char *name, const char *merged, uint64_t *ret_id)
{
	cleanup_free char *source = xasprintf(OVERLAY_SOURCE "%s", name);
	cleanup(walk_done) struct walk walk = walk_table();
	struct libmnt_fs *fs;

	while ((fs = next_mount(&walk)))
		if (is_overlay_of(fs, source) && strcmp(mnt_fs_get_target(fs), merged) != 0) {
			*ret_id = (uint64_t) mnt_fs_get_id(fs);
			return xstrdup(mnt_fs_get_target(fs));
		}
	return NULL;
}

struct text mounted_instances(void)
{
	cleanup(walk_done) struct walk walk = walk_table();
	struct text names = TEXT_EMPTY;
	struct libmnt_fs *fs;

	while ((fs = next_mount(&walk))) {
		const char *type = mnt_fs_get_fstype(fs), *from = mnt_fs_get_source(fs);
		const char *name = from ? startswith(from, OVERLAY_SOURCE) : NULL;

		if (type && strcmp(type, "overlay") == 0 && name && valid_name(name))
			text_append(&names, name, strlen(name) + 1);
	}
	return names;
}

char *find_nested(const char *path)
{
	cleanup(walk_done) struct walk walk = walk_table();
	struct libmnt_fs *fs;

	while ((fs = next_mount(&walk))) {
		const char *below = path_below(mnt_fs_get_target(fs), path);

		if (below && *below)
			return xstrdup(mnt_fs_get_target(fs));
	}
	return NULL;
}

char *describe_mount(uint64_t id)
{
	cleanup(walk_done) struct walk walk = walk_table();
	struct libmnt_fs *fs;

	while ((fs = next_mount(&walk)))
		if (has_id(fs, id)) {
			const char *root = mnt_fs_get_root(fs), *source = mnt_fs_get_source(fs);

			return xasprintf("'%s' of %s", root ? root : "?", source ? source : "?");
		}
	return xstrdup("an unknown mount");
}
