/*
 * What systemd says of itself and of a few units, asked through its own programs. Never called as a generator, which systemd
 * waits for.
 */
#pragma once

#include <sys/types.h>

#include "base.h"

/* A program that runs beside this one until its answer is taken. */
struct question {
	pid_t pid;                     /* 0: none */
	int answer;
};
#define QUESTION_NONE ((struct question){ 0, -1 })

/* Starts a program by its path, without a shell. */
void manager_ask(const char *const arguments[], struct question *ret_question);

/* Waits for its end: its exit status, or -1. What it printed is appended to *out. */
int manager_answer(struct question *question, struct text *out);

/* Ends one whose answer nobody wants. */
void question_done(struct question *question);

/* Both. */
int manager_run(const char *const arguments[], struct text *out);

/* The answer to one `systemctl show`: a block of PROPERTY=VALUE for each unit. */
struct shown {
	char *text;
	const char **blocks;
	size_t count;
};
#define SHOWN_EMPTY ((struct shown){ .text = NULL })

/*
 * Asks for properties, separated by commas, of units in one call: a list of names that ends with NULL, and that is empty for the
 * properties of systemd itself. A name is answered whether it is loaded or not. This has systemd tell all that it knows of each
 * unit: many are asked for by bus.h.
 */
void manager_ask_show(const char *properties, const char *const units[], struct question *ret_question);

/* 0, or -1 when systemd does not answer. The answer is the caller's to free. */
int manager_answer_show(struct question *question, struct shown *ret_shown);

/* Whether a system bus answers, which everybody but root asks systemd by. */
bool manager_has_bus(void);
#define START_BUS "systemctl start dbus.socket (package dbus)"

/* Why there was no answer, after "systemd"; an errno value, or 0 where nobody said one. The caller frees it. */
char *manager_silence(int error);

/* Borrowed; NULL where this systemd has no such property. */
const char *shown_value(const struct shown *shown, size_t unit, const char *property);

void shown_done(struct shown *shown);
