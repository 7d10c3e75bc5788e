/*
 * sink.h, files below directories: all of it or nothing, whatever is in the way at whichever step; what replaces a file
 * does so by rename. What a full disk and a kill do to the whole program: faults.t and kill.t. The other sinks: test-sink-text.c.
 */
#include "sink.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "tap.h"

static volatile sig_atomic_t give_up;

/* --- directories of this test's own ---------------------------------------------------------------------- */

static char folder[256];
static char **lines;
static size_t line_count;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void) st, (void) type;
	return place->level == 0 ? 0 : remove(path);
}

/* Empty but for units/, which systemd makes. */
static void begin(void)
{
	(void) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (chdir(folder) < 0 || mkdir("units", 0755) < 0)
		exit(2);
	give_up = 0;
}

static void end(void)
{
	(void) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	(void) rmdir(folder);
}

static void write_file(const char *path, const char *bytes)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(bytes, file) < 0 || fclose(file) != 0)
		exit(2);
}

static int list_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	char bytes[100] = "";
	int fd;

	if (place->level == 0)
		return 0;
	lines = grow_array(lines, line_count, sizeof(*lines));
	if (type == FTW_SL && readlink(path, bytes, sizeof(bytes) - 1) > 0)
		lines[line_count++] = xasprintf("%s -> %s", path + 2, bytes);
	else if (type == FTW_D)
		lines[line_count++] = xasprintf("%s/", path + 2);
	else {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (read(fd, bytes, sizeof(bytes) - 1) < 0)
			exit(2);
		closep(&fd);
		lines[line_count++] = xasprintf("%s %o %s", path + 2, (unsigned) st->st_mode & 07777, bytes);
	}
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Everything there is, a line each: "PATH MODE TEXT", "PATH -> TARGET", "PATH/". Owned by the caller. */
static char *list(void)
{
	struct text all = TEXT_EMPTY;

	(void) nftw(".", list_one, 16, FTW_PHYS);
	qsort(lines, line_count, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < line_count; i++) {
		text_printf(&all, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	lines = NULL;
	line_count = 0;
	return text_take(&all);
}

static void there_is(const char *expected, const char *name)
{
	cleanup_free char *all = list();

	is_str(all, expected, "%s", name);
}

/* --- what is pushed -------------------------------------------------------------------------------------- */

static const struct step {
	enum { STEP_FILE, STEP_LINK, STEP_DIRECTORY } kind;
	struct file file;
	const char *text;              /* of a link the directory */
} steps[] = {
	{ STEP_FILE, { TREE_UNITS, "", "a.service", 0644, false }, "unit" },
	{ STEP_LINK, { TREE_UNITS, "", "a.service", 0644, false }, "x.wants" },
	{ STEP_FILE, { TREE_UNITS, "a.service.d", "10.conf", 0644, false }, "drop-in" },
	{ STEP_FILE, { TREE_STATE, "sudoers.d", "left4me", 0440, false }, "rules" },
	{ STEP_DIRECTORY, { TREE_STATE, "", "root", 0, false }, NULL },
	{ STEP_FILE, { TREE_STATE, "", "report", 0644, false }, "problems" },
};

#define UNITS(before) \
	before "units/\n" before "units/a.service 644 unit\n" before "units/a.service.d/\n" \
	before "units/a.service.d/10.conf 644 drop-in\n" before "units/x.wants/\n" before "units/x.wants/a.service -> ../a.service\n"
#define STATE "state/\nstate/report 644 problems\nstate/root/\nstate/sudoers.d/\nstate/sudoers.d/left4me 440 rules\n"

static int take_step(struct sink *sink, const struct step *step)
{
	struct text *out;

	if (step->kind == STEP_LINK)
		return sink->link(sink, &step->file, step->text);
	if (step->kind == STEP_DIRECTORY)
		return sink->directory(sink, &step->file);
	out = sink->open(sink, &step->file);
	if (!out)
		return -1;
	text_puts(out, step->text);
	return sink->close(sink, &step->file);
}

/* All steps and the end; the given one gives up before it. The status of the end. */
static int push(struct sink *sink, size_t last)
{
	bool good = true;

	for (size_t i = 0; good && i < ELEMENTS(steps); i++) {
		give_up = i == last;
		good = take_step(sink, &steps[i]) == 0;
	}
	return sink->finish(sink, good);
}

static int push_all(struct report *report)
{
	struct sink *sink = sink_directories("units", "state", &give_up, report);

	return sink ? push(sink, ELEMENTS(steps)) : -2;
}

/* One problem was reported, and it begins so. */
static void is_reported(struct report *report, const char *start, const char *name)
{
	bool good = report->problems == 1 && report->count == 1 && strncmp(report->lines[0], start, strlen(start)) == 0;

	if (!ok(good, "%s: %s is reported", name, start))
		for (size_t i = 0; i < report->count; i++)
			(void) printf("# %s\n", report->lines[i]);
	report_done(report);
	*report = (struct report){ 0 };
}

/* --- directories ----------------------------------------------------------------------------------------- */

static void test_all(void)
{
	struct report report = { 0 };

	begin();
	is_int(push_all(&report), 0, "everything is pushed");
	there_is(STATE UNITS(""), "and is there, nothing else");
	(void) nftw("units", remove_one, 16, FTW_DEPTH | FTW_PHYS);
	is_int(push_all(&report), 0, "again, as at a reload");
	there_is(STATE UNITS(""), "with the same result");
	is_int((long long) report.problems, 0, "nothing is reported");
}

/* Before the end nothing that was there is touched: not the file, not who reads it. */
static void test_replacement(void)
{
	struct report report = { 0 };
	struct stat before, after;
	char bytes[10] = "";
	struct sink *sink;
	int fd;

	begin();
	(void) mkdir("state", 0755);
	write_file("state/report", "old");
	fd = open("state/report", O_RDONLY | O_CLOEXEC);
	(void) fstat(fd, &before);
	sink = sink_directories("units", "state", &give_up, &report);
	for (size_t i = 0; i < ELEMENTS(steps); i++)
		(void) take_step(sink, &steps[i]);
	there_is("state/\nstate/.report.new 644 problems\nstate/report 644 old\nstate/root/\nstate/sudoers.d/\n"
		 "state/sudoers.d/.left4me.new 440 rules\n" UNITS(""), "until the end the old file has its name");
	is_int(sink->finish(sink, true), 0, "the end");
	there_is(STATE UNITS(""), "then the new one");
	(void) stat("state/report", &after);
	ok(before.st_ino != after.st_ino && read(fd, bytes, 9) == 3 && strcmp(bytes, "old") == 0, "who has the old one open reads it");
	closep(&fd);
}

static void test_not_good(void)
{
	struct report report = { 0 };
	struct sink *sink;

	begin();
	(void) mkdir("state", 0755);
	write_file("state/report", "old");
	sink = sink_directories("units", "state", &give_up, &report);
	for (size_t i = 0; i < ELEMENTS(steps); i++)
		(void) take_step(sink, &steps[i]);
	is_int(sink->finish(sink, false), -1, "all is taken back when asked");
	there_is("state/\nstate/report 644 old\nunits/\n", "and what was there is there");
	is_int((long long) report.problems, 0, "without a word");
}

/* A file or, where the path ends so, a directory in the way. */
static void put_in_the_way(const char *path)
{
	cleanup_free char *copy = xstrdup(path);

	for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void) mkdir(copy, 0755);
		*slash = '/';
	}
	if (path[strlen(path) - 1] != '/')
		write_file(path, "other");
}

