#include "overlay-state.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "overlay-anchor.h"
#include "overlay-say.h"
#include "privileged.h"

static int open_state(const char *directory)
{
	cleanup_close int run = open_run_directory();

	return open_own_directory(run, RUN_DIRECTORY, directory, 0755);
}

void write_state(const char *directory, const char *name, const struct text *text)
{
	cleanup_close int parent = open_state(directory);
	cleanup_free char *temporary = xasprintf(".%s", name);
	cleanup_close int fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : write_all(fd, text_string(text), text->length);

	if (r == 0 && renameat(parent, temporary, parent, name) < 0)
		r = -errno;
	if (r == 0)
		return;
	(void) unlinkat(parent, temporary, 0);
	die(EXIT_FAILED, -r, "cannot write '" RUN_DIRECTORY "/%s/%s'", directory, name);
}

void remove_state(const char *directory, const char *name)
{
	cleanup_close int parent = open_state(directory);
	cleanup_free char *temporary = xasprintf(".%s", name);

	(void) unlinkat(parent, temporary, 0);          /* of a helper that was killed */
	if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
		die(EXIT_FAILED, errno, "cannot remove '" RUN_DIRECTORY "/%s/%s'", directory, name);
}
