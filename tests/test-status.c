/* status.h: the screen at 80 and 120 columns, and the JSON. */
#include "screen.h"
#include "status.h"

#include "report.h"
#include "tap.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)

/* Servers and builds as the manual shows them. The monotonic clock is at ten days, and began at 1 000 000 000 s. */
static struct unit units[] = {
	{ .name = "alfa", .state = UNIT_RESTARTING, .since = 10 * DAY - 3 * SECOND, .memory = UNIT_UNKNOWN, .restarts = 14,
	  .result = "exit-code", .end_code = 1, .end_status = 1, .end_after = 9 * SECOND },
	{ .name = "alpha", .state = UNIT_RUNNING, .since = 1 * DAY, .memory = 943718400, .result = "success" },
	{ .name = "beta", .state = UNIT_RUNNING, .since = 7 * DAY, .memory = 1181116006, .result = "success" },
	{ .name = "delta", .state = UNIT_FAILED, .since = 10 * DAY - 90 * SECOND, .memory = UNIT_UNKNOWN, .restarts = 5,
	  .result = "oom-kill", .end_code = 2, .end_status = 9, .end_after = 3600 * SECOND },
	{ .name = "eta", .state = UNIT_RUNNING, .since = 10 * DAY - 7500 * SECOND, .memory = 838860800, .result = "success" },
};
static struct unit builds[] = {
	{ .name = "4", .kind = UNIT_BUILD, .state = UNIT_FAILED, .since = 10 * DAY - 7200 * SECOND, .result = "exit-code",
	  .end_code = 1, .end_status = 3, .end_after = SECOND },
	{ .name = "7", .kind = UNIT_BUILD, .state = UNIT_STARTING, .since = 10 * DAY - 40 * SECOND, .result = "success" },
	{ .name = "left4me-update.service", .kind = UNIT_OF_HOST, .state = UNIT_FAILED, .since = 10 * DAY - 60 * SECOND,
	  .result = "exit-code", .end_code = 1, .end_status = 8, .end_after = SECOND },
};

static struct server_status servers[] = {
	{ .name = "alfa", .state = UNIT_RESTARTING, .has_unit = true, .unit = &units[0], .port = "27015", .port_source = PORT_OF_UNIT,
	  .size = UNIT_UNKNOWN, .note = "14 restarts, the last: exit status 1 after 9 s", .waits = true },
	{ .name = "alpha", .state = UNIT_RUNNING, .unit = &units[1], .port = "27015", .port_source = PORT_OF_RECORD,
	  .size = 5000000000, .note = "not in the database; holds the port of alfa", .waits = true },
	{ .name = "beta", .state = UNIT_RUNNING, .has_unit = true, .enabled = true, .unit = &units[2], .port = "27016", .port_source = PORT_OF_RECORD,
	  .size = 10000, .restart = "port 27016 -> 27115, layer 4 rebuilt",
	  .note = "restart: port 27016 -> 27115, layer 4 rebuilt", .waits = true },
	{ .name = "delta", .state = UNIT_FAILED, .has_unit = true, .unit = &units[3], .port = "27019", .port_source = PORT_OF_UNIT,
	  .size = 0, .note = "5 restarts, the last: oom-kill after 1 h", .waits = true },
	{ .name = "eta", .state = UNIT_RUNNING, .has_unit = true, .enabled = true, .unit = &units[4], .port = "27018", .port_source = PORT_OF_RECORD,
	  .size = 0, .reload = "port 27018 -> 27040, arguments", .note = "reload: port 27018 -> 27040, arguments", .waits = true },
	{ .name = "gamma", .state = UNIT_STOPPED, .has_unit = true, .refused = true, .size = UNIT_UNKNOWN,
	  .note = "port 28500 is not in 27000-27999 ([game] ports)", .waits = true },
	{ .name = "omega", .state = UNIT_STOPPED, .has_unit = true, .port = "27020", .port_source = PORT_OF_UNIT,
	  .size = UNIT_UNKNOWN, .note = "" },
};