static void test_in_the_way(void)
{
	static const struct {
		const char *path, *reported, *left;    /* what is there afterwards beside it */
	} table[] = {
		{ "units/a.service", "units/a.service: exists already", "" },
		{ "units/a.service/", "units/a.service: exists already", "" },
		{ "units/x.wants", "units/x.wants/a.service: Not a directory", "" },
		{ "units/x.wants/a.service", "units/x.wants/a.service: exists already", "" },
		{ "units/a.service.d", "units/a.service.d/10.conf: Not a directory", "" },
		{ "units/a.service.d/10.conf", "units/a.service.d/10.conf: exists already", "" },
		{ "state/sudoers.d", "state/sudoers.d/left4me: Not a directory", "" },
		{ "state/sudoers.d/.left4me.new/", "state/sudoers.d/left4me: exists already", "" },
		{ "state/.report.new/", "state/report: exists already", "" },
		/* seen by rename(2) alone: each file is the old one or the new one */
		{ "state/sudoers.d/left4me/", "state/sudoers.d/left4me: Is a directory", "" },
		{ "state/report/", "state/report: Is a directory", "state/sudoers.d/\nstate/sudoers.d/left4me 440 rules\n" },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		struct report report = { 0 };
		cleanup_free char *before = NULL, *after = NULL;

		begin();
		(void) mkdir("state", 0755);
		put_in_the_way(table[i].path);
		before = list();
		is_int(push_all(&report), -1, "%s is in the way", table[i].path);
		is_reported(&report, table[i].reported, table[i].path);
		after = list();
		if (*table[i].left)
			ok(strstr(after, table[i].left) && !strstr(after, ".new") && !strstr(after, "unit\n"),
			   "%s: no file is half done, no unit is left", table[i].path);
		else
			is_str(after, before, "%s: all is as before", table[i].path);
	}
}

