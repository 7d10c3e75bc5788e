/*
 * A directory of the test's own, which is the working directory, and what lies in it. scratch_begin() empties it,
 * scratch_end() removes it.
 */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "tap.h"

static char scratch[256];
static char **scratch_lines;
static size_t scratch_count;

static inline int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void) st, (void) type;
	return place->level == 0 ? 0 : remove(path);
}

static inline void empty_directory(const char *path)
{
	(void) nftw(path, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch_begin(void)
{
	const char *tmpdir = getenv("TMPDIR");

	if (!*scratch) {
		(void) snprintf(scratch, sizeof(scratch), "%s/left4me-test.XXXXXX", tmpdir ? tmpdir : "/tmp");
		if (!mkdtemp(scratch) || chdir(scratch) < 0)
			exit(2);
	}
	empty_directory(scratch);
}

static inline void scratch_end(void)
{
	empty_directory(scratch);
	(void) rmdir(scratch);
}

static inline void write_file(const char *path, const char *bytes)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(bytes, file) < 0 || fclose(file) != 0)
		exit(2);
}

/* Its first bytes, owned by the caller. */
static inline char *read_start(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = xcalloc(16384, 1);

	if (read(fd, bytes, 16383) < 0)
		exit(2);
	return bytes;
}

static inline int scratch_list_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	char target[100] = "";

	if (place->level == 0)
		return 0;
	scratch_lines = grow_array(scratch_lines, scratch_count, sizeof(*scratch_lines));
	if (type == FTW_D)
		scratch_lines[scratch_count++] = xasprintf("%s/", path + 2);
	else if (type == FTW_F) {
		cleanup_free char *bytes = read_start(path);

		scratch_lines[scratch_count++] = xasprintf("%s %o %s", path + 2, (unsigned) st->st_mode & 07777, bytes);
	} else {
		(void) !readlink(path, target, sizeof(target) - 1);
		scratch_lines[scratch_count++] = xasprintf("%s -> %s", path + 2, target);
	}
	return 0;
}

static inline int scratch_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Everything there is, a line each: "PATH MODE TEXT", "PATH -> TARGET", "PATH/". Owned by the caller. */
static inline char *scratch_list(void)
{
	struct text all = TEXT_EMPTY;

	(void) nftw(".", scratch_list_one, 16, FTW_PHYS);
	if (scratch_count > 0)
		qsort(scratch_lines, scratch_count, sizeof(*scratch_lines), scratch_compare);
	for (size_t i = 0; i < scratch_count; i++) {
		text_printf(&all, "%s\n", scratch_lines[i]);
		free(scratch_lines[i]);
	}
	free(scratch_lines);
	scratch_lines = NULL;
	scratch_count = 0;
	return text_take(&all);
}

static inline void there_is(const char *expected, const char *name)
{
	cleanup_free char *all = scratch_list();

	is_str(all, expected, "%s", name);
}