static struct directory_status left_behind[] = { { "overlays/3", 2048 }, { "runtime/old", UNIT_UNKNOWN } };

static struct status host(void)
{
	static const struct unit *pointers[] = { &builds[0], &builds[1] };

	return (struct status){
		.servers = servers, .count = ELEMENTS(servers), .is_whole = true, .builds = pointers, .build_count = 2,
		.reloaded = 10 * DAY - 12 * SECOND, .problems = 0, .left_behind = left_behind, .left_behind_count = 2,
		.left_behind_known = true, .now = 10 * DAY, .epoch = INT64_C(1000000000) * SECOND, .waits = true,
	};
}

static void is_screen(const struct status *status, struct status_screen screen, const char *expected, const char *name)
{
	cleanup_text struct text out = TEXT_EMPTY;

	status_put_table(status, &screen, &out);
	if (!is_str(text_string(&out), expected, "%s", name))
		(void) fprintf(stderr, "%s", text_string(&out));
}

static void test_screens(void)
{
	struct status status = host();

	is_screen(&status, (struct status_screen){ .columns = 0 },
		  "NAME   STATE       SINCE   PORT  MEMORY  RESTARTS  NOTE\n"
		  "alfa   restarting      -  27015       -        14  14 restarts, the last: exit\n"
		  "                                                   status 1 after 9 s\n"
		  "alpha  running        9d  27015    900M         0  not in the database; holds\n"
		  "                                                   the port of alfa\n"
		  "beta   running        3d  27016    1.1G         0  restart: port 27016 -> 27115,\n"
		  "                                                   layer 4 rebuilt\n"
		  "delta  failed         1m  27019       -         5  5 restarts, the last:\n"
		  "                                                   oom-kill after 1 h\n"
		  "eta    running        2h  27018    800M         0  reload: port 27018 -> 27040,\n"
		  "                                                   arguments\n"
		  "gamma  refused         -      -       -         -  port 28500 is not in\n"
		  "                                                   27000-27999 ([game] ports)\n"
		  "omega  stopped         -  27020       -         -\n"
		  "builds: 4 failed 2 h ago (exit status 3), 7 running for 40 s\n"
		  "last reload 12 s ago, 0 problems\n"
		  "left behind: overlays/3 2.0K, runtime/old (no row)\n", "80 columns");
	is_screen(&status, (struct status_screen){ .columns = 120 },
		  "NAME   STATE       SINCE   PORT  MEMORY  RESTARTS  NOTE\n"
		  "alfa   restarting      -  27015       -        14  14 restarts, the last: exit status 1 after 9 s\n"
		  "alpha  running        9d  27015    900M         0  not in the database; holds the port of alfa\n"
		  "beta   running        3d  27016    1.1G         0  restart: port 27016 -> 27115, layer 4 rebuilt\n"
		  "delta  failed         1m  27019       -         5  5 restarts, the last: oom-kill after 1 h\n"
		  "eta    running        2h  27018    800M         0  reload: port 27018 -> 27040, arguments\n"
		  "gamma  refused         -      -       -         -  port 28500 is not in 27000-27999 ([game] ports)\n"
		  "omega  stopped         -  27020       -         -\n"
		  "builds: 4 failed 2 h ago (exit status 3), 7 running for 40 s                            last reload 12 s ago, 0 problems\n"
		  "left behind: overlays/3 2.0K, runtime/old (no row)\n", "120 columns");
	is_screen(&status, (struct status_screen){ .columns = 120, .sizes = true },
		  "NAME   STATE       SINCE   PORT  MEMORY  RESTARTS  SIZE  NOTE\n"
		  "alfa   restarting      -  27015       -        14     -  14 restarts, the last: exit status 1 after 9 s\n"
		  "alpha  running        9d  27015    900M         0  4.7G  not in the database; holds the port of alfa\n"
		  "beta   running        3d  27016    1.1G         0  9.8K  restart: port 27016 -> 27115, layer 4 rebuilt\n"
		  "delta  failed         1m  27019       -         5     0  5 restarts, the last: oom-kill after 1 h\n"
		  "eta    running        2h  27018    800M         0     0  reload: port 27018 -> 27040, arguments\n"
		  "gamma  refused         -      -       -         -     -  port 28500 is not in 27000-27999 ([game] ports)\n"
		  "omega  stopped         -  27020       -         -     -\n"
		  "builds: 4 failed 2 h ago (exit status 3), 7 running for 40 s                            last reload 12 s ago, 0 problems\n"
		  "left behind: overlays/3 2.0K, runtime/old (no row)\n", "sizes");
}

