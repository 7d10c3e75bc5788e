/* base.h: the growing text and its window onto a file (a full disk must not leave a shortened unit), arrays, cleanup. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static void test_text(void)
{
	cleanup_text struct text text = TEXT_EMPTY;
	cleanup_free char *expected = xcalloc(100001, 1);

	text_append(&text, "", 0);
	is_str(text.data, "", "nothing, ended by NUL");
	text_puts(&text, "abc");
	text_putc(&text, 'd');
	text_append(&text, "e\0f", 3);
	text_printf(&text, "%d %s", 5, "x");
	ok(text.length == 10 && memcmp(text.data, "abcde\0f5 x", 11) == 0, "appended, ended by NUL");
	text_clear(&text);
	for (int i = 0; i < 100000; i++) {
		expected[i] = (char) ('a' + i % 26);
		text_putc(&text, expected[i]);
	}
	ok(text.length == 100000 && strcmp(text.data, expected) == 0, "100 000 characters one by one");
	text_clear(&text);
	for (size_t i = 0, done = 0; i < 447; done += i++)
		text_append(&text, expected + done, i);
	ok(text.length == 446 * 447 / 2 && strncmp(text.data, expected, text.length) == 0 && !text.data[text.length],
	   "pieces of each length from 0 to 446");
	text_done(&text);
	ok(text.data == NULL && text.length == 0 && text.fd == -1, "empty again");
}

/* As a string, borrowed and handed over, before and after something was appended. */
static void test_text_as_string(void)
{
	cleanup_text struct text text = TEXT_EMPTY;
	char *taken;

	is_str(text_string(&text), "", "a text without memory is an empty string");
	taken = text_take(&text);
	is_str(taken, "", "and is taken as one that the caller owns");
	freep(&taken);
	text_clear(&text);
	ok(text.data == NULL && text.length == 0, "and stays without memory when cleared");
	text_puts(&text, "abc");
	is_str(text_string(&text), "abc", "a text as a string");
	text_clear(&text);
	ok(text.length == 0 && text.data != NULL, "cleared, with its memory for the next");
	is_str(text_string(&text), "", "and empty as a string");
	text_puts(&text, "xy");
	taken = text_take(&text);
	is_str(taken, "xy", "taken");
	ok(text.data == NULL && text.length == 0 && text.capacity == 0 && text.fd == -1, "and nothing is left of it");
	freep(&taken);
	text_puts(&text, "z");
	is_str(text_string(&text), "z", "and can be used again");
}

static unsigned compared;

static int compare_pairs(const void *a, const void *b)
{
	compared++;
	return ((const int *) a)[0] - ((const int *) b)[0];
}

/* Sorted ones are looked at once and not touched; equal ones of those keep their order. */
static void test_sort_array(void)
{
	static const size_t counts[] = { 0, 1, 2, 3, 10, 1000 };

	for (size_t i = 0; i < ELEMENTS(counts); i++)
		for (int kind = 0; kind < 4; kind++) {
			size_t count = counts[i], sum = 0;
			cleanup_free int (*pairs)[2] = xcalloc(count + 1, sizeof(*pairs));
			bool sorted = true;

			for (size_t k = 0; k < count; k++) {
				pairs[k][0] = (int[]){ (int) k, (int) (k / 3), (int) (count - k), (int) (k * 7919 % 1000) }[kind];
				pairs[k][1] = (int) k;
			}
			pairs[count][1] = -1;
			compared = 0;
			sort_array(pairs, count, sizeof(*pairs), compare_pairs);
			for (size_t k = 0; k < count; k++) {
				sorted = sorted && (k == 0 || pairs[k - 1][0] <= pairs[k][0]);
				sorted = sorted && (kind > 1 || pairs[k][1] == (int) k);
				sum += (size_t) pairs[k][1];
			}
			ok(sorted && sum == count * (count - !!count) / 2 && pairs[count][1] == -1, "%zu elements of kind %d sorted",
			   count, kind);
			ok(kind > 1 || compared == count - !!count, "with %u comparisons", compared);
		}
}

