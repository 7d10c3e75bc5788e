/*
 * sink.h, settle() and retract(): what the configuration alone says is written first and stays when what the rows say does not
 * fit. limits.t shows it with the whole program.
 */
#include "sink.h"

#include "scratch.h"

static volatile sig_atomic_t give_up;

static int put(struct sink *sink, enum tree tree, const char *directory, const char *name, const char *text, size_t times)
{
	const struct file file = { .tree = tree, .directory = directory, .name = name, .mode = 0644 };
	struct text *out = sink->open(sink, &file);

	if (!out)
		return -1;
	for (size_t i = 0; i < times; i++)
		text_puts(out, text);
	return sink->close(sink, &file);
}

/* A host's own unit, settled; then a unit of a row and rules. */
static struct sink *begin(struct report *report)
{
	struct sink *sink;

	scratch_begin();
	(void) mkdir("units", 0755);
	*report = (struct report){ 0 };
	sink = sink_directories("units", "state", &give_up, report);
	is_int(put(sink, TREE_UNITS, "host.d", "10.conf", "host", 1), 0, "a drop-in of the host");
	sink->settle(sink);
	is_int(put(sink, TREE_UNITS, "", "row.service", "row", 1), 0, "a unit of a row");
	is_int(put(sink, TREE_STATE, "sudoers.d", "left4me", "rules", 1), 0, "rules");
	return sink;
}

#define HOST "units/\nunits/host.d/\nunits/host.d/10.conf 644 host\n"

static void test_all_good(void)
{
	struct report report;
	struct sink *sink = begin(&report);

	is_int(sink->finish(sink, true), 0, "a good end");
	there_is("state/\nstate/sudoers.d/\nstate/sudoers.d/left4me 644 rules\n" HOST "units/row.service 644 row\n", "all is there");
}

static void test_bad_end(void)
{
	struct report report;
	struct sink *sink = begin(&report);

	is_int(sink->finish(sink, false), -1, "a bad end");
	there_is("state/\n" HOST, "what was settled stays, and nothing else");
}

/* After retract() the sink takes files again, as the report that says why. */
static void test_retract(void)
{
	struct report report;
	struct sink *sink = begin(&report);

	sink->retract(sink);
	is_int(put(sink, TREE_STATE, "", "report", "why", 1), 0, "the report after what was taken back");
	is_int(sink->finish(sink, true), 0, "a good end");
	there_is("state/\nstate/report 644 why\n" HOST, "the host's own and the report");
}

static void test_budget(void)
{
	static char mebibyte[1024 * 1024 + 1];
	struct report report;
	struct sink *sink = begin(&report);

	memset(mebibyte, 'x', sizeof(mebibyte) - 1);
	is_int(put(sink, TREE_UNITS, "", "large", mebibyte, SINK_BUDGET / 1024 / 1024 - 1), 0, "less than the budget");
	is_int(put(sink, TREE_UNITS, "", "small", "x", 1), 0, "a page more");
	is_int(put(sink, TREE_UNITS, "", "last", mebibyte, 1), -1, "beyond it");
	is_str(report.count ? report.lines[0] : "", "units/last: does not fit: the files of all rows would take more than 96 MiB",
	       "is reported");
	sink->retract(sink);
	is_int(put(sink, TREE_UNITS, "", "again", mebibyte, 1), 0, "what was taken back does not count");
	is_int(sink->finish(sink, false), -1, "a bad end");
	there_is("state/\n" HOST, "the host's own");
	report_done(&report);
}

int main(void)
{
	test_all_good();
	test_bad_end();
	test_retract();
	test_budget();
	scratch_end();
	return done_testing();
}
