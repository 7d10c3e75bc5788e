/*
 * config-file.h: one configuration file: which are refused as a whole, and what libinih gets to
 * see of the others: it cuts long lines and still delivers the value, and takes indented lines for more of the same key.
 */
#include "config-file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env-file.h"
#include "tap.h"

static char directory[] = "/tmp/left4me-test-XXXXXX";

/* All lines of the report, to be freed. */
static char *lines_of(struct report *report)
{
	struct text out = TEXT_EMPTY;

	text_puts(&out, "");
	report_write(report, &out);
	report_done(report);
	return out.data;
}

/* --- reading --------------------------------------------------------------------------------------------- */

static char *make_file(const char *name, const char *bytes, size_t length, mode_t mode)
{
	char *path = xasprintf("%s/%s", directory, name);
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write_all(fd, bytes, length) < 0 || fchmod(fd, mode) < 0)
		perror(path);
	return path;
}

static void is_read(const char *path, bool may_be_missing, bool root_owned, const char *text, const char *report_text,
		    const char *name)
{
	struct report report = { 0 };
	cleanup(config_file_freep) char *got = config_file_read(path, "FILE", may_be_missing, root_owned, &report);
	cleanup_free char *lines = lines_of(&report);

	if (text && strlen(text) > 100)
		ok(got && strcmp(got, text) == 0, "%s: the text", name);
	else
		is_str(got, text, "%s: the text", name);
	is_str(lines, report_text, "%s: the report", name);
}

/* Only what this test has made: names in its own directory, nothing that it was merely given to read. */
static void remove_file(char **path)
{
	const size_t length = strlen(directory);

	if (strncmp(*path, directory, length) == 0 && (*path)[length] == '/')
		(void) unlink(*path);
	freep(path);
}

