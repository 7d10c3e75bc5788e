/* value.h: the grammar of configuration values, left4me.conf(5). What systemd would ignore is an error here (S110). */
#include "value.h"

#include "base.h"
#include "tap.h"

#define TEN "0123456789"
#define FIFTY "/abcdefghi/abcdefghi/abcdefghi/abcdefghi/abcdefghi"

static const struct grammar {
	const char *name;
	enum value_grammar grammar;
	const char *good[20], *bad[30];        /* NULL after the last */
} grammars[] = {
	{ "yes or no", TYPE_YES_OR_NO,
	  { "yes", "true", "on", "1", "no", "false", "off", "0" },
	  { "", "y", "Yes", "YES", "n", "2", "yes ", "enabled" } },
	{ "size", TYPE_SIZE,
	  { "512M", "1.5G", "2G", "1", "1K", "4T", "infinity", "1073741824", "0001", "1.0", "8000000T", "1.123456789G", "0.5G" },
	  { "", "0", "0M", "0.0G", "0.5", "lots", "M", "1.", "1.G", ".5G", "1.5.5G", "-1", "+1", "1 G", "1GB", "1g", "1P",
	    "50%", "infinity ", "Infinity", "1,5G", "0x10", "1e9", "8388608T", "99999999999999999999", "1.1234567890G" } },
	{ "limit", TYPE_LIMIT,
	  { "64M", "67108864", "65536K", "0.0625G", "infinity", "2G" },
	  { "", "63M", "67108863", "2", "0.06G", "0", "64", "64MB", "lots" } },
	{ "words", TYPE_WORDS, { "a:b()", "a  b %n $X ; #" }, { "", "a\"b", "it's", "a\\", "a\tb", "\xc3\xa9", " a" } },
	{ "program", TYPE_PROGRAM, { "/usr/games/steamcmd", "/x +y @z $HOME 100% ;", "" }, { "x", "bin/x", "/", "//x", "/x/../y", "/a%b", "/a:b", "/x 'a'", " /x" } },
	{ "command", TYPE_COMMAND, { "flask", "manage.py x/y", "a -- ;" }, { "", "/x", "bin/x", "..", ".x y", "a%", "a 'b'", "a;" } },
	{ "memory", TYPE_MEMORY,
	  { "85%", "1%", "100%", "12G", "1.5G", "infinity", "1073741824", "085%" },
	  { "", "0%", "000%", "101%", "1000%", "%", "85.5%", "-1%", "85%%", "85 %", "all", "85%G" } },
	{ "time", TYPE_TIME,
	  { "1s", "90s", "15min", "1h", "8760h", "31536000s", "525600min" },
	  { "", "0s", "s", "90", "1d", "1m", "90 s", "1h30min", "1.5h", "-1s", "infinity", "8761h", "31536001s",
	    "9999999999s", "1H", "1hour" } },
	{ "quota", TYPE_QUOTA,
	  { "1%", "200%", "999999%", "050%" }, { "", "0%", "000%", "%", "200", "20.5%", "-1%", "200%%", "200 %", "1000000%" } },
	{ "path", TYPE_PATH,
	  { "/a", "/var/lib/left4me", "/opt/left4me/src", "/srv/Z\xc3\xbcrich", "/a;b", "/a=b", FIFTY FIFTY FIFTY "/abcdefgh" },
	  { "", "/", "a", "/a b", "/a%b", "/a\"b", "/a'b", "/a\\b", "/a:b", "/a$b", "/a\tb", "/a\nb", "/a/../b", "/a/",
	    "//a", "/a\x7f", "/a\xff", "/a\xc2\x85", FIFTY FIFTY FIFTY FIFTY } },
	{ "user", TYPE_USER,
	  { "left4me", "_apt", "a", "www-data", "a_b-c9", "abcdefghijklmnopqrstuvwxyz01234" },
	  { "", "9a", "-a", "Left4me", "a b", "a.b", "a:b", "a$", "root\n", "\xc3\xa9", "abcdefghijklmnopqrstuvwxyz012345",
	    "%wheel", "#0", "!a", "ALL" } },
	{ "uid or gid", TYPE_ID,
	  { "1", "980", "4294967294" }, { "", "0", "-1", "4294967295", "4294967296", "0980", "980 ", "left4me" } },
	{ "CPUs of the host", TYPE_HOST_CPUS, { "1", "8", "0,2,4,6", "0-7" }, { "", "0", "8193", "-1", "8.0", "08", "many", "0 2" } },
	{ "tasks", TYPE_TASKS, { "1", "256", "4194304" }, { "", "0", "4194305", "infinity", "50%", "-1" } },
	{ "nice", TYPE_NICE, { "-20", "-5", "-1", "0", "19" }, { "", "-21", "20", "-0", "+5", "--5", "-", "5.0", "- 5" } },
	{ "workers", TYPE_WORKERS, { "1", "32", "1024" }, { "", "0", "1025", "-1", "auto" } },
	{ "ports", TYPE_PORTS,
	  { "27000-27999", "1024-65535", "27015-27015" },
	  { "", "27000", "-", "27000-", "-27999", "27999-27000", "1023-2000", "27000-65536", "27000 - 27999",
	    "27000-27999-", "027000-27999", "27000:27999", "270000000-27999", "0-1", "27000-0x7fff" } },
	{ "bind", TYPE_BIND,
	  { "127.0.0.1:8000", "0.0.0.0:1", "255.255.255.255:65535", "[::1]:8000", "[::]:80", "[2001:db8::1]:443",
	    "[::ffff:127.0.0.1]:80" },
	  { "", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http", "localhost:80",
	    "127.1:80", "256.0.0.1:80", "::1:80", "[::1]", "[::1:80", "[]:80", "[:80", "]:80", "[127.0.0.1]:80",
	    "127.0.0.1 :80", "[::1%lo]:80", "unix:/run/x", "0.0.0.0:080", "[::1]x:80",
	    "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:80" } },
	{ "addresses", TYPE_ADDRESSES,
	  { "", " ", "203.0.113.10/32", "0.0.0.0/0", "2001:db8::/64", "::/0", "::1/128", "10.0.0.0/8 2001:db8::/32",
	    "10.0.0.0/8\t10.1.0.0/16 " },
	  { "203.0.113.10", "203.0.113.10/33", "203.0.113.10/-1", "203.0.113.10/", "/32", "::1", "::1/129", "::1/",
	    "10.0.0.0/8,10.1.0.0/16", "10.0.0.0/8 x", "10.0.0.0/255.0.0.0", "10/8", "any", "localhost/32",
	    "2001:db8:::/64", "10.0.0.0/08", "10.0.0.0/8/8" } },
	{ "calendar", TYPE_CALENDAR,
	  { "", "*-*-* 04:00:00", "Mon..Fri *-*-* 04:00:00", "daily", "*-*~01", "Mon,Tue 1/2:00" },
	  { "daily\n", "daily;", "dail\xc3\xbf", "%i", "$x", "\"daily\"", "a\\", "a=b", "a#", "a[",
	    TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "0" } },
	{ "CPU list", TYPE_CPU_LIST,
	  { "", "0", "0,4", "0-1", "0-1,4 5", "8191" }, { "x", "0-", "-1", "1-0", "8192", "0,x", ",", "0x1", "1.5", "0-8192" } },
};

static void test_yes(void)
{
	static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < ELEMENTS(yes); i++)
		ok(value_is_yes(yes[i]) && !value_is_yes(no[i]), "'%s' is yes, '%s' is no", yes[i], no[i]);
}

static void test_ports_split(void)
{
	unsigned first = 0, last = 0;

	value_split_ports("27000-27999", &first, &last);
	is_int(first, 27000, "first port");
	is_int(last, 27999, "last port");
}

int main(void)
{
	for (size_t i = 0; i < ELEMENTS(grammars); i++) {
		const struct grammar *grammar = &grammars[i];

		for (size_t k = 0; k < ELEMENTS(grammar->good) && grammar->good[k]; k++)
			ok(value_is(grammar->grammar, grammar->good[k]), "%s: '%s'", grammar->name, grammar->good[k]);
		for (size_t k = 0; k < ELEMENTS(grammar->bad) && grammar->bad[k]; k++)
			ok(!value_is(grammar->grammar, grammar->bad[k]), "%s, refused: '%s'", grammar->name, grammar->bad[k]);
	}
	test_yes();
	test_ports_split();
	return done_testing();
}
