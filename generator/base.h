/*
 * What every part uses: cleanup attributes, allocation that ends the program instead of failing,
 * and a growing text. The programs are one-shot and write last, so "out of memory" may exit.
 */
#pragma once

#include <dirent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define PRINTF_LIKE(string, first) __attribute__((format(printf, string, first)))

/* A variable with cleanup(f) is given to f(&variable) where it goes out of scope. */
#define cleanup(f) __attribute__((cleanup(f)))
#define cleanup_free cleanup(freep)
#define cleanup_close cleanup(closep)
#define cleanup_closedir cleanup(closedirp)
#define cleanup_fclose cleanup(fclosep)
#define cleanup_text cleanup(text_done)

void freep(void *pointer_to_pointer);
void closep(const int *fd);            /* closes fd unless it is negative; keeps errno */
void closedirp(DIR **directory);
void fclosep(FILE **file);

/* Hands ownership on: returns what the pointer held and leaves NULL in it. */
void *take_ptr(void *pointer_to_pointer);

/* All of these end the program with one line and status 1 when memory is out. */
void *xrealloc(void *pointer, size_t count, size_t size);
void *xcalloc(size_t count, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *format, ...) PRINTF_LIKE(1, 2);
char *xconcat(const char *a, const char *b, const char *c);    /* the three in one string */
char *xvasprintf(const char *format, va_list arguments) PRINTF_LIKE(1, 0);

/* What follows `start` at the beginning of the text, and where `end` begins at its end; NULL where it is not there. */
static inline const char *startswith(const char *text, const char *start)
{
	size_t length = strlen(start);

	return strncmp(text, start, length) == 0 ? text + length : NULL;
}

static inline const char *endswith(const char *text, const char *end)
{
	size_t length = strlen(text), rest = strlen(end);

	return length >= rest && strcmp(text + length - rest, end) == 0 ? text + length - rest : NULL;
}

/* An editor's mark of UTF-8 at the beginning of a text, which systemd passes over, too. */
static inline const char *behind_byte_order_mark(const char *text)
{
	const char *rest = startswith(text, "\xef\xbb\xbf");

	return rest ? rest : text;
}

/* Where the next line of the text begins; its end after the last one. */
static inline const char *line_after(const char *line)
{
	line += strcspn(line, "\n");
	return line + (*line == '\n');
}

/* Makes room for one more element in an array that has `count` of them; capacities are powers of two. */
void *grow_array(void *array, size_t count, size_t size);

/* qsort(3) for what is mostly sorted already, as rows are: then it is one look at each element. */
void sort_array(void *array, size_t count, size_t size, int (*compare)(const void *a, const void *b));

/*
 * A text that grows. With fd >= 0 it is a window of at most TEXT_WINDOW bytes onto that file: what does not fit
 * is written there, and the first failure is kept in `error` (an errno value) until text_flush().
 * data is NULL until something is appended, then always NUL-terminated.
 */
struct text {
	char *data;
	size_t length;
	size_t capacity;
	int fd;
	size_t spilled;                /* bytes that went to the file already */
	int error;
};

#define TEXT_WINDOW (64 * 1024)
#define TEXT_EMPTY ((struct text){ .fd = -1 })

/* Where the next `length` bytes will fit, with a NUL behind them. */
void text_make_room(struct text *text, size_t length);

/* Makes the text `length` bytes longer and returns where they begin, for the caller to write them. */
static inline char *text_extend(struct text *text, size_t length)
{
	if (length >= text->capacity - text->length)
		text_make_room(text, length);
	text->length += length;
	text->data[text->length] = '\0';
	return text->data + text->length - length;
}

static inline void text_append(struct text *text, const char *bytes, size_t length)
{
	memcpy(text_extend(text, length), bytes, length);
}

static inline void text_puts(struct text *text, const char *string)
{
	text_append(text, string, strlen(string));
}

static inline void text_putc(struct text *text, char c)
{
	text_append(text, &c, 1);
}

static inline void text_clear(struct text *text)
{
	text->length = 0;
	if (text->data)
		text->data[0] = '\0';
}

/* The text as a string, borrowed; "" while nothing was appended. */
static inline const char *text_string(const struct text *text)
{
	return text->data ? text->data : "";
}

void text_printf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
/* The separator stands before all but what comes first. */
void text_join(struct text *text, const char *separator, const char *format, ...) PRINTF_LIKE(3, 4);
char *text_take(struct text *text);    /* the text as a string that the caller owns; the text is empty then */
int text_flush(struct text *text);     /* writes what is left; 0 or the first -errno; the text is empty then */
int text_read(struct text *text, int fd);      /* appends what fd has to its end; 0 or -errno */

/* What a file says, owned by the caller; `directory` is that of openat(2). NULL where there is none, or a link. */
char *text_of_file(int directory, const char *path);
void text_done(struct text *text);

/* opendir(3) below an open directory; `flags` is 0 or O_NOFOLLOW. NULL with errno set. */
DIR *opendirat(int directory, const char *name, int flags);

/* Moments and durations are in microseconds, as systemd's and sd-bus(3)'s are. */
#define USEC_PER_SEC INT64_C(1000000)
#define USEC_PER_MSEC INT64_C(1000)
int64_t time_of(struct timespec time);
int64_t time_now(clockid_t clock);     /* of clock_gettime(2) */

/* Writes all of it, however often write(2) is interrupted or stops short. 0 or -errno. */
int write_all(int fd, const char *bytes, size_t length);
