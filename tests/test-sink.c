/*
 * sink.h, files below directories: all of it or nothing, whatever is in the way at whichever step; what replaces a file
 * does so by rename. What a full disk and a kill do to the whole program: faults.t and kill.t. The other sinks: test-sink-text.c.
 */
#include "sink.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "output.h"
#include "scratch.h"

static volatile sig_atomic_t give_up;
static bool has_unnamed = true;        /* files get their name when they are whole */

/* Empty but for units/, which systemd makes. */
static void begin(void)
{
	scratch_begin();
	(void) mkdir("units", 0755);
	give_up = 0;
}

/* --- what is pushed -------------------------------------------------------------------------------------- */

static const struct step {
	enum { STEP_FILE, STEP_LINK, STEP_DIRECTORY } kind;
	struct file file;
	const char *text;              /* of a link the directory */
} steps[] = {
	{ STEP_FILE, { TREE_UNITS, "", "a.service", 0644, false, NULL }, "unit" },
	{ STEP_LINK, { TREE_UNITS, "", "a.service", 0644, false, NULL }, "x.wants" },
	{ STEP_FILE, { TREE_UNITS, "a.service.d", "10.conf", 0644, false, NULL }, "drop-in" },
	{ STEP_FILE, { TREE_STATE, "sudoers.d", "left4me", 0440, false, NULL }, "rules" },
	{ STEP_DIRECTORY, { TREE_STATE, "", "root", 0, false, NULL }, NULL },
	{ STEP_FILE, { TREE_STATE, "", "report", 0644, false, NULL }, "problems" },
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
	empty_directory("units");
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

/* Half a unit is worse than none. Of what is replaced, half has the second name at most. */
static void test_under_way(void)
{
	struct report report = { 0 };
	struct sink *sink;
	struct text *out;

	begin();
	sink = sink_directories("units", NULL, &give_up, &report);
	out = sink->open(sink, &steps[0].file);
	text_puts(out, "un");
	there_is(has_unnamed ? "units/\n" : "units/\nunits/a.service 644 \n", "a unit that is not whole has no name where that can be");
	text_puts(out, "it");
	is_int(sink->close(sink, &steps[0].file), 0, "the end of the file");
	there_is("units/\nunits/a.service 644 unit\n", "then it has");
	is_int(sink->finish(sink, true), 0, "the end");
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

static void test_not_good(void)
{
	struct report report = { 0 };
	struct sink *sink;

	begin();
	put_in_the_way("state/report");
	(void) mkdir("state/root", 0755);
	(void) mkdir("units/x.wants", 0755);
	sink = sink_directories("units", "state", &give_up, &report);
	for (size_t i = 0; i < ELEMENTS(steps); i++)
		(void) take_step(sink, &steps[i]);
	is_int(sink->finish(sink, false), -1, "all is taken back when asked");
	there_is("state/\nstate/report 644 other\nstate/root/\nunits/\nunits/x.wants/\n", "and what was there is there");
	is_int((long long) report.problems, 0, "without a word");
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
		before = scratch_list();
		is_int(push_all(&report), -1, "%s is in the way", table[i].path);
		is_reported(&report, table[i].reported, table[i].path);
		after = scratch_list();
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
	(void) !symlink("../../outside", "state/sudoers.d/.left4me.new");
	is_int(push_all(&report), 0, "second names are there already");
	there_is("outside 644 safe\n" STATE UNITS(""), "and are taken over, links not followed");
}

static void test_keep(void)
{
	static const struct step kept = { STEP_FILE, { TREE_STATE, "sudoers.d", "left4me", 0440, true, NULL }, "new" };
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

/* As `render --format=tree` does it; -2 when there is no directory to write to. */
static int push_tree(const char *path, size_t last, struct report *report)
{
	cleanup(output_done) struct output_directory output = { .path = NULL };
	int r;

	if (output_make(path, report, &output) < 0)
		return -2;
	r = push(sink_directories(output.units, output.state, &give_up, report), last);
	if (r < 0)
		output_remove(&output);
	return r;
}

static void test_tree(void)
{
	struct report report = { 0 };

	for (int there = 0; there < 2; there++) {
		begin();
		if (there)
			(void) mkdir("out", 0755);
		is_int(push_tree("out", 0, &report), -1, "a tree that is taken back");
		is_reported(&report, "out/", "the reason");
		there_is(there ? "out/\nunits/\n" : "units/\n", "is gone, and its directory if it was not there before");
		is_int(push_tree("out", ELEMENTS(steps), &report), 0, "a tree");
		there_is(TREE, "is there");
		is_int(push_tree("out", ELEMENTS(steps), &report), -2, "a directory that is not empty");
		is_reported(&report, "out: is not an empty directory", "a tree");
		there_is(TREE, "is left alone");
	}
	is_int(push_tree("nowhere/out", 0, &report), -2, "nowhere to put it");
	is_reported(&report, "nowhere/out: No such file", "nowhere to put it");
	write_file("file", "other");
	is_int(push_tree("file", 0, &report), -2, "a file");
	is_reported(&report, "file: is not an empty directory", "a file");
}

/* --- system calls that fail ------------------------------------------------------------------------------ */

/* From now on this process gets `error` for the call where its argument has one of the bits, or with 0 is `value`. */
static bool deny(unsigned call, unsigned argument, unsigned bits, unsigned value, unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		/* of an argument the low half, as on every little endian machine */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * argument),
		BPF_JUMP(BPF_JMP | (bits ? BPF_JSET : BPF_JEQ) | BPF_K, bits ? bits : value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { ELEMENTS(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* As where a file cannot be made without a name, it has it from the beginning. */
static bool deny_unnamed_files(void)
{
	return deny(SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, 0, EOPNOTSUPP) &&
	       open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) < 0 && errno == EOPNOTSUPP;
}

/* In a child of this process, whose file is not closed: as where the last bytes are written by close(2). */
static int push_and_fail_to_close(size_t step)
{
	struct report report = { 0 };
	struct sink *sink = sink_directories("units", "state", &give_up, &report);
	struct text *out;

	for (size_t i = 0; i < step; i++)
		(void) take_step(sink, &steps[i]);
	out = sink->open(sink, &steps[step].file);
	text_puts(out, "last words");
	if (!deny(SYS_close, 0, 0, (unsigned) out->fd, EIO))
		return 2;
	if (sink->close(sink, &steps[step].file) == 0 || sink->finish(sink, false) == 0)
		return 1;
	return report.count == 1 && strstr(report.lines[0], "Input/output error") ? 0 : 3;
}

static void test_failing_close(void)
{
	for (size_t i = 0; i < ELEMENTS(steps); i++) {
		int status = -1;
		pid_t pid;

		if (steps[i].kind != STEP_FILE)
			continue;
		begin();
		put_in_the_way("state/report");
		(void) fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(push_and_fail_to_close(i));
		(void) waitpid(pid, &status, 0);
		is_int(WEXITSTATUS(status), 0, "%s cannot be closed: reported", steps[i].file.name);
		there_is("state/\nstate/report 644 other\nunits/\n", "and nothing is left");
	}
}

/* --- all of it, twice ------------------------------------------------------------------------------------ */

static void test(void)
{
	test_all();
	test_under_way();
	test_replacement();
	test_not_good();
	test_in_the_way();
	test_twice();
	test_second_names();
	test_keep();
	test_full_disk(1);
	test_full_disk(3 * TEXT_WINDOW);
	test_failing_close();
	test_give_up();
	test_exit();
	test_beginning();
	test_tree();
}

int main(void)
{
	(void) umask(022);
	test();
	has_unnamed = false;
	if (deny_unnamed_files())
		test();
	else
		skip("no seccomp", "files that have their name from the beginning");
	scratch_end();
	return done_testing();
}
