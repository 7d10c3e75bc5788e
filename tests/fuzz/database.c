/*
 * A database file with its log, index and journal, of any bytes, through all that the reading child does, in process,
 * and what comes of it through model and render. Also as left4me-fetch-script reads it. Nothing may be left behind.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "database-input.h"
#include "fuzz.h"
#include "oracle.h"

/*
 * A clock that advances only when it is read or somebody sleeps, so that timeouts come soon and always at the same point.
 * SQLite may sleep for longer than a reading child may live (10 s over a log with a broken header); its parent ends that,
 * see tests/fuzz.t.
 */
static struct timespec virtual_time;

static void pass(long nanoseconds)
{
	virtual_time.tv_sec += (virtual_time.tv_nsec + nanoseconds) / 1000000000L;
	virtual_time.tv_nsec = (virtual_time.tv_nsec + nanoseconds) % 1000000000L;
}

static int virtual_clock(struct timespec *ret_time)
{
	pass(20000000L);
	*ret_time = virtual_time;
	return 0;
}
#define clock_gettime(clock, ret_time) virtual_clock(ret_time)

/* In place of the C library's, for SQLite too. */
int usleep(useconds_t microseconds)
{
	pass((long) microseconds * 1000L);
	return 0;
}

int nanosleep(const struct timespec *time, struct timespec *rest)
{
	(void) rest;
	virtual_time.tv_sec += time->tv_sec;
	pass(time->tv_nsec);
	return 0;
}

#include "../../generator/database.c"
#include "../../generator/reader.c"
#include "../../helpers/fetch-row.c"

/* What SQLite found is news to libFuzzer, which does not see into it. */
__attribute__((section("__libfuzzer_extra_counters"), used)) static uint8_t found[4096];

static const char *const names[PARTS] = { "db-wal", "db-shm", "db-journal", "db" };
static struct {
	char *directory, *path[PARTS], *index[2];
} place;

/* Another process with a lock on the index, as every open connection has one (wal.c, WAL_SHM_DMS). */
static void hold_index(const char *path)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 128, .l_len = 1 };
	int ready[2];
	char byte;

	EXPECT(pipe(ready) == 0, "pipe");
	if (fork() == 0) {
		int fd = open(path, O_RDWR | O_CREAT, 0600);

		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 && write(ready[1], "", 1) == 1)
			for (;;)
				(void) pause();
		_exit(1);
	}
	(void) close(ready[1]);
	EXPECT(read(ready[0], &byte, 1) == 1, "nobody holds the index");
	(void) close(ready[0]);
}

static void make_place(void)
{
	if (place.directory)
		return;
	configure_sqlite();
	place.directory = xasprintf("%s/lib", fuzz_folder());
	EXPECT(mkdir(place.directory, 0700) == 0, "mkdir");
	for (int i = 0; i < PARTS; i++)
		place.path[i] = xasprintf("%s/%s", place.directory, names[i]);
	EXPECT(chdir(place.directory) == 0, "chdir");      /* as database_enter() does it */
	place.index[0] = xasprintf("%s/index", fuzz_folder());
	place.index[1] = xasprintf("%s/live-index", fuzz_folder());
	hold_index(place.index[1]);
}

static bool is_there(const struct input *input, int part)
{
	return part == PART_DATABASE || (input->flags & 1U << part);
}

static void write_files(const struct input *input)
{
	for (int i = 0; i < PARTS; i++) {
		const char *index = place.index[(input->flags & FLAG_LIVE) != 0];

		(void) unlink(place.path[i]);
		if (!is_there(input, i))
			continue;
		fuzz_write(i == PART_SHM ? index : place.path[i], input->parts[i].bytes, input->parts[i].size);
		if (i == PART_SHM)
			EXPECT(link(index, place.path[i]) == 0, "link");
	}
}

static void check_files(const struct input *input)
{
	static uint8_t bytes[1 << 20];
	size_t count = 0, wanted = 0;
	DIR *dir = opendir(place.directory);

	for (struct dirent *entry; (entry = readdir(dir)) != NULL; count++)
		;
	(void) closedir(dir);
	for (int i = 0; i < PARTS; i++) {
		int fd = open(place.path[i], O_RDONLY);
		ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

		wanted += is_there(input, i);
		EXPECT((fd >= 0) == is_there(input, i), "%s has come or gone", names[i]);
		EXPECT(fd < 0 || ((size_t) n == input->parts[i].size && memcmp(bytes, input->parts[i].bytes, (size_t) n) == 0),
		       "%s was changed", names[i]);
		closep(&fd);
	}
	EXPECT(count == wanted + 2, "%zu entries in the directory, not %zu", count - 2, wanted);
}

static void note(const char *reason)
{
	unsigned hash = 5381;

	for (const char *c = reason; *c && c < reason + 60; c++)
		hash = *c >= '0' && *c <= '9' ? hash : hash * 33 + (unsigned char) *c;
	found[hash % sizeof(found)] = 1;
}

static void read_rows(void)
{
	static const struct running running;
	struct text out = TEXT_EMPTY;
	struct database_error error = { .reason = NULL };
	struct rows rows;
	char *reason;
	int r;

	r = database_read(place.path[PART_DATABASE], read_views, &out, &error);
	reason = error.reason;
	EXPECT((r < 0) == (reason != NULL) && (r == 0 || *reason), "%d with the reason '%s'", r, reason ? reason : "none");
	EXPECT(!error.denied, "no permission: %s", reason);
	if (r == 0) {
		reason = judge(NULL, &out, &rows, &error.denied);
		EXPECT(!reason, "the parent does not take its child's rows: %s", reason);
		for (enum view view = 0; view < VIEW_COUNT; view++)
			found[view * 64 + (rows.of[view].count < 63 ? rows.of[view].count : 63)] = 1;
		oracle_rows(&rows, &running, 0);
		rows_done(&rows);
	} else
		note(reason);
	free(reason);
	text_done(&out);
}

static void read_script(void)
{
	struct query query = { .id = 1, .script = TEXT_EMPTY };
	char *reason = NULL;
	int r = fetch_row(place.path[PART_DATABASE], &query, &reason);

	EXPECT((r < 0) == (reason != NULL) && (r == 0 || *reason), "%d with the reason '%s'", r, reason ? reason : "none");
	EXPECT(r < 0 || (query.script.length <= SCRIPT_MAX &&
			 (query.script.length == 0 || strlen(query.script.data) == query.script.length)), "a bad script");
	if (reason)
		note(reason);
	free(reason);
	text_done(&query.script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free uint8_t *bytes = xcalloc(size + 1, 1);
	struct input input;
	int descriptor;

	memcpy(bytes, data, size);
	make_place();
	if (!input_split(bytes, size, &input))
		return 0;
	virtual_time = (struct timespec){ 0 };
	write_files(&input);
	descriptor = fuzz_next_descriptor();
	if (input.flags & FLAG_SCRIPT)
		read_script();
	else
		read_rows();
	EXPECT(fuzz_next_descriptor() == descriptor, "a descriptor is left open");
	check_files(&input);
	return 0;
}
