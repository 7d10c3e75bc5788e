/* sink.h: units as a JSON document, compared with files that are there, and with what a systemd knows. */
#include "sink.h"

#include "scratch.h"

/* A unit is pushed: its directory and name, its text and, for a link, the directory of that. */
struct unit {
	const char *directory, *name, *text, *wants;
};

static int push_unit(struct sink *sink, const struct unit *unit)
{
	const struct file file = { .tree = TREE_UNITS, .directory = unit->directory, .name = unit->name, .mode = 0644 };
	struct text *out = sink->open(sink, &file);

	if (!out)
		return -1;
	text_puts(out, unit->text);
	if (sink->close(sink, &file) < 0)
		return -1;
	return unit->wants ? sink->link(sink, &file, unit->wants) : 0;
}

/* What belongs to RUN/left4me is nothing to these sinks. */
static int push_state(struct sink *sink)
{
	const struct file rules = { .tree = TREE_STATE, .directory = "sudoers.d", .name = "left4me", .mode = 0440, .keep = true };
	struct text *out = sink->open(sink, &rules);

	if (!out)
		return -1;
	text_puts(out, "no line of a unit file\n");
	return sink->directory || sink->mask ? -1 : sink->close(sink, &rules);
}

/* The status of the end. */
static int push(struct sink *sink, const struct unit *units, size_t count)
{
	bool good = push_state(sink) == 0;

	for (size_t i = 0; good && i < count; i++)
		good = push_unit(sink, &units[i]) == 0;
	return sink->finish(sink, good);
}

static void is_reported(struct report *report, const char *expected, const char *name)
{
	cleanup_text struct text text = TEXT_EMPTY;

	report_write(report, &text);
	is_str(text_string(&text), expected, "%s: report", name);
	report_done(report);
	*report = (struct report){ 0 };
}

/* --- JSON ------------------------------------------------------------------------------------------------ */

#define DOCUMENT \
	"{\"systemd\":{\"units\":{" \
	"\"a.service\":{\"Service\":{\"Environment\":[\"B=2\",\"A=1\",\"B=2\"],\"ExecStart\":\"/bin/x \\\"a\\\" \\\\x0a = é\"," \
	"\"Nice\":\"\"},\"Unit\":{\"Description\":\"a\"}}," \
	"\"a.service.d/10.conf\":{\"Service\":{\"Nice\":\"5\"}}," \
	"\"b.timer\":{\"Install\":{\"WantedBy\":\"timers.target\"},\"Timer\":{\"OnCalendar\":\"daily\"}}}}}\n"

static const struct unit units[] = {
	{ "", "b.timer", "; a comment\n[Timer]\nOnCalendar=daily\n", "timers.target.wants" },
	{ "", "a.service", "# A=comment\n[Unit]\nDescription=a\n\n[Service]\nNice=\nEnvironment=B=2\nEnvironment=A=1\n"
			   "ExecStart=/bin/x \"a\" \\x0a = é\nEnvironment=B=2\n", NULL },
	{ "a.service.d", "10.conf", "[Service]\nNice=5\n", NULL },
};

static void test_document(void)
{
	struct report report = { 0 };
	cleanup_free char *text = NULL;

	scratch_begin();
	is_int(push(sink_json("out", &report), units, ELEMENTS(units)), 0, "a document");
	text = read_start("out");
	is_str(text, DOCUMENT, "sorted, repeated keys in their order, links as WantedBy, no comments");
	is_reported(&report, "", "a document");
}