/* Of one server: names, notes and numbers that are longer than the space for them, and colours. */
static void test_rows(void)
{
	struct server_status server = servers[2];
	struct status status = { .servers = &server, .count = 1, .now = 10 * DAY };

	server.name = "a-very-long-name-for-a-server-of-games-0123456789-0123456789-abc";
	is_screen(&status, (struct status_screen){ .columns = 80 },
		  "NAME           STATE    SINCE   PORT  MEMORY  RESTARTS  NOTE\n"
		  "a-very-long-name-for-a-server-of-games-0123456789-0123456789-abc\n"
		  "               running     3d  27016    1.1G         0  restart: port 27016 ->\n"
		  "                                                        27115, layer 4 rebuilt\n",
		  "a long name");
	server.name = "b";
	server.port_source = PORT_OF_PROCESS;
	server.note = "0123456789012345678901234567890123456789 \303\244\303\244\303\244\303\244\303\244\303\244";
	is_screen(&status, (struct status_screen){ .columns = 80 },
		  "NAME  STATE    SINCE    PORT  MEMORY  RESTARTS  NOTE\n"
		  "b     running     3d  27016?    1.1G         0  01234567890123456789012345678901\n"
		  "                                                23456789 \303\244\303\244\303\244\303\244\303\244\303\244\n",
		  "a long word, and the port that the process says");
	server.note = "";
	is_screen(&status, (struct status_screen){ .columns = 80, .colour = true },
		  "NAME  STATE    SINCE    PORT  MEMORY  RESTARTS  NOTE\n"
		  "b     \033[33mrunning\033[0m     3d  27016?    1.1G         0\n", "colour");
	status.count = 0;
	is_screen(&status, (struct status_screen){ .columns = 80 }, "NAME  STATE  SINCE  PORT  MEMORY  RESTARTS  NOTE\n",
		  "no server");
}

static void test_update(void)
{
	struct unit unstarted = { .name = "1", .kind = UNIT_BUILD, .state = UNIT_FAILED, .since = 10 * DAY - 3 * SECOND, .result = "exit-code" };
	struct unit discarded = { .name = "1", .kind = UNIT_BUILD, .state = UNIT_FAILED, .since = 10 * DAY - 3 * SECOND,
				  .result = "exit-code", .end_code = 1 };
	const struct unit *update[] = { &builds[2] };
	struct status status = { .is_whole = true, .builds = update, .build_count = 1, .now = 10 * DAY, .reloaded = UNIT_UNKNOWN,
				 .left_behind_known = true };

	is_screen(&status, (struct status_screen){ .columns = 80 },
		  "NAME  STATE  SINCE  PORT  MEMORY  RESTARTS  NOTE\n"
		  "builds: update of the game failed 1 min ago (exit status 8)  last reload unknown\n", "the update of the game");
	update[0] = &discarded;
	is_screen(&status, (struct status_screen){ .columns = 80 },
		  "NAME  STATE  SINCE  PORT  MEMORY  RESTARTS  NOTE\n"
		  "builds: 1 failed 3 s ago (its stop failed)                   last reload unknown\n", "a build after its script");
	update[0] = &unstarted;
	is_screen(&status, (struct status_screen){ .columns = 80 },
		  "NAME  STATE  SINCE  PORT  MEMORY  RESTARTS  NOTE\n"
		  "builds: 1 failed 3 s ago (its start failed)                  last reload unknown\n", "a build before its script");
}

