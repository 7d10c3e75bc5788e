#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
	static const char message[] = "left4me: out of memory\n";

	(void) !write(STDERR_FILENO, message, sizeof(message) - 1);
	exit(1);
}

void freep(void *pointer_to_pointer)
{
	free(take_ptr(pointer_to_pointer));
}

void *take_ptr(void *pointer_to_pointer)
{
	void *pointer;

	/* memcpy, because a char ** may not be read as a void ** */
	memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
	memset(pointer_to_pointer, 0, sizeof(pointer));
	return pointer;
}

void closep(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void) close(*fd);
	errno = saved;
}

void closedirp(DIR **directory)
{
	if (*directory)
		(void) closedir(*directory);
}

void fclosep(FILE **file)
{
	if (*file)
		(void) fclose(*file);
}

void *xrealloc(void *pointer, size_t count, size_t size)
{
	if (count > SIZE_MAX / size)
		out_of_memory();
	pointer = realloc(pointer, count * size);
	if (!pointer)
		out_of_memory();
	return pointer;
}

void *xcalloc(size_t count, size_t size)
{
	void *pointer = calloc(count, size);

	if (!pointer)
		out_of_memory();
	return pointer;
}

char *xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xrealloc(NULL, size, 1), s, size);
}

char *xvasprintf(const char *format, va_list arguments)
{
	va_list copy;
	char *string;
	int length;

	va_copy(copy, arguments);
	length = vsnprintf(NULL, 0, format, copy);
	va_end(copy);
	if (length < 0)
		out_of_memory();
	string = xrealloc(NULL, (size_t) length + 1, 1);
	(void) vsnprintf(string, (size_t) length + 1, format, arguments);
	return string;
}

char *xasprintf(const char *format, ...)
{
	va_list arguments;
	char *string;

	va_start(arguments, format);
	string = xvasprintf(format, arguments);
	va_end(arguments);
	return string;
}

char *xconcat(const char *a, const char *b, const char *c)
{
	size_t x = strlen(a), y = strlen(b), z = strlen(c);
	char *string = xrealloc(NULL, x + y + z + 1, 1);

	memcpy(string, a, x);
	memcpy(string + x, b, y);
	memcpy(string + x + y, c, z + 1);
	return string;
}

void *grow_array(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return xrealloc(array, count ? count * 2 : 1, size);
}

void sort_array(void *array, size_t count, size_t size, int (*compare)(const void *a, const void *b))
{
	const char *element = array;

	for (size_t i = 1; i < count; i++, element += size)
		if (compare(element, element + size) > 0) {
			qsort(array, count, size, compare);
			return;
		}
}

DIR *opendirat(int directory, const char *name, int flags)
{
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	DIR *opened = fd < 0 ? NULL : fdopendir(fd);

	if (!opened)
		closep(&fd);
	return opened;
}

int64_t time_of(struct timespec time)
{
	return (int64_t) time.tv_sec * USEC_PER_SEC + time.tv_nsec / 1000;
}

int64_t time_now(clockid_t clock)
{
	struct timespec now;

	(void) clock_gettime(clock, &now);
	return time_of(now);
}

int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		length -= (size_t) n;
	}
	return 0;
}

static void spill(struct text *text)
{
	int r = text->error ? 0 : write_all(text->fd, text->data, text->length);

	if (r < 0)
		text->error = -r;
	text->spilled += text->length;
	text->length = 0;
}

void text_make_room(struct text *text, size_t length)
{
	size_t capacity = text->capacity ? text->capacity : 256;

	if (text->fd >= 0 && text->length + length >= TEXT_WINDOW)
		spill(text);
	if (length > SIZE_MAX / 4)
		out_of_memory();
	while (capacity <= text->length + length)
		capacity *= 2;
	if (capacity != text->capacity)
		text->data = xrealloc(text->data, capacity, 1);
	text->capacity = capacity;
}

void text_printf(struct text *text, const char *format, ...)
{
	cleanup_free char *string = NULL;
	va_list arguments;

	va_start(arguments, format);
	string = xvasprintf(format, arguments);
	va_end(arguments);
	text_puts(text, string);
}

void text_join(struct text *text, const char *separator, const char *format, ...)
{
	cleanup_free char *string = NULL;
	va_list arguments;

	va_start(arguments, format);
	string = xvasprintf(format, arguments);
	va_end(arguments);
	if (text->length > 0)
		text_puts(text, separator);
	text_puts(text, string);
}

char *text_take(struct text *text)
{
	char *string = text->data ? take_ptr(&text->data) : xstrdup("");

	text_done(text);
	return string;
}

int text_flush(struct text *text)
{
	int error;

	if (text->fd >= 0)
		spill(text);
	error = text->error;
	text->error = 0;
	text->spilled = 0;
	text_clear(text);
	return -error;
}

int text_read(struct text *text, int fd)
{
	const size_t size = 4096;

	for (;;) {
		ssize_t n;

		text_make_room(text, size);
		text->data[text->length] = '\0';
		n = read(fd, text->data + text->length, size);
		if (n == 0)
			return 0;
		if (n > 0)
			(void) text_extend(text, (size_t) n);
		else if (errno != EINTR)
			return -errno;
	}
}

char *text_of_file(int directory, const char *path)
{
	cleanup_close int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	cleanup_text struct text text = TEXT_EMPTY;

	if (fd < 0 || text_read(&text, fd) < 0)
		return NULL;
	text_puts(&text, "");
	return text_take(&text);
}

void text_done(struct text *text)
{
	free(text->data);
	*text = TEXT_EMPTY;
}