static void test_standard_output(void)
{
	struct report report = { 0 };
	cleanup_free char *text = NULL;
	int kept, file, r;

	scratch_begin();
	(void) fflush(stdout);
	kept = dup(STDOUT_FILENO);
	file = open("stdout", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	(void) dup2(file, STDOUT_FILENO);
	r = push(sink_json(NULL, &report), units, ELEMENTS(units));
	(void) dup2(kept, STDOUT_FILENO);
	closep(&kept);
	closep(&file);
	text = read_start("stdout");
	is_int(r, 0, "to standard output");
	is_str(text, DOCUMENT, "the same document");
	is_reported(&report, "", "to standard output");
}

/* The file is the old one until it is the new one; another name beside it is nobody's. */
static void test_output(void)
{
	struct report report = { 0 };
	cleanup_free char *text = NULL;
	struct sink *sink;

	scratch_begin();
	write_file("out", "old");
	sink = sink_json("out", &report);
	is_int(push_unit(sink, &units[0]), 0, "a unit");
	is_int(sink->finish(sink, false), -1, "not good");
	there_is("out 644 old\n", "what was there stays");
	write_file("out.new", "left by a run that was killed");
	is_int(push(sink_json("out", &report), units, ELEMENTS(units)), 0, "over an old document");
	text = read_start("out");
	ok(strcmp(text, DOCUMENT) == 0 && access("out.new", F_OK) < 0, "it is replaced");
	is_reported(&report, "", "over an old document");
	write_file("out", "old");
	write_file("outside", "safe");
	(void) !symlink("outside", "out.new");
	is_int(push(sink_json("out", &report), units, ELEMENTS(units)), -1, "a link with the second name");
	there_is("out 644 old\nout.new -> outside\noutside 644 safe\n", "is not followed");
	is_reported(&report, "out: Too many levels of symbolic links\n", "a link with the second name");
	is_int(push(sink_json("nowhere/out", &report), units, ELEMENTS(units)), -1, "nowhere to put it");
	is_reported(&report, "nowhere/out: No such file or directory\n", "nowhere to put it");
	is_int(push(sink_json("/dev/full", &report), units, ELEMENTS(units)), -1, "no room");
	is_reported(&report, "/dev/full: No space left on device\n", "no room");
}

/* What no unit may hold is a fault of the program: there is no document then. */
static void test_bad_lines(void)
{
	static const char *const table[][2] = {
		{ "no assignment", "[Unit]\nhello\n" }, { "no key", "[Unit]\n=x\n" }, { "before any section", "Nice=5\n" },
		{ "a line that goes on", "[Unit]\nDescription=a\\\nExecStart=b\n" }, { "a section without its end", "[Unit\nA=b\n" },
	};
	static const char *const reported[] = { "hello", "=x", "Nice=5", "Description=a\\", "[Unit" };

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		const struct unit unit = { "", "a.service", table[i][1], NULL };
		cleanup_free char *line = xasprintf("a.service: '%s' is no line of a unit file\n", reported[i]);
		struct report report = { 0 };

		scratch_begin();
		is_int(push(sink_json("out", &report), &unit, 1), -1, "%s", table[i][0]);
		is_reported(&report, line, table[i][0]);
		there_is("", "there is no document");
	}
}

/* --- comparison ------------------------------------------------------------------------------------------ */

#define OURS "[Unit]\nDescription=a\n[Service]\nNice=5\nEnvironment=B=2\nEnvironment=A=1\n"

static void test_compare(void)
{
	static const struct {
		const char *name, *theirs;
		bool same;
	} table[] = {
		{ "the same", OURS, true },
		{ "keys in another order", "[Service]\nEnvironment=B=2\nNice=5\nEnvironment=A=1\n[Unit]\nDescription=a\n", true },
		{ "comments, blanks and empty lines", "# c\n\n[Unit]\n  Description=a\n;c\n[Service]\nNice=5\nEnvironment=B=2\n"
						      "Environment=A=1", true },
		{ "an [Install] section", OURS "[Install]\nWantedBy=x\n", true },
		{ "another value", "[Unit]\nDescription=a\n[Service]\nNice=6\nEnvironment=B=2\nEnvironment=A=1\n", false },
		{ "another key", "[Unit]\nDescription=a\n[Service]\nNicer=5\nEnvironment=B=2\nEnvironment=A=1\n", false },
		{ "a repeated key in another order", "[Unit]\nDescription=a\n[Service]\nNice=5\nEnvironment=A=1\nEnvironment=B=2\n", false },
		{ "a line less", "[Unit]\nDescription=a\n[Service]\nNice=5\nEnvironment=B=2\n", false },
		{ "a line more", OURS "User=root\n", false },
		{ "another section", "[Unit]\nDescription=a\nNice=5\n[Service]\nEnvironment=B=2\nEnvironment=A=1\n", false },
		{ "nothing", "", false },
	};
	static const struct unit unit = { "x.service.d", "10.conf", OURS, "y.wants" };
	static const char *const directories[] = { "none", "etc", NULL };

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		struct report report = { 0 };

		scratch_begin();
		(void) mkdir("etc", 0755);
		(void) mkdir("etc/x.service.d", 0755);
		write_file("etc/x.service.d/10.conf", table[i].theirs);
		is_int(push(sink_compare(directories, &report), &unit, 1), 0, "%s: compared", table[i].name);
		is_reported(&report, table[i].same ? "" : "etc/x.service.d/10.conf: differs from the generator's 10.conf\n",
			    table[i].name);
	}
}