static void test_many(void)
{
	struct directory_status many[23];
	struct status status = { .is_whole = true, .now = DAY, .reloaded = UNIT_UNKNOWN, .left_behind = many, .left_behind_known = true,
				 .left_behind_count = ELEMENTS(many) };

	for (size_t i = 0; i < ELEMENTS(many); i++)
		many[i] = (struct directory_status){ "overlays/3", UNIT_UNKNOWN };
	is_screen(&status, (struct status_screen){ .columns = 300 },
		  "NAME  STATE  SINCE  PORT  MEMORY  RESTARTS  NOTE\n"
		  "builds: none runs, none has failed                                                                                  "
		  "                                                                                                                    "
		  "                                                 last reload unknown\n"
		  "left behind: overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, "
		  "overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, overlays/3, "
		  "overlays/3, and 3 more (no row)\n", "many directories");
}

static void test_unknown(void)
{
	struct status status = { .count = 0, .is_whole = true, .now = DAY, .reloaded = UNIT_UNKNOWN };

	is_screen(&status, (struct status_screen){ .unknown = "/var/lib/left4me/left4me.db: user 65534 may not read it" },
		  "NAME  STATE  SINCE  PORT  MEMORY  RESTARTS  NOTE\n"
		  "builds: none runs, none has failed                           last reload unknown\n"
		  "left behind: unknown\n"
		  "unknown without rows: /var/lib/left4me/left4me.db: user 65534 may not read it\n", "no rows");
}

/* When it last was up or down says nothing of the wait. */
static void test_waiting(void)
{
	struct unit build = builds[0];
	const struct unit *waiting[] = { &build };
	struct server_status server = servers[0];
	struct status status = { .servers = &server, .count = 1, .is_whole = true, .builds = waiting, .build_count = 1,
				 .reloaded = UNIT_UNKNOWN, .now = 10 * DAY };
	struct report report = { .refusals = NULL };
	cleanup_text struct text out = TEXT_EMPTY;

	server.state = build.state = UNIT_WAITING;
	ok(status_put_json(&status, &report, NULL, &out) == 0, "JSON of one that waits is made");
	ok(strstr(text_string(&out), "\"state\":\"waiting\",\"since\":null,") != NULL, "JSON of one that waits has no time");
	ok(strstr(text_string(&out), "\"overlay\":4,\"state\":\"waiting\",\"since\":null,") != NULL, "nor has a build that waits");
}

