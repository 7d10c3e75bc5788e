/*
 * TAP for unit tests: ok(), is_str(), is_int() and skip() print a line each, `return done_testing();` ends main()
 * with the plan. A name is a printf format.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

/* Names come from tables of hostile input: what is not printable ASCII shows as \xNN, '#' would be a directive. */
static inline void tap_print(const char *s)
{
	for (; *s; s++)
		if (*s >= 0x20 && *s < 0x7f && *s != '#')
			(void) putchar(*s);
		else
			(void) printf("\\x%02x", (unsigned char) *s);
}

static inline bool __attribute__((format(printf, 2, 0))) tap_result(bool good, const char *format,
								    va_list arguments)
{
	char name[512];

	(void) vsnprintf(name, sizeof(name), format, arguments);
	tap_failed += !good;
	(void) printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	tap_print(name);
	(void) printf("\n");
	return good;
}

static inline bool __attribute__((format(printf, 2, 3))) ok(bool good, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	good = tap_result(good, format, arguments);
	va_end(arguments);
	return good;
}

static inline bool __attribute__((format(printf, 3, 4))) is_str(const char *got, const char *expected,
								const char *format, ...)
{
	bool good = got && expected ? strcmp(got, expected) == 0 : got == expected;
	va_list arguments;

	va_start(arguments, format);
	(void) tap_result(good, format, arguments);
	va_end(arguments);
	if (!good) {
		(void) printf("#   got      ");
		tap_print(got ? got : "(none)");
		(void) printf("\n#   expected ");
		tap_print(expected ? expected : "(none)");
		(void) printf("\n");
	}
	return good;
}

static inline bool __attribute__((format(printf, 3, 4))) is_int(long long got, long long expected,
								const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void) tap_result(got == expected, format, arguments);
	va_end(arguments);
	if (got != expected)
		(void) printf("#   got %lld, expected %lld\n", got, expected);
	return got == expected;
}

static inline void skip(const char *reason, const char *name)
{
	(void) printf("ok %d - %s # SKIP %s\n", ++tap_count, name, reason);
}

static inline int done_testing(void)
{
	(void) printf("1..%d\n", tap_count);
	return tap_failed > 0;
}