static char *PRINTF_LIKE(1, 2) format(const char *format_string, ...)
{
	va_list arguments;
	char *string;

	va_start(arguments, format_string);
	string = xvasprintf(format_string, arguments);
	va_end(arguments);
	return string;
}

/* As many bytes as given, in pieces of each size; what is read back must be the same. */
static void test_window(size_t total, size_t piece)
{
	cleanup_text struct text text = TEXT_EMPTY;
	cleanup_free char *bytes = xcalloc(total + 1, 1), *back = xcalloc(total + 2, 1);
	FILE *file = tmpfile();
	size_t most = 0;

	for (size_t i = 0; i < total; i++)
		bytes[i] = (char) ('a' + i % 23);
	text.fd = fileno(file);
	for (size_t i = 0; i < total; i += piece) {
		text_append(&text, bytes + i, total - i < piece ? total - i : piece);
		most = text.capacity > most ? text.capacity : most;
	}
	is_int(text_flush(&text), 0, "%zu bytes in pieces of %zu: written", total, piece);
	is_int((long long) text.length, 0, "and gone from memory");
	ok(pread(text.fd, back, total + 1, 0) == (ssize_t) total && strcmp(back, bytes) == 0, "and the same");
	ok(most <= 2 * (TEXT_WINDOW > piece ? TEXT_WINDOW : piece), "in a window of %zu", most);
	(void) fclose(file);
}

/* A text of nothing is a string too, and a descriptor that cannot be read is an error. */
static void test_text_read(void)
{
	static const size_t totals[] = { 0, 1, 4095, 4096, 4097, 100000 };
	cleanup_text struct text nothing = TEXT_EMPTY;

	for (size_t i = 0; i < ELEMENTS(totals); i++) {
		cleanup_text struct text text = TEXT_EMPTY;
		cleanup_free char *bytes = xcalloc(totals[i] + 1, 1);
		FILE *file = tmpfile();

		memset(bytes, 'b', totals[i]);
		(void) !write(fileno(file), bytes, totals[i]);
		rewind(file);
		text_puts(&text, i % 2 ? "a" : "");
		is_int(text_read(&text, fileno(file)), 0, "%zu bytes read", totals[i]);
		ok(text.length == totals[i] + i % 2 && strcmp(text.data + i % 2, bytes) == 0, "and appended");
		(void) fclose(file);
	}
	is_int(text_read(&nothing, -1), -EBADF, "what is not open is an error");
	is_str(nothing.data, "", "and leaves a string");
}

/* The first failure is kept to the end, and the text serves the next file. */
static void test_full_disk(void)
{
	cleanup_text struct text text = TEXT_EMPTY;
	cleanup_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (full < 0) {
		skip("no /dev/full", "a full disk");
		return;
	}
	text.fd = full;
	text_puts(&text, "x");
	is_int(text_flush(&text), -ENOSPC, "a full disk, seen at the end");
	is_int(text_flush(&text), 0, "reported once");
	for (int i = 0; i < 3 * TEXT_WINDOW; i++)
		text_putc(&text, 'x');
	text.fd = null;
	is_int(text_flush(&text), -ENOSPC, "a full disk, seen in between");
	text_puts(&text, "x");
	is_int(text_flush(&text), 0, "the next file is fine");
	text.fd = 99999;
	text_puts(&text, "x");
	is_int(text_flush(&text), -EBADF, "no such descriptor");
	text.fd = -1;
	is_int(write_all(full, "x", 1), -ENOSPC, "write_all() to a full disk");
	is_int(write_all(full, "", 0), 0, "write_all() of nothing");
}

/* A reader that takes little at a time. */
static void test_write_all(void)
{
	size_t size = 300000, sum = 0;
	cleanup_free char *bytes = xcalloc(size, 1);
	int ends[2], status;
	pid_t pid;

	if (pipe(ends) < 0)
		return;
	(void) fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void) close(ends[0]);
		_exit(write_all(ends[1], bytes, size) != 0);
	}
	(void) close(ends[1]);
	for (ssize_t n; (n = read(ends[0], bytes, 1000)) > 0; )
		sum += (size_t) n;
	(void) close(ends[0]);
	(void) waitpid(pid, &status, 0);
	ok(status == 0 && sum == size, "write_all() into a pipe");
}

