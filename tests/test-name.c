/* name.h: names, ids, decimal numbers, printable UTF-8, paths (F21; S109: what reaches unit files and sudoers). */
#include "name.h"

#include <inttypes.h>

#include "base.h"
#include "tap.h"

#define CHARACTERS_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_names(void)
{
	static const struct {
		const char *name;
		bool valid;
	} rows[] = {
		{ "2", true }, { "a", true }, { "alpha", true }, { "a-b_c", true }, { "0-", true }, { "a__", true },
		{ CHARACTERS_64, true },
		{ "", false }, { CHARACTERS_64 "0", false }, { CHARACTERS_64 CHARACTERS_64, false },
		{ "-a", false }, { "_a", false }, { ".", false }, { "..", false }, { "../x", false }, { "a/b", false },
		{ "a.b", false }, { "A", false }, { "aB", false }, { "a b", false }, { " a", false }, { "a ", false },
		{ "a\n", false }, { "a\tb", false }, { "a%i", false }, { "a$b", false }, { "a@b", false },
		{ "a\\x2d", false }, { "a:b", false }, { "a*", false }, { "\xc3\xa9", false }, { "a\xff", false },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		ok(valid_name(rows[i].name) == rows[i].valid, "name '%s' is %s", rows[i].name,
		   rows[i].valid ? "valid" : "refused");
}

static void test_every_character(void)
{
	unsigned first = 0, later = 0;

	for (int c = 1; c < 256; c++) {
		bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		char one[] = { (char) c, '\0' }, two[] = { 'a', (char) c, '\0' };

		first += valid_name(one) != alphanumeric;
		later += valid_name(two) != (alphanumeric || c == '_' || c == '-');
	}
	is_int(first, 0, "each byte as the first of a name");
	is_int(later, 0, "each byte as the second of a name");
}

static void test_numbers(void)
{
	static const struct {
		const char *text;
		int64_t min, max;
		bool valid;
		int64_t number;
	} rows[] = {
		{ "0", 0, 9, true, 0 }, { "7", 0, 9, true, 7 }, { "9", 0, 9, true, 9 },
		{ "27015", 27000, 27999, true, 27015 },
		{ "9223372036854775807", 1, INT64_MAX, true, INT64_MAX },
		{ "10", 0, 9, false, 0 }, { "26999", 27000, 27999, false, 0 }, { "28000", 27000, 27999, false, 0 },
		{ "9223372036854775808", 0, INT64_MAX, false, 0 }, { "9223372036854775810", 0, INT64_MAX, false, 0 },
		{ "18446744073709551617", 0, INT64_MAX, false, 0 },
		{ "99999999999999999999999999", 0, INT64_MAX, false, 0 },
		{ "", 0, 9, false, 0 }, { "00", 0, 9, false, 0 }, { "07", 0, 9, false, 0 }, { "+7", 0, 9, false, 0 },
		{ "-7", INT64_MIN, 9, false, 0 }, { " 7", 0, 9, false, 0 }, { "7 ", 0, 9, false, 0 },
		{ "7\n", 0, 9, false, 0 }, { "0x7", 0, 9, false, 0 }, { "1e1", 0, 99, false, 0 },
		{ "7.0", 0, 9, false, 0 }, { "a", 0, 99, false, 0 }, { "/", INT64_MIN, 9, false, 0 },
		{ ":", 0, 99, false, 0 },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		int64_t number = -1;
		bool valid = parse_decimal(rows[i].text, rows[i].min, rows[i].max, &number);

		ok(valid == rows[i].valid && number == (valid ? rows[i].number : -1),
		   "'%s' within %" PRId64 "..%" PRId64 "%s", rows[i].text, rows[i].min, rows[i].max,
		   rows[i].valid ? "" : " is refused, the result left alone");
	}
}

static void test_ids(void)
{
	int64_t id = -1;

	ok(!parse_id("0", &id) && !parse_id("-1", &id) && !parse_id("01", &id) && !parse_id("", &id) && id == -1,
	   "no id: 0, -1, 01, nothing");
	ok(parse_id("1", &id) && id == 1, "id 1");
	ok(parse_id("9223372036854775807", &id) && id == INT64_MAX, "id 2^63-1");
	ok(!parse_id("9223372036854775808", &id), "no id: 2^63");
}

static void test_texts(void)
{
	static const struct {
		const char *text;
		size_t length;
		bool valid;
	} rows[] = {
#define TEXT(text) text, sizeof(text) - 1
		{ TEXT(""), true }, { TEXT("plain ~"), true }, { TEXT("Z\xc3\xbcrich \xe6\x9d\xb1\xe4\xba\xac"), true },
		{ TEXT("\xc2\xa0"), true }, { TEXT("\xdf\xbf"), true }, { TEXT("\xe0\xa0\x80"), true },
		{ TEXT("\xed\x9f\xbf"), true }, { TEXT("\xee\x80\x80"), true }, { TEXT("\xef\xbf\xbf"), true },
		{ TEXT("\xf0\x90\x80\x80"), true }, { TEXT("\xf4\x8f\xbf\xbf"), true },
		{ TEXT("a\0b"), false }, { TEXT("\0"), false }, { TEXT("a\n"), false }, { TEXT("\r"), false },
		{ TEXT("\t"), false }, { TEXT("\x1b[0m"), false }, { TEXT("\x7f"), false }, { TEXT("\xc2\x80"), false },
		{ TEXT("\xc2\x85"), false }, { TEXT("\xc2\x9f"), false },
		{ TEXT("\x80"), false }, { TEXT("\xbf"), false }, { TEXT("\xff"), false }, { TEXT("\xc3"), false },
		{ TEXT("\xc3("), false }, { TEXT("\xe2\x82"), false }, { TEXT("\xf0\x9f\x8e"), false },
		{ TEXT("\xc0\xaf"), false }, { TEXT("\xc1\xbf"), false }, { TEXT("\xe0\x9f\xbf"), false },
		{ TEXT("\xed\xa0\x80"), false }, { TEXT("\xed\xbf\xbf"), false }, { TEXT("\xf0\x8f\xbf\xbf"), false },
		{ TEXT("\xf4\x90\x80\x80"), false }, { TEXT("\xf5\x80\x80\x80"), false },
		{ TEXT("\xe2\x28\xa1"), false }, { TEXT("\xe2\x82\x28"), false }, { TEXT("\xf0\x9f\x8e\x28"), false },
#undef TEXT
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		ok(valid_text(rows[i].text, rows[i].length) == rows[i].valid, "text %zu, '%s', is %s", i, rows[i].text,
		   rows[i].valid ? "valid" : "refused");
}

/* A cut never makes it read beyond: the copy ends where the sanitizer looks. */
static void test_cut_characters(void)
{
	static const char whole[] = "\xf0\x9f\x8e\xae";
	unsigned wrong = 0;

	for (size_t left = 0; left <= 4; left++) {
		cleanup_free char *copy = xrealloc(NULL, left + !left, 1);

		memcpy(copy, whole, left);
		wrong += character_length(copy, left) != (left == 4 ? 4 : 0);
	}
	is_int(wrong, 0, "a character of four bytes, cut anywhere");
}

/* Every character of Unicode against a second way of deciding. */
static void test_all_of_unicode(void)
{
	unsigned wrong = 0;

	for (unsigned c = 0; c < 0x110000; c++) {
		char s[4];
		size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		bool printable = c >= 0x20 && (c < 0x7f || c >= 0xa0) && (c < 0xd800 || c > 0xdfff);

		for (size_t i = n; i-- > 1; )
			s[i] = (char) (0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
		s[0] = n == 1 ? (char) c : (char) ((0xf00 >> n & 0xff) | c >> 6 * (n - 1));
		wrong += character_length(s, n) != (printable ? n : 0);
		wrong += valid_text(s, n) != printable;
	}
	is_int(wrong, 0, "each of 1 114 112 code points");
}

static void test_paths(void)
{
	static const struct {
		const char *path;
		bool valid;
	} rows[] = {
		{ "/a", true }, { "/var/lib/left4me", true }, { "/a/.b", true }, { "/a/..b", true }, { "/a/...", true },
		{ "", false }, { "/", false }, { "a", false }, { "//", false }, { "/a/", false }, { "/a//b", false },
		{ "//a", false }, { "/.", false }, { "/..", false }, { "/a/.", false }, { "/a/..", false },
		{ "/a/../b", false }, { "/./a", false }, { "./a", false },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		ok(valid_path(rows[i].path) == rows[i].valid, "path '%s' is %s", rows[i].path,
		   rows[i].valid ? "valid" : "refused");
}

static void test_below(void)
{
	static const struct {
		const char *path, *directory, *below;
	} rows[] = {
		{ "/srv/a", "/srv", "a" }, { "/srv/a/b", "/srv", "a/b" }, { "/srv/a/b", "/srv/a", "b" }, { "/srv", "/srv", "" },
		{ "/srvx", "/srv", NULL }, { "/srvx/a", "/srv", NULL }, { "/sr", "/srv", NULL }, { "/var/srv", "/srv", NULL },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		const char *below = path_below(rows[i].path, rows[i].directory);

		is_str(below ? below : "(elsewhere)", rows[i].below ? rows[i].below : "(elsewhere)", "'%s' below '%s'",
		       rows[i].path, rows[i].directory);
	}
}

int main(void)
{
	test_names();
	test_every_character();
	test_numbers();
	test_ids();
	test_texts();
	test_cut_characters();
	test_all_of_unicode();
	test_paths();
	test_below();
	return done_testing();
}