/* Each of several units with each of the directories; what is no regular file says clearly what it wants. */
static void test_compare_many(void)
{
	static const char *const directories[] = { "etc", "usr", NULL };
	cleanup_free char *large = xcalloc(20000, 1);
	struct report report = { 0 };
	struct sink *sink;

	scratch_begin();
	(void) mkdir("etc", 0755);
	(void) mkdir("usr", 0755);
	(void) mkdir("etc/left4me", 0755);
	(void) mkdir("etc/sudoers.d", 0755);
	write_file("etc/sudoers.d/left4me", "other rules, which are no unit\n");
	(void) !symlink("/dev/null", "etc/a.service");
	(void) mkfifo("etc/b.timer", 0644);
	is_int(push(sink_compare(directories, &report), units, ELEMENTS(units)), 0, "a mask and a FIFO");
	is_reported(&report, "", "a mask and a FIFO");
	memset(large, '#', 19999);
	write_file("usr/a.service", large);
	write_file("usr/b.timer", units[0].text);
	(void) unlink("etc/b.timer");
	write_file("etc/b.timer", "[Timer]\nOnCalendar=weekly\n");
	is_int(push(sink_compare(directories, &report), units, ELEMENTS(units)), 0, "several units and directories");
	is_reported(&report, "etc/b.timer: differs from the generator's b.timer\nusr/a.service: differs from the generator's a.service\n",
		    "several units and directories");
	sink = sink_compare(directories, &report);
	is_int(sink->finish(sink, false), -1, "not good");
}

/* --- what a systemd knows -------------------------------------------------------------------------------- */

/* Each once, where it first stands; a name of another section's or the beginning of a longer one is none. */
static void test_known(void)
{
	static const char items[] = "[Unit]\nDescription=STRING\n\n[Service]\nEnvironment=ENVIRON\nNice=NICE\nExecStartPre=COMMAND\n"
				    "\n[Timer]\nOnCalendar=TIMER\n";
	static const struct unit older[] = {
		{ "", "a.service", "# Comment=a\n[Unit]\nDescription=a\nNice=5\n[Service]\nExecStart=/bin/x\nNice=5\nNew=1\n", NULL },
		{ "a.service.d", "10.conf", "[Service]\nNew=2\nNewer=1\n", NULL },
		{ "", "a.future", "[Future]\nNice=1\nOnCalendar=x\n", NULL },
	};
	struct report report = { 0 };

	is_int(push(sink_known(items, "systemd 1", &report), units, ELEMENTS(units)), 0, "all is known");
	is_reported(&report, "a.service: ExecStart= is ignored: systemd 1 does not know it\n", "nearly all is known");
	is_int(push(sink_known(items, "systemd 1", &report), older, ELEMENTS(older)), 0, "an older systemd");
	is_reported(&report, "a.service: Nice= is ignored: systemd 1 does not know it\n"
		    "a.service: ExecStart= is ignored: systemd 1 does not know it\n"
		    "a.service: New= is ignored: systemd 1 does not know it\n"
		    "a.service.d/10.conf: Newer= is ignored: systemd 1 does not know it\n"
		    "a.future: OnCalendar= is ignored: systemd 1 does not know it\n", "an older systemd");
}

int main(void)
{
	(void) umask(022);
	test_document();
	test_standard_output();
	test_output();
	test_bad_lines();
	test_compare();
	test_compare_many();
	test_known();
	scratch_end();
	return done_testing();
}
