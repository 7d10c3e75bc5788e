#include "overlay-pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base.h"
#include "overlay-anchor.h"
#include "overlay-say.h"
#include "overlay-table.h"
#include "privileged.h"
#include "started.h"

struct pin {
	dev_t device;
	ino_t inode;
};

/* What started_put_layer() has written; the other lines of a record are not about layers. */
static void add_line(struct pins *pins, const char *line)
{
	uint64_t device, inode;

	if (sscanf(line, STARTED_LAYER "=%*s %" SCNu64 " %" SCNu64, &device, &inode) != 2)
		return;
	pins->list = grow_array(pins->list, pins->count, sizeof(*pins->list));
	pins->list[pins->count++] = (struct pin){ (dev_t) device, (ino_t) inode };
}

/* False if there is no such record. */
static bool add_record(struct pins *pins, int records, const char *name)
{
	cleanup_close int fd = openat(records, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_text struct text text = TEXT_EMPTY;
	char *rest, *line;
	int r;

	if (fd < 0 && errno == ENOENT)
		return false;
	r = fd < 0 ? -errno : text_read(&text, fd);
	if (r < 0)
		die(EXIT_FAILED, -r, "cannot read '" STARTED_RECORDS "/%s'", name);
	rest = text.data;
	while ((line = strsep(&rest, "\n")))
		add_line(pins, line);
	return true;
}

struct pins read_pins(void)
{
	cleanup_close int run = open_run_directory();
	cleanup_close int records = open_own_directory(run, RUN_DIRECTORY, STARTED_DIRECTORY, 0755);
	cleanup_text struct text mounted = mounted_instances();
	struct pins pins = { NULL, 0, false };
	const char *end = mounted.data + mounted.length;

	for (char *name = mounted.data; name && name < end; name += strlen(name) + 1)
		if (!add_record(&pins, records, name))
			pins.all = true;
	return pins;
}

void pins_done(struct pins *pins)
{
	free(pins->list);
}

bool is_pinned(const struct pins *pins, dev_t device, ino_t inode)
{
	for (size_t i = 0; i < pins->count; i++)
		if (pins->list[i].device == device && pins->list[i].inode == inode)
			return true;
	return pins->all;
}