/* A file that takes a part: the rest is tried, and fails, not forgotten. */
static void test_short_write(void)
{
	cleanup_free char *bytes = xcalloc(3000, 1);
	FILE *file = tmpfile();
	int status = -1;
	pid_t pid;

	(void) fflush(stdout);
	pid = fork();
	if (pid == 0) {
		const struct rlimit limit = { 1000, 1000 };

		(void) signal(SIGXFSZ, SIG_IGN);
		(void) setrlimit(RLIMIT_FSIZE, &limit);
		_exit(write_all(fileno(file), bytes, 3000) == -EFBIG ? 0 : 1);
	}
	(void) waitpid(pid, &status, 0);
	is_int(status, 0, "write_all() cut short by a limit");
	(void) fclose(file);
}

static void test_memory(void)
{
	char *string = xstrdup("x"), *taken;
	int *array = NULL;
	bool kept = true;

	taken = take_ptr(&string);
	ok(string == NULL && strcmp(taken, "x") == 0, "take_ptr()");
	freep(&taken);
	ok(taken == NULL, "freep()");
	freep(&taken);
	for (int i = 0; i < 1000; i++) {
		array = grow_array(array, (size_t) i, sizeof(*array));
		array[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		kept = kept && array[i] == i;
	ok(kept, "grow_array()");
	free(array);
	string = xasprintf("%s-%05d", "a", 42);
	is_str(string, "a-00042", "xasprintf()");
	freep(&string);
	string = format("%s|%c|%zu", "b", 'x', (size_t) 7);
	is_str(string, "b|x|7", "xvasprintf()");
	freep(&string);
	string = format("%5000s|%s", "x", "end");      /* the arguments are read twice: for the length, then the text */
	ok(strlen(string) == 5004 && strcmp(string + 4999, "x|end") == 0, "xvasprintf() of 5004 bytes");
	freep(&string);
	string = xconcat("a", "", "bc");
	is_str(string, "abc", "xconcat()");
	freep(&string);
	string = xcalloc(3, 5);
	ok(memcmp(string, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15) == 0, "xcalloc()");
	freep(&string);
}

static void test_closep(void)
{
	int fd = dup(STDOUT_FILENO), none = -1;

	errno = EXDEV;
	closep(&fd);
	ok(errno == EXDEV && fcntl(fd, F_GETFD) < 0, "closep() closes");
	errno = EXDEV;
	closep(&fd);
	is_int(errno, EXDEV, "closep() keeps errno");
	closep(&none);
	is_int(errno, EXDEV, "closep() of none");
}

/* One line and status 1, from a child of this test's own. */
static void test_out_of_memory(void)
{
	char line[100] = "";
	int ends[2], status;
	ssize_t length;
	pid_t pid;

	if (pipe(ends) < 0)
		return;
	(void) fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void) dup2(ends[1], STDERR_FILENO);
		(void) close(ends[0]);
		free(xrealloc(NULL, SIZE_MAX / 2, 3));
		_exit(0);
	}
	(void) close(ends[1]);
	length = read(ends[0], line, sizeof(line) - 1);
	(void) close(ends[0]);
	(void) waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "more memory than there can be ends the program");
	ok(length > 0 && strchr(line, '\n') == line + length - 1, "with one line");
}

int main(void)
{
	static const size_t sizes[] = { 0, 1, 1023, 1024, 1025, TEXT_WINDOW - 1, TEXT_WINDOW, TEXT_WINDOW + 1, 200000 };
	static const size_t pieces[] = { 1, 7, 1024, TEXT_WINDOW - 1, TEXT_WINDOW, 150000 };

	test_text();
	test_text_as_string();
	test_sort_array();
	for (size_t i = 0; i < ELEMENTS(sizes); i++)
		for (size_t k = 0; k < ELEMENTS(pieces); k++)
			test_window(sizes[i], pieces[k]);
	test_text_read();
	test_full_disk();
	test_write_all();
	test_short_write();
	test_memory();
	test_closep();
	test_out_of_memory();
	return done_testing();
}
