/* started.h: what counts as a change that waits for a restart, and how it is said. */
#include "started.h"

#include "tap.h"

static const char unit[] = "# comment\n[Unit]\nDescription=a\n\n[Service]\nUser=left4me\nRestart=no\nNice=-5\n[Install]\nWantedBy=x\n";

static const struct {
	const char *text, *what;
	bool same;
} changes[] = {
	{ "[Service]\nUser=left4me\nNice=-5\n", "only [Service] counts, without what a reload applies", true },
	{ "[Unit]\nDescription=b\n[Service]\n  User=left4me\t\n; c\nRestart =always\nNice=-5", "blanks and comments do not", true },
	{ "[Service]\nUser=left4me\nExecStopPost=+/x\nTimeoutStopSec=3\nKillSignal=9\nNice=-5\n", "nor what is read at the end", true },
	{ "[Service]\nUser=left4me\nExecStopPost=/x \\\n\nNice=-5\n", "nor a line that goes on, as far as it goes", true },
	{ "[Service]\nUser=left4me\nNice=-4\n", "a value counts", false },
	{ "[Service]\nNice=-5\nUser=left4me\n", "so does the order, which lists have", false },
	{ "[Service]\nUser=left4me\nNice=-5\nRestartSecs=3\n", "a longer name is another key", false },
	{ "\xef\xbb\xbf[Service]\nUser=left4me\nNice=-5\n", "nor does the mark of an editor's", true },
	{ "[Service]\nUser=left4me\nNice=-5\n[X-Mine]\nNice=3\n", "another section does not count", true },
	{ "[Service]\nUser=left4me\nNice=-5\nEnvironment=A \\\n[Unit]\n", "a line that goes on is no section", false },
};

static void test_hash(void)
{
	uint64_t hash = started_hash_settings(unit);

	for (size_t i = 0; i < ELEMENTS(changes); i++)
		ok((started_hash_settings(changes[i].text) == hash) == changes[i].same, "%s", changes[i].what);
	ok(started_hash_settings("[Unit]\nAfter=a\n[Service]\nRestart=no\n") == 0, "nothing that a start applies");
	ok(started_hash_settings("") == 0, "an empty file, which masks");
	ok(started_hash("", 0) == UINT64_C(0xcbf29ce484222325) && started_hash("a", 1) == UINT64_C(0xaf63dc4c8601ec8c), "FNV-1a");
}

#define GROUPS ",unit=0000000000000001,hardening=0000000000000002"
#define LINES "arguments=3\nunit=0000000000000001\nhardening=0000000000000002\n"

/* A unit as the generator makes it, whose row would like to say more. */
static const char made[] =
	"[Service]\nEnvironment=HOME=/\n"
	"ExecStartPre=+/helper mount --started=port=27115,arguments=3" GROUPS ",50-a.conf=5 %i 4 7 installation\n"
	"ExecStart=:/x +hostport 27115 ExecStartPre=+ --started=port=1 \"%%i\" 9 installation\n";

static const struct {
	const char *record, *words;
} differences[] = {
	{ "port=27115\n" LINES "50-a.conf=5\nlayer=4 1 44\nlayer=7 1 77\nlayer=installation 1 9\nhost_env=1 2 3 4.000000000\n", "" },
	{ "port=27016\n" LINES "50-a.conf=5\n", "port 27016 -> 27115" },
	{ "port=27016\narguments=4\nunit=7\nhardening=8\n50-a.conf=6\n50-b.conf=1\nlayer=4 1 45\nlayer=7 1 77\nlayer=installation 2 9\n"
	  "host_env=1 2 3 4.000000001\n",
	  "port 27016 -> 27115, arguments, unit, hardening, host.env, 50-a.conf changed, 50-b.conf removed, layer 4 rebuilt, "
	  "installation replaced" },
	{ LINES, "50-a.conf added" },
	{ "layer=7 1 77\nlayer=4 1 44\nlayer=installation 1 9\n", "layers" },
	{ "layer=4 1 44\nlayer=installation 1 9\n", "layers" },
	{ "", "" },
	{ "no line of ours\n=\n\n", "" },
};

static void test_join(const struct started *now)
{
	cleanup_text struct text words = TEXT_EMPTY;
	cleanup(started_done) struct started then;

	started_of_record("port=27016\n", &then);
	text_puts(&words, "no record");
	ok(started_compare(&then, now, &words), "a difference behind other words");
	is_str(text_string(&words), "no record, port 27016 -> 27115", "is set apart from them");
	ok(!started_compare(now, now, &words), "and words of others are none");
}

static void test_compare(void)
{
	const struct stat four = { .st_dev = 1, .st_ino = 44 }, nine = { .st_dev = 1, .st_ino = 9 };
	const struct stat host_env = { .st_dev = 1, .st_ino = 2, .st_size = 3, .st_ctim = { .tv_sec = 4 } };
	struct started now;

	started_of_unit(made, &now);
	is_str(started_value(&now, STARTED_PORT), "27115", "a row's words are no option");
	is_str(started_value(&now, STARTED_LAYER), "4", "nor layers");
	started_see_layer(&now, "4", &four);
	started_see_layer(&now, "installation", &nine);
	started_see_layer(&now, "8", &nine);
	started_see_host_env(&now, &host_env);
	for (size_t i = 0; i < ELEMENTS(differences); i++) {
		cleanup_text struct text words = TEXT_EMPTY;
		cleanup(started_done) struct started then;

		started_of_record(differences[i].record, &then);
		ok(started_compare(&then, &now, &words) == (*differences[i].words != '\0'), "difference %zu", i);
		is_str(text_string(&words), differences[i].words, "in words");
	}
	test_join(&now);
	started_done(&now);
	started_of_unit("[Service]\nExecStartPre=:/bin/echo \"--started=port=3\"\nExecStart=:/x +hostport 0\n", &now);
	is_int((long) now.count, 0, "a refused unit says nothing");
	started_done(&now);
}

static void test_whole(void)
{
	static const struct {
		const char *record;
		unsigned port;
	} records[] = {
		{ "port=27015\n" LINES "layer=installation 1 9\n", 27015 }, { "", 0 }, { "port=\n" LINES, 0 },
		{ "port=27015\n", 0 }, { "port=\033[31m\n" LINES, 0 }, { "port=99999\n" LINES, 0 },
		{ "layer=installation 1 9\nhost_env=1 2 3 4.000000000\n", 0 },
	};

	for (size_t i = 0; i < ELEMENTS(records); i++) {
		cleanup(started_done) struct started record;

		started_of_record(records[i].record, &record);
		is_int(started_port(&record), records[i].port, "the port of a whole record, or none: %zu", i);
	}
}

static void test_drop_in(void)
{
	cleanup_text struct text out = TEXT_EMPTY;

	started_put_drop_in(&out, "50 a,b=%i\n\xc3\xbc.conf", 0xabc);
	is_str(text_string(&out), ",50?a?b??i???.conf=0000000000000abc", "a name that is not safe");
}

int main(void)
{
	test_hash();
	test_compare();
	test_whole();
	test_drop_in();
	return done_testing();
}
