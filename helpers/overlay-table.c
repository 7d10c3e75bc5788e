#include "overlay-table.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "overlay-mount.h"
#include "overlay-say.h"

#define MOUNTINFO "/proc/self/mountinfo"

static void unref_tablep(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

static void free_iterp(struct libmnt_iter **iter)
{
	mnt_free_iter(*iter);
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

/* mountinfo shows paths without links. Only those below our ROOT count: another root may have the same instance. */
static char *real_path(int root)
{
	cleanup_free char *link = xasprintf("/proc/self/fd/%d", root);
	char path[PATH_MAX] = "";

	if (readlink(link, path, sizeof(path)) < 0)
		die(EXIT_FAILED, errno, "cannot read '%s'", link);
	if (path[sizeof(path) - 1])
		die(EXIT_FAILED, ENAMETOOLONG, "cannot read '%s'", link);
	return xstrdup(path);
}

/* Whether `path` lies below the root, but is not where this instance's overlay belongs. */
static bool is_elsewhere(const char *path, const char *root, const char *name)
{
	cleanup_free char *merged = xasprintf("%s/runtime/%s/merged", root, name);
	size_t length = strlen(root);

	return strncmp(path, root, length) == 0 && path[length] == '/' && strcmp(path, merged) != 0;
}

static void refuse_foreign(struct libmnt_fs *fs)
{
	const char *type = mnt_fs_get_fstype(fs), *source = mnt_fs_get_source(fs);

	die(EXIT_FAILED, 0, "'%s' has '%s' of type %s mounted on it, which is not this program's",
	    mnt_fs_get_target(fs), source ? source : "none", type ? type : "unknown");
}

bool mounted_by_us(const char *name, int root, int instance, int merged)
{
	cleanup(unref_tablep) struct libmnt_table *table = mnt_new_table_from_file(MOUNTINFO);
	cleanup(free_iterp) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	cleanup_free char *source = xasprintf(OVERLAY_SOURCE "%s", name), *path = real_path(root);
	uint64_t id = merged < 0 ? 0 : mount_id(merged);
	bool mount_point = merged >= 0 && id != mount_id(instance), ours = false;
	struct libmnt_fs *fs;

	if (!table || !iter)
		die(EXIT_FAILED, errno, "cannot read '" MOUNTINFO "'");
	while (mnt_table_next_fs(table, iter, &fs) == 0) {
		bool here = mount_point && mnt_fs_get_id(fs) >= 0 && (uint64_t) mnt_fs_get_id(fs) == id;

		if (here && !is_overlay_of(fs, source))
			refuse_foreign(fs);
		if (!here && is_overlay_of(fs, source) && is_elsewhere(mnt_fs_get_target(fs), path, name))
			die(EXIT_FAILED, EBUSY, "the upper directory of %s is in use by the mount on '%s'", name,
			    mnt_fs_get_target(fs));
		ours |= here;
	}
	if (mount_point && !ours)
		die(EXIT_FAILED, 0, "the mount on merged of %s is missing in '" MOUNTINFO "'", name);
	return ours;
}