static void test_read(void)
{
	static char big[CONFIG_FILE_MAX + 2];
	cleanup_free char *missing = xasprintf("%s/missing", directory);

	memset(big, '#', CONFIG_FILE_MAX);
	const struct {
		const char *name, *bytes;
		size_t length;
		const char *text, *report;
	} rows[] = {
		{ "a file", "x = 1\n", 6, "x = 1\n", "" },
		{ "an empty file", "", 0, "", "" },
		{ "a NUL", "x = 1\n\0y = 2\n", 13, NULL, "FILE: holds a NUL byte; the whole file is ignored\n" },
		{ "a NUL at the end", "x = 1\n\0", 7, NULL, "FILE: holds a NUL byte; the whole file is ignored\n" },
		{ "as many bytes as may be", big, CONFIG_FILE_MAX, big, "" },
		{ "one byte too many", big, CONFIG_FILE_MAX + 1, NULL,
		  "FILE: is larger than 65536 bytes; the whole file is ignored\n" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		cleanup(remove_file) char *path = make_file("file", rows[i].bytes, rows[i].length, 0644);

		is_read(path, false, false, rows[i].text, rows[i].report, rows[i].name);
	}
	is_read(missing, true, false, NULL, "", "a missing file");
	is_read(missing, false, false, NULL, "FILE: No such file or directory\n", "a missing file that must be there");
}

static void test_read_other_kinds(void)
{
	cleanup(remove_file) char *fifo = xasprintf("%s/fifo", directory);
	cleanup(remove_file) char *link = xasprintf("%s/link", directory);

	(void) mkfifo(fifo, 0644);
	(void) !symlink("gone", link);
	is_read(fifo, false, false, NULL, "FILE: is not a regular file; the whole file is ignored\n", "a FIFO");
	is_read(directory, true, false, NULL, "FILE: is not a regular file; the whole file is ignored\n", "a directory");
	is_read(link, true, false, NULL, "", "a link to nothing");
}

static void test_read_owners(void)
{
	static const struct {
		const char *name;
		mode_t mode;
		uid_t owner;
		const char *reason;    /* NULL: taken */
	} rows[] = {
		{ "root's, 0644", 0644, 0, NULL }, { "root's, 0640", 0640, 0, NULL }, { "root's, 0600", 0600, 0, NULL },
		{ "root's, 0664", 0664, 0, "is group- or world-writable" },
		{ "root's, 0646", 0646, 0, "is group- or world-writable" },
		{ "another's, 0644", 0644, 980, "is not owned by root" },
		{ "another's, 0666", 0666, 980, "is not owned by root" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		cleanup(remove_file) char *path = make_file("owned", "x", 1, rows[i].mode);
		cleanup_free char *report = rows[i].reason
			? xasprintf("FILE: %s; the whole file is ignored\n", rows[i].reason) : xstrdup("");

		if (chown(path, rows[i].owner, 0) < 0) {
			skip("needs root", rows[i].name);
			continue;
		}
		is_read(path, true, true, rows[i].reason ? NULL : "x", report, rows[i].name);
	}
}

/* --- ini files ------------------------------------------------------------------------------------------- */

static bool known_section(const char *section)
{
	return strcmp(section, "host") == 0 || strcmp(section, "game") == 0;
}

static void note(void *userdata, const char *section, const char *key, const char *value, const char *where)
{
	text_printf(userdata, "%s %s/%s=<%s>\n", where, section, key, value);
}

static void note_env(void *userdata, const char *key, const char *value, const char *where)
{
	text_printf(userdata, value ? "%s %s=<%s>\n" : "%s %s\n", where, key, value);
}

static void is_ini(const char *text, const char *keys, const char *report_text, const char *name)
{
	cleanup_text struct text out = TEXT_EMPTY;
	const struct ini_handler handler = { known_section, note, &out };
	cleanup_free char *lines = NULL;
	struct report report = { 0 };

	text_puts(&out, "");
	config_file_parse_ini(text, "F", &handler, &report);
	lines = lines_of(&report);
	is_str(out.data, keys, "%s: keys", name);
	is_str(lines, report_text, "%s: report", name);
}

static void test_ini(void)
{
	static const struct {
		const char *name, *text, *keys, *report;
	} rows[] = {
		{ "nothing", "", "", "" },
		{ "a key", "[host]\nroot = /a\n", "F:2 host/root=</a>\n", "" },
		{ "no newline at the end", "[host]\nroot = /a", "F:2 host/root=</a>\n", "" },
		{ "blank lines and comments", "\n# c\n\n; c\n[host]\n\n#root = /b\n;root = /c\nroot = /a\n", "F:9 host/root=</a>\n", "" },
		{ "a comment behind the value", "[host]\nroot = /a ; c\n", "F:2 host/root=</a>\n", "" },
		{ "a semicolon in the value", "[host]\nroot = /a;c\n", "F:2 host/root=</a;c>\n", "" },
		{ "no blanks, many blanks", "[host]\nroot=/a\n  user \t= \t b  \n", "F:2 host/root=</a>\nF:3 host/user=<b>\n", "" },
		{ "an indented line is a line of its own", "[host]\nroot = /a\n   user = b\n\tgroup = c\n",
		  "F:2 host/root=</a>\nF:3 host/user=<b>\nF:4 host/group=<c>\n", "" },
		{ "CRLF", "[host]\r\nroot = /a\r\n\r\n[game]\r\nnice = 1\r\n", "F:2 host/root=</a>\nF:5 game/nice=<1>\n", "" },
		{ "a byte order mark", "\xef\xbb\xbf[host]\nroot = /a\n", "F:2 host/root=</a>\n", "" },
		{ "an empty value", "[host]\nsystem_cpus =\n", "F:2 host/system_cpus=<>\n", "" },
		{ "an equals sign in the value", "[host]\nroot = /a=b:c\n", "F:2 host/root=</a=b:c>\n", "" },
		{ "a colon for an equals sign", "[host]\nroot: /a\n", "F:2 host/root=</a>\n", "" },
		{ "a key twice", "[host]\nroot = /a\nroot = /b\n", "F:2 host/root=</a>\nF:3 host/root=</b>\n", "" },
		{ "a section twice", "[host]\na = 1\n[game]\nb = 2\n[host]\nc = 3\n",
		  "F:2 host/a=<1>\nF:4 game/b=<2>\nF:6 host/c=<3>\n", "" },
		{ "an unknown section", "[hots]\nroot = /a\n[host]\nuser = b\n", "F:4 host/user=<b>\n", "F:1: unknown section [hots]\n" },
		{ "a section without its end", "[host\nroot = /a\n[host]\nuser = b\n", "F:4 host/user=<b>\n",
		  "F:1: the section's name has no ']'\n" },
		{ "a line that is nothing", "[host]\nroot\nuser = b\n", "F:3 host/user=<b>\n",
		  "F:2: 'root' is neither a section, a key nor a comment\n" },
		{ "several faults", "[x]\n[host]\nfoo\n[y]\nuser = b\nbar\n", "",
		  "F:1: unknown section [x]\nF:3: 'foo' is neither a section, a key nor a comment\n"
		  "F:4: unknown section [y]\nF:6: 'bar' is neither a section, a key nor a comment\n" },
		{ "a control character", "[host]\nro\x1bot\n", "", "F:2: 'ro\\x1bot' is neither a section, a key nor a comment\n" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_ini(rows[i].text, rows[i].keys, rows[i].report, rows[i].name);
}

/* A line of exactly the limit passes whole; one byte more costs this line and no other. */
static void test_long_lines(void)
{
	struct report report = { 0 };
	cleanup_text struct text probe = TEXT_EMPTY;
	const struct ini_handler handler = { known_section, note, &probe };
	cleanup_free char *line = xcalloc(5001, 1), *lines = NULL;
	int limit = 0;

	memset(line, 'x', 5000);
	memcpy(line, "a=", 2);
	text_puts(&probe, "");
	config_file_parse_ini(line, "F", &handler, &report);
	lines = lines_of(&report);
	is_str(probe.data, "", "5000 bytes: no key");
	ok(sscanf(lines, "F:1: the line is longer than %d bytes", &limit) == 1 && limit >= 190, "%d bytes are allowed", limit);
	for (int more = 0; more < 2; more++) {
		cleanup_free char *text = xasprintf("[host]\n  %.*s  \nb = 2\n", limit + more, line);
		cleanup_free char *keys = xasprintf("F:2 host/a=<%.*s>\nF:3 host/b=<2>\n", limit - 2, line + 2);
		cleanup_free char *fault = xasprintf("F:2: the line is longer than %d bytes\n", limit);

		is_ini(text, more ? "F:3 host/b=<2>\n" : keys, more ? fault : "", more ? "a byte too long" : "the limit");
	}
	for (int more = 0; more < 2; more++) {
		cleanup_free char *text = xasprintf("[host]\n[%.*s]\nb = 2\n", limit - 2 + more, line);
		cleanup_free char *fault = more ? xasprintf("F:2: the line is longer than %d bytes\n", limit)
						: xasprintf("F:2: unknown section [%.*s]\n", limit - 2, line);

		/* what follows is not the section's before */
		is_ini(text, "", fault, more ? "a section's line a byte too long" : "a long section");
	}
}

static void test_env(void)
{
	static const struct {
		const char *name, *text, *keys;
	} rows[] = {
		{ "nothing", "", "" },
		{ "a variable", "A=1\n", "F:1 A=<1>\n" },
		{ "no newline at the end", "A=1\nB=2", "F:1 A=<1>\nF:2 B=<2>\n" },
		{ "blank lines, comments, others", "\n# A=1\n ; A=1\nfoo\n  A = 1  \n", "F:4 foo\nF:5 A=<1>\n" },
		{ "quotes", "A=\"1 2\"\nB='3'\nC=\"\"\nF=\"it's\"\n", "F:1 A=<1 2>\nF:2 B=<3>\nF:3 C=<>\nF:4 F=<it's>\n" },
		{ "parts", "A=\"1\" '2'  3 ' \nB='1'\"2\"\n", "F:1 A=<123 '>\nF:2 B=<12>\n" },
		{ "a value over lines", "A=\"1\nB=2\n\"\nC='\nD=1'\nE=1\n", "F:1 A=<1\nB=2\n>\nF:4 C=<\nD=1>\nF:6 E=<1>\n" },
		{ "a continued line", "A=1\\\nB=2\nC=\"1\\\nD=2\"\n", "F:1 A=<1B=2>\nF:3 C=<1D=2>\n" },
		{ "no comment is continued", "# A\\\nB=1\n", "F:2 B=<1>\n" },
		{ "escapes", "A=\\\"1\\ \\ \nB=\"\\$ \\n \\\" \\\\\"\nC='\\n'\n", "F:1 A=<\"1  >\nF:2 B=<$ \\n \" \\>\nF:3 C=<\\n>\n" },
		{ "quotes without end", "A=\"1\nB=2\n", "F:1 A=<1\nB=2\n>\n" },
		{ "an escape at the end", "A=1\\", "F:1 A=<1>\n" },
		{ "an equals sign in the value", "URL=sqlite:////a?b=c\n", "F:1 URL=<sqlite:////a?b=c>\n" },
		{ "CRLF", "A=1\r\nB=2\r\n", "F:1 A=<1>\nF:2 B=<2>\n" },
		{ "an empty value", "A=\n", "F:1 A=<>\n" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		cleanup_text struct text out = TEXT_EMPTY;

		text_puts(&out, "");
		env_file_parse(rows[i].text, "F", note_env, &out);
		is_str(out.data, rows[i].keys, "environment: %s", rows[i].name);
	}
}

static void test_wiped(void)
{
	char *text = xstrdup("SECRET_KEY=x");

	config_file_freep(&text);
	ok(text == NULL, "freed");
	config_file_freep(&text);
	ok(text == NULL, "nothing to free");
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	test_read();
	test_read_other_kinds();
	test_read_owners();
	test_ini();
	test_long_lines();
	test_env();
	test_wiped();
	(void) rmdir(directory);
	return done_testing();
}
