/*
 * What left4me-generator does, by the first word of its command line; each returns the exit status of the program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { EXIT_CLEAN = 0, EXIT_PROBLEMS = 1, EXIT_NOTHING = 2 };

/* The command line. Strings are arguments or NULL; prefix is "" without --root. */
struct options {
	const char *format, *output, *config, *database;
	const char *prefix;
	bool no_database;
	bool diff, commands;                   /* of plan */
	bool rows;                             /* of check */
	bool json, sizes, mark;                /* of status */
	const char *const *words;              /* the generator mode's directories, the names that status is asked for */
	size_t word_count;
};

/* As a systemd generator (systemd.generator(7)): 0 once the tree is written, 1 when it could not be. */
int mode_generator(const struct options *options);

/* The same artifacts elsewhere: 0, 1 when rows were refused, 2 when nothing was written. */
int mode_render(const struct options *options);

/* Every problem of sources and host: 0 for none, 1 for some, 2 when something could not be looked at. */
int mode_check(const struct options *options);

/* What runs, against what is configured: 0 when nothing waits, 1 when something does, 2 when systemd does not answer. */
int mode_status(const struct options *options);

/* What the next reload would do and what would still have to be done: 0 for nothing, 1 for something, 2 could not look. */
int mode_plan(const struct options *options);
