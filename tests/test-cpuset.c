/* cpuset.h: sets of CPUs as AllowedCPUs= writes them, for system_cpus of left4me.conf(5). The errors' texts are config.t's. */
#include "cpuset.h"

#include "base.h"
#include "tap.h"

static void test_lists(void)
{
	static const struct {
		const char *text;
		const char *formatted;         /* NULL: refused */
		int highest;
	} rows[] = {
		{ "0", "0", 0 }, { "0,4", "0,4", 4 }, { "0-1", "0-1", 1 }, { "4,0", "0,4", 4 }, { "0 4", "0,4", 4 },
		{ "0, 4\t5", "0,4-5", 5 }, { "3-3", "3", 3 }, { "0-3,2-5", "0-5", 5 }, { "1,1,1", "1", 1 },
		{ "62-65", "62-65", 65 }, { "63", "63", 63 }, { "64", "64", 64 }, { ",,7,", "7", 7 },
		{ "0,2,4-6,8191", "0,2,4-6,8191", 8191 }, { "0-8191", "0-8191", 8191 },
		{ "" , NULL, 0 }, { " ", NULL, 0 }, { ",", NULL, 0 }, { "x", NULL, 0 }, { "1x", NULL, 0 }, { "-", NULL, 0 },
		{ "-1", NULL, 0 }, { "1-", NULL, 0 }, { "2-1", NULL, 0 }, { "1-2-3", NULL, 0 }, { "8192", NULL, 0 },
		{ "0-8192", NULL, 0 }, { "99999999999999999999", NULL, 0 }, { "01", NULL, 0 }, { "+1", NULL, 0 },
		{ "0x1", NULL, 0 }, { "1;2", NULL, 0 }, { "1\n2", NULL, 0 },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct cpuset set;
		bool valid = cpuset_parse(rows[i].text, &set);
		cleanup_free char *formatted = valid ? cpuset_format(&set) : NULL;

		is_str(formatted, rows[i].formatted, "'%s'", rows[i].text);
		if (valid)
			is_int(cpuset_highest(&set), rows[i].highest, "the highest of '%s'", rows[i].text);
	}
}

static void test_refused_leaves_result(void)
{
	struct cpuset set;

	(void) cpuset_parse("5", &set);
	ok(!cpuset_parse("0,x", &set) && cpuset_highest(&set) == 5, "what is refused leaves the result alone");
}

static void test_members(void)
{
	struct cpuset set;

	(void) cpuset_parse("0,63-64,8191", &set);
	ok(cpuset_has(&set, 0) && cpuset_has(&set, 63) && cpuset_has(&set, 64) && cpuset_has(&set, 8191), "members");
	ok(!cpuset_has(&set, 1) && !cpuset_has(&set, 62) && !cpuset_has(&set, 65) && !cpuset_has(&set, 8190),
	   "neighbours are none");
}

/* [host] cpus: a count as it always was, or the CPUs themselves. */
static void test_of_host(void)
{
	static const struct {
		const char *text, *formatted;  /* NULL: refused */
	} rows[] = {
		{ "1", "0" }, { "8", "0-7" }, { "8192", "0-8191" }, { "0,2,4,6", "0,2,4,6" }, { "0-7", "0-7" }, { "8,", "8" },
		{ "0-3,8-11", "0-3,8-11" }, { "0, 2", "0,2" }, { "", NULL }, { "0", NULL }, { "8193", NULL }, { "0 2", NULL },
		{ "-1", NULL }, { "0-", NULL }, { "x", NULL }, { "0,x", NULL }, { "0,8192", NULL }, { ",", NULL },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct cpuset set;
		cleanup_free char *formatted = cpuset_parse_host(rows[i].text, &set) ? cpuset_format(&set) : NULL;

		is_str(formatted, rows[i].formatted, "the CPUs of a host: '%s'", rows[i].text);
	}
}

static void test_rest(void)
{
	static const struct {
		const char *cpus;
		const char *reserved, *rest;
		int highest;
	} rows[] = {
		{ "8", "0,4", "1-3,5-7", 7 }, { "8", "0-6", "7", 7 }, { "2", "0", "1", 1 }, { "2", "1", "0", 0 },
		{ "2", "0-1", "", -1 }, { "1", "0", "", -1 }, { "4", "7", "0-3", 3 }, { "64", "0", "1-63", 63 },
		{ "65", "0-63", "64", 64 }, { "8192", "0", "1-8191", 8191 },
		{ "0,2,4,6", "0", "2,4,6", 6 }, { "0,2,4,6", "6", "0,2,4", 4 }, { "0,2,4,6", "0,6", "2,4", 4 },
		{ "4-7", "4-5", "6-7", 7 }, { "0-63,128-191", "0-63", "128-191", 191 }, { "3,", "3", "", -1 },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct cpuset all = { 0 }, set = { 0 }, rest;
		cleanup_free char *formatted = NULL;

		(void) cpuset_parse_host(rows[i].cpus, &all);
		(void) cpuset_parse(rows[i].reserved, &set);
		rest = cpuset_without(&all, &set);
		formatted = cpuset_format(&rest);
		is_str(formatted, rows[i].rest, "of %s without %s", rows[i].cpus, rows[i].reserved);
		is_int(cpuset_highest(&rest), rows[i].highest, "the highest of them");
	}
}

int main(void)
{
	test_lists();
	test_refused_leaves_result();
	test_members();
	test_of_host();
	test_rest();
	return done_testing();
}