/* The same unit twice: there is no telling which is right. */
static void test_twice(void)
{
	struct report report = { 0 };
	struct sink *sink;

	begin();
	sink = sink_directories("units", NULL, &give_up, &report);
	is_int(take_step(sink, &steps[0]), 0, "a file");
	is_int(take_step(sink, &steps[0]), -1, "once more");
	is_int(sink->finish(sink, false), -1, "the end");
	is_reported(&report, "units/a.service: exists already", "twice");
	there_is("units/\n", "neither is left");
}

/* What a run that was killed left is no obstacle, and where it is a link nobody goes there. */
static void test_second_names(void)
{
	struct report report = { 0 };

	begin();
	put_in_the_way("state/.report.new");
	(void) mkdir("state/sudoers.d", 0755);
	write_file("outside", "safe");
	(void) symlink("../../outside", "state/sudoers.d/.left4me.new");
	is_int(push_all(&report), 0, "second names are there already");
	there_is("outside 644 safe\n" STATE UNITS(""), "and are taken over, links not followed");
}

static void test_keep(void)
{
	static const struct step kept = { STEP_FILE, { TREE_STATE, "sudoers.d", "left4me", 0440, true }, "new" };
	struct report report = { 0 };
	struct sink *sink;

	begin();
	for (int i = 0; i < 3; i++) {
		sink = sink_directories("units", "state", &give_up, &report);
		is_int(take_step(sink, &kept), 0, "a file that is kept where it is there");
		is_int(sink->finish(sink, i != 1), i != 1 ? 0 : -1, "the end");
		there_is(i == 0 ? "state/\nstate/sudoers.d/\nstate/sudoers.d/left4me 440 new\nunits/\n"
				: "state/\nstate/sudoers.d/\nstate/sudoers.d/left4me 644 old\nunits/\n", "is made or kept");
		(void) unlink("state/sudoers.d/left4me");
		write_file("state/sudoers.d/left4me", "old");
	}
	is_int((long long) report.problems, 0, "nothing is reported");
}

/* At the end of a file or in its middle, at each of the files. */
static void test_full_disk(size_t length)
{
	cleanup_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cleanup_free char *bytes = xcalloc(length, 1);

	for (size_t file = 0; file < ELEMENTS(steps); file++) {
		struct report report = { 0 };
		struct sink *sink;
		struct text *out;

		if (steps[file].kind != STEP_FILE)
			continue;
		begin();
		(void) mkdir("state", 0755);
		write_file("state/report", "old");
		sink = sink_directories("units", "state", &give_up, &report);
		for (size_t i = 0; i < file; i++)
			(void) take_step(sink, &steps[i]);
		out = sink->open(sink, &steps[file].file);
		(void) dup3(full, out->fd, O_CLOEXEC);
		text_append(out, bytes, length);
		is_int(sink->close(sink, &steps[file].file), -1, "no room for %zu bytes of %s", length, steps[file].file.name);
		is_int(sink->finish(sink, false), -1, "the end");
		ok(report.count == 1 && strstr(report.lines[0], "No space left on device"), "it is reported");
		report_done(&report);
		there_is("state/\nstate/report 644 old\nunits/\n", "and nothing is left");
	}
}

