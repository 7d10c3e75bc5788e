#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void) st, (void) type, (void) place;
	return remove(path);
}

static void remove_folder(void)
{
	if (*folder)
		(void) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	(void) fprintf(stderr, "%s:%d: ", file, line);
	va_start(arguments, format);
	(void) vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void) fputc('\n', stderr);
	remove_folder();
	abort();
}

const char *fuzz_folder(void)
{
	if (!*folder) {
		const char *given = getenv("FUZZ_FOLDER");     /* of tests/fuzz/run, which removes what a crash leaves */

		(void) snprintf(folder, sizeof(folder), "%s/left4me-fuzz.XXXXXX",
				given ? given : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		EXPECT(mkdtemp(folder), "no folder in %s", folder);
		(void) atexit(remove_folder);
	}
	return folder;
}

void fuzz_write(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	EXPECT(fd >= 0 && write_all(fd, bytes, length) == 0 && close(fd) == 0, "cannot write %s", path);
}

int fuzz_next_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	(void) close(fd);
	return fd;
}
