/*
 * bare MANIFEST UNITS STATE [DATABASE]: what any generator must pay. Makes the directories, files and links that
 * a run of left4me-generator made, with the same bytes and modes, as fast as system calls allow; what goes to
 * STATE through a temporary name and rename, as there. Compiled with -DDATABASE it first reads the rows of the
 * three views, in process, from a database that it opens plain and immutable.
 *
 * MANIFEST (from run): records of a kind ('d', 'f', 'l') and a place ('u', 's'), then the path and, of a link, its
 * target, each ended by NUL; of a file instead "MODE SIZE" ended by NUL and so many bytes. A directory comes
 * before what it holds.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef DATABASE
#include <sqlite3.h>
#endif

enum { RENAMES_MAX = 16, PATH_SIZE = 512 };

static const char *renames[RENAMES_MAX];
static size_t rename_count;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static const char *next(const char **at)
{
	const char *string = *at;

	*at += strlen(string) + 1;
	return string;
}

/* "directory/name" -> "directory/.name.new" */
static const char *temporary(const char *path, char *buffer)
{
	const char *slash = strrchr(path, '/');
	int directory = slash ? (int) (slash - path) + 1 : 0;

	(void) snprintf(buffer, PATH_SIZE, "%.*s.%s.new", directory, path, path + directory);
	return buffer;
}

static const char *make_file(int place, bool replace, const char *path, const char *at)
{
	char *end, buffer[PATH_SIZE];
	mode_t mode = (mode_t) strtoul(at, &end, 8);
	size_t size = strtoul(end, &end, 10);
	int fd;

	if (replace) {
		if (rename_count == RENAMES_MAX)
			abort();
		renames[rename_count++] = path;
		path = temporary(path, buffer);
	}
	fd = openat(place, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0 || (size > 0 && write(fd, end + 1, size) != (ssize_t) size) || close(fd) < 0)
		die(path);
	return end + 1 + size;
}

static void make_all(const char *at, const char *end, int units, int state)
{
	char buffer[PATH_SIZE];

	while (at < end) {
		char kind = *at++;
		bool replace = *at++ == 's';
		int place = replace ? state : units;
		const char *path = next(&at);

		if (kind == 'f')
			at = make_file(place, replace, path, at);
		else if (kind == 'd' ? mkdirat(place, path, 0755) < 0 : symlinkat(next(&at), place, path) < 0)
			die(path);
	}
	for (size_t i = 0; i < rename_count; i++)
		if (renameat(state, temporary(renames[i], buffer), state, renames[i]) < 0)
			die(renames[i]);
}

#ifdef DATABASE
/* The queries of generator/rows.c. */
static void read_rows(const char *path)
{
	static const char *const queries[] = {
		"SELECT name, port, arguments, enabled FROM main.generator_instances ORDER BY name",
		"SELECT instance, position, overlay FROM main.generator_layers ORDER BY instance, position",
		"SELECT id, name, length(CAST(script AS BLOB)) FROM main.generator_overlays ORDER BY id",
	};
	static volatile size_t bytes;
	char uri[PATH_SIZE];
	sqlite3 *db;

	(void) snprintf(uri, sizeof(uri), "file:%s?immutable=1", path);
	if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) != SQLITE_OK)
		die(path);
	for (size_t i = 0; i < 3; i++) {
		sqlite3_stmt *statement;

		if (sqlite3_prepare_v2(db, queries[i], -1, &statement, NULL) != SQLITE_OK)
			die(sqlite3_errmsg(db));
		while (sqlite3_step(statement) == SQLITE_ROW)
			for (int column = 0; column < sqlite3_column_count(statement); column++)
				if (sqlite3_column_text(statement, column))
					bytes = bytes + (size_t) sqlite3_column_bytes(statement, column);
		(void) sqlite3_finalize(statement);
	}
	(void) sqlite3_close(db);
}
#endif

int main(int argc, char **argv)
{
	int fd = argc > 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int units = argc > 3 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int state = argc > 3 ? open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	const char *manifest;
	struct stat st;

	if (fd < 0 || units < 0 || state < 0 || fstat(fd, &st) < 0)
		die("bare MANIFEST UNITS STATE");
	(void) umask(022);
#ifdef DATABASE
	read_rows(argv[4]);
#endif
	manifest = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (manifest == MAP_FAILED)
		die(argv[1]);
	make_all(manifest, manifest + st.st_size, units, state);
	return 0;
}