static void test_give_up(void)
{
	for (size_t i = 0; i < ELEMENTS(steps); i++) {
		struct report report = { 0 };

		begin();
		(void) mkdir("state", 0755);
		is_int(push(sink_directories("units", "state", &give_up, &report), i), -1, "time is over at step %zu", i);
		ok(report.count == 1 && strstr(report.lines[0], "timed out"), "it is reported");
		report_done(&report);
		there_is("state/\nunits/\n", "and all is taken back");
	}
}

/* Out of memory, say: the program ends where it is. */
static void test_exit(void)
{
	for (size_t count = 0; count <= ELEMENTS(steps); count++) {
		struct report report = { 0 };
		pid_t pid;

		begin();
		(void) mkdir("state", 0755);
		(void) fflush(stdout);
		pid = fork();
		if (pid == 0) {
			struct sink *sink = sink_directories("units", "state", &give_up, &report);

			for (size_t i = 0; i < count; i++)
				(void) take_step(sink, &steps[i]);
			if (count < ELEMENTS(steps) && steps[count].kind == STEP_FILE)
				(void) sink->open(sink, &steps[count].file);
			exit(1);
		}
		(void) waitpid(pid, NULL, 0);
		there_is("state/\nunits/\n", "an end of the program in between takes all back");
	}
}

static void test_beginning(void)
{
	struct report report = { 0 };
	struct sink *sink;

	begin();
	sink = sink_directories("units", NULL, &give_up, &report);
	is_int(push(sink, ELEMENTS(steps)), 0, "without a state directory");
	there_is(UNITS(""), "there are units alone");
	ok(!sink_directories("nowhere", "state", &give_up, &report), "no directory for units");
	is_reported(&report, "nowhere: No such file", "no directory for units");
	write_file("state", "other");
	ok(!sink_directories("units", "state", &give_up, &report), "a file for a state directory");
	is_reported(&report, "state: Not a directory", "a file for a state directory");
}

/* --- a tree ---------------------------------------------------------------------------------------------- */

#define TREE \
	"out/\nout/left4me/\nout/left4me/report 644 problems\nout/left4me/root/\nout/left4me/sudoers.d/\n" \
	"out/left4me/sudoers.d/left4me 440 rules\nout/systemd/\nout/systemd/generator/\n" \
	"out/systemd/generator/a.service 644 unit\nout/systemd/generator/a.service.d/\n" \
	"out/systemd/generator/a.service.d/10.conf 644 drop-in\nout/systemd/generator/x.wants/\n" \
	"out/systemd/generator/x.wants/a.service -> ../a.service\nunits/\n"

static void test_tree(void)
{
	struct report report = { 0 };
	struct sink *sink;

	for (int there = 0; there < 2; there++) {
		begin();
		if (there)
			(void) mkdir("out", 0755);
		sink = sink_tree("out", &report);
		is_int(sink->finish(sink, false), -1, "a tree that is taken back");
		there_is(there ? "out/\nunits/\n" : "units/\n", "is gone, and its directory if it was not there before");
		is_int(push(sink_tree("out", &report), ELEMENTS(steps)), 0, "a tree");
		there_is(TREE, "is there");
		ok(!sink_tree("out", &report), "a directory that is not empty");
		is_reported(&report, "out: is not an empty directory", "a tree");
		there_is(TREE, "is left alone");
	}
	ok(!sink_tree("nowhere/out", &report), "nowhere to put it");
	is_reported(&report, "nowhere/out: No such file", "nowhere to put it");
	write_file("file", "other");
	ok(!sink_tree("file", &report), "a file");
	is_reported(&report, "file: is not an empty directory", "a file");
}

int main(void)
{
	const char *tmpdir = getenv("TMPDIR");

	(void) umask(022);
	(void) snprintf(folder, sizeof(folder), "%s/left4me-sink.XXXXXX", tmpdir ? tmpdir : "/tmp");
	if (!mkdtemp(folder))
		return 2;
	test_all();
	test_replacement();
	test_not_good();
	test_in_the_way();
	test_twice();
	test_second_names();
	test_keep();
	test_full_disk(1);
	test_full_disk(3 * TEXT_WINDOW);
	test_give_up();
	test_exit();
	test_beginning();
	test_tree();
	end();
	return done_testing();
}
