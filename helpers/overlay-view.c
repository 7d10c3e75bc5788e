#include "overlay-view.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "overlay-say.h"
#include "overlay-state.h"
#include "overlay-table.h"

void view_add(struct text *view, int fd, const char *path)
{
	struct stat state = { 0 };

	if (fd >= 0 && fstat(fd, &state) < 0)
		die(EXIT_FAILED, errno, "cannot look at '%s'", path);
	text_printf(view, "%u:%u %" PRIu64 " %s", major(state.st_dev), minor(state.st_dev), (uint64_t) state.st_ino, path);
	text_putc(view, '\0');
}

void write_view(const char *unit, const struct text *view)
{
	write_state(VIEW_DIRECTORY, unit, view);
}

void remove_view(const char *unit)
{
	remove_state(VIEW_DIRECTORY, unit);
}

static void check_directory(const char *path, dev_t device, ino_t inode)
{
	cleanup_close int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat state;

	if (fd < 0 && errno == ENOENT && inode == 0)
		return;
	if (fd < 0 || fstat(fd, &state) < 0)
		die(EXIT_FAILED, errno, "cannot open '%s' in this unit", path);
	if (state.st_dev != device || state.st_ino != inode) {
		cleanup_free char *shown = describe_mount(mount_id(fd));

		die(EXIT_FAILED, 0, "'%s' is not the directory of that name in this unit: it shows %s, which belongs to uid "
		    "%u. Was it replaced by a symbolic link, or by a drop-in?", path, shown, state.st_uid);
	}
	if (state.st_uid != geteuid())
		die(EXIT_FAILED, 0, "'%s' belongs to uid %u, not to this unit's user, uid %u", path, state.st_uid, geteuid());
}

/* Reads the next entry of a view. Returns false at the end; dies if it is not understood. `path` points into `entry`. */
static bool next_entry(FILE *view, const char *name, char **entry, dev_t *device, ino_t *inode, const char **path)
{
	unsigned major_number, minor_number;
	uint64_t number;
	size_t size = 0;
	int length = 0;

	freep(entry);
	if (getdelim(entry, &size, '\0', view) <= 0)
		return false;
	if (sscanf(*entry, "%u:%u %" SCNu64 " %n", &major_number, &minor_number, &number, &length) < 3 || length == 0)
		die(EXIT_FAILED, 0, "'%s' has an entry that is not understood", name);
	*device = makedev(major_number, minor_number);
	*inode = (ino_t) number;
	*path = *entry + length;
	return true;
}

bool view_may_have(const char *unit, const char *path)
{
	cleanup_free char *name = xasprintf(VIEWS "/%s", unit), *entry = NULL;
	cleanup_fclose FILE *view = fopen(name, "re");
	bool found = !view && errno == ENOENT;
	const char *listed;
	dev_t device;
	ino_t inode;

	if (!view && errno != ENOENT)
		die(EXIT_FAILED, errno, "cannot open '%s'", name);
	while (view && next_entry(view, name, &entry, &device, &inode, &listed))
		found |= strcmp(listed, path) == 0;
	return found;
}

void check_view(const char *unit)
{
	cleanup_free char *name = xasprintf(VIEWS "/%s", unit), *entry = NULL;
	cleanup_fclose FILE *view = fopen(name, "re");
	const char *path;
	dev_t device;
	ino_t inode;

	if (!view)
		die(EXIT_FAILED, errno, "cannot open '%s', which ExecStartPre= writes and BindReadOnlyPaths= shows", name);
	while (next_entry(view, name, &entry, &device, &inode, &path))
		check_directory(path, device, inode);
}
