#include "last-good.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int last_good_read(const char *path, struct rows *ret_rows)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	cleanup_text struct text text = TEXT_EMPTY;
	struct stat st;

	if (fd < 0)
		return errno == EACCES ? -EACCES : -EINVAL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > ROWS_SIZE_MAX)
		return -EINVAL;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EINVAL;
	if (text_read(&text, fd) < 0)
		return -EIO;
	(void) rows_from_version_1(&text);
	return rows_take(&text, ret_rows) ? 0 : -EINVAL;
}

long last_good_age(const char *path)
{
	time_t now = time(NULL);
	struct stat st;

	if (lstat(path, &st) < 0)
		return -1;
	return now > st.st_mtim.tv_sec ? (long) (now - st.st_mtim.tv_sec) : 0;
}