static void test_json(void)
{
	static struct refusal refusals[] = {
		{ "generator_instances", "port", 4, "gamma", NULL, "28500 is not in 27000-27999 ([game] ports)" },
		{ "generator_overlays", "name", 2, NULL, "9", "holds a \"quote\"" },
	};
	static const struct unit *with_update[] = { &builds[0], &builds[1], &builds[2] };
	struct report report = { .refusals = refusals, .refusal_count = 2 };
	struct status status = host();
	cleanup_text struct text out = TEXT_EMPTY;

	status.servers += 2;
	status.count = 1;
	status.builds = with_update;
	status.build_count = 3;
	ok(status_put_json(&status, &report, NULL, &out) == 0, "JSON is made");
	is_str(text_string(&out),
	       "{\"servers\":[{\"name\":\"beta\",\"state\":\"running\",\"since\":1000604800,\"port\":27016,\"port_source\":\"record\","
	       "\"memory\":1181116006,\"restarts\":0,\"exit\":null,\"exit_status\":null,\"exit_after\":null,\"size\":10000,"
	       "\"has_unit\":true,\"enabled\":true,\"refused\":false,\"reload\":null,\"restart\":\"port 27016 -> 27115, layer 4 rebuilt\","
	       "\"note\":\"restart: port 27016 -> 27115, layer 4 rebuilt\",\"waits\":true}],"
	       "\"builds\":[{\"overlay\":4,\"state\":\"failed\",\"since\":1000856800,\"exit\":\"status\",\"exit_status\":3},"
	       "{\"overlay\":7,\"state\":\"running\",\"since\":1000863960,\"exit\":null,\"exit_status\":null}],"
	       "\"update\":{\"state\":\"failed\",\"since\":1000863940,\"exit\":\"status\",\"exit_status\":8},"
	       "\"refusals\":[{\"view\":\"generator_instances\",\"row\":4,\"column\":\"port\",\"server\":\"gamma\",\"overlay\":null,"
	       "\"reason\":\"28500 is not in 27000-27999 ([game] ports)\"},"
	       "{\"view\":\"generator_overlays\",\"row\":2,\"column\":\"name\",\"server\":null,\"overlay\":9,"
	       "\"reason\":\"holds a \\\"quote\\\"\"}],"
	       "\"left_behind\":[{\"path\":\"overlays/3\",\"size\":2048},{\"path\":\"runtime/old\",\"size\":null}],"
	       "\"reloaded\":1000863988,\"problems\":0,\"unknown\":null,\"waits\":true}\n", "JSON");
	text_clear(&out);
	status.reloaded = -400 * DAY;          /* the clock was wrong at boot */
	status.problems = 2;
	ok(status_put_json(&status, &report, NULL, &out) == 0, "JSON of an early reload is made");
	ok(strstr(text_string(&out), "\"reloaded\":965440000,\"problems\":2,") != NULL, "a reload before the boot, by the clock of now");
	text_clear(&out);
	status = (struct status){ .count = 0, .reloaded = UNIT_UNKNOWN };
	ok(status_put_json(&status, &report, "no rows", &out) == 0, "JSON of named servers is made");
	is_str(text_string(&out),
	       "{\"servers\":[],\"builds\":null,\"update\":null,\"refusals\":null,\"left_behind\":null,\"reloaded\":null,\"problems\":null,"
	       "\"unknown\":\"no rows\",\"waits\":false}\n", "JSON of named servers");
}

static void test_words(void)
{
	static const struct {
		int64_t seconds;
		const char *word, *cell;
	} times[] = {
		{ -5, "0 s", "0s" }, { 59, "59 s", "59s" }, { 60, "1 min", "1m" }, { 3599, "59 min", "59m" }, { 3600, "1 h", "1h" },
		{ 172799, "47 h", "47h" }, { 172800, "2 d", "2d" }, { 86400 * 400, "400 d", "400d" },
	};
	static const struct {
		struct unit unit;
		const char *end, *what;
	} ends[] = {
		{ { .result = "exit-code" }, "its start failed", "a command before the main process failed" },
		{ { .result = "timeout" }, "its start failed: timeout", "it took too long" },
		{ { .kind = UNIT_SERVER, .result = "exit-code", .end_code = 1, .end_status = 130, .end_after = 9 * SECOND },
		  "its stop failed", "a server that ended well, and could not be unmounted" },
		{ { .kind = UNIT_SERVER, .result = "success", .end_code = 1, .end_status = 130, .end_after = 9 * SECOND },
		  "exit status 130 after 9 s", "one that ended well" },
		{ { .result = "core-dump", .end_code = 3, .end_status = 11, .end_after = 30 * SECOND },
		  "signal 11 with a core after 30 s", "a crash" },
	};

	for (size_t i = 0; i < ELEMENTS(times); i++) {
		cleanup_free char *word = duration_in_words(times[i].seconds * SECOND, false);
		cleanup_free char *cell = duration_in_words(times[i].seconds * SECOND, true);

		is_str(word, times[i].word, "%s", times[i].word);
		is_str(cell, times[i].cell, "%s in the table", times[i].cell);
	}
	for (size_t i = 0; i < ELEMENTS(ends); i++) {
		cleanup_free char *end = unit_end(&ends[i].unit);

		is_str(end, ends[i].end, "%s", ends[i].what);
	}
}

int main(void)
{
	test_screens();
	test_rows();
	test_update();
	test_unknown();
	test_many();
	test_json();
	test_waiting();
	test_words();
	return done_testing();
}
