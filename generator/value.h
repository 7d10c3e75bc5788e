/*
 * The grammar of configuration values (left4me.conf(5)); pure checks. It is narrower than systemd's where systemd
 * would ignore a value with a warning: MemoryMax=lots means no limit at all.
 */
#pragma once

#include <stdbool.h>

enum value_grammar {
	TYPE_YES_OR_NO,
	TYPE_PATH,             /* a path (name.h) that no unit syntax can misread */
	TYPE_USER,             /* or group */
	TYPE_ID,               /* uid or gid */
	TYPE_SERVERS,
	TYPE_OVERLAYS,
	TYPE_HOST_CPUS,        /* a count, 8, or the CPUs, 0,2,4 or 0-7 */
	TYPE_CPU_LIST,         /* 0,4 or 0-1; may be empty */
	TYPE_BIND,             /* ADDRESS:PORT or [ADDRESS]:PORT */
	TYPE_WORKERS,
	TYPE_PORTS,            /* FIRST-LAST within 1024 to 65535 */
	TYPE_SIZE,             /* bytes: 512M, 1.5G, infinity; at least 1 */
	TYPE_LIMIT,            /* a size from 64M on */
	TYPE_MEMORY,           /* a size, or 1% to 100% of what the target has */
	TYPE_TASKS,            /* up to the kernel's own limit of PIDs */
	TYPE_NICE,
	TYPE_QUOTA,            /* 200%; at least 1% */
	TYPE_TIME,             /* 90s, 15min, 1h; at least 1 s, at most a year */
	TYPE_ADDRESSES,        /* prefixes, separated by blanks; may be empty */
	TYPE_WORDS,            /* printable ASCII without quotes and backslash, separated by blanks; one at least */
	TYPE_COMMAND,          /* the same; the first is a file's name */
	TYPE_PROGRAM,          /* the same; the first is a TYPE_PATH; may be empty */
	TYPE_CALENDAR,         /* the characters of systemd.time(7); may be empty */
};

bool value_is(enum value_grammar grammar, const char *value);

/* What a value has to be, for the message "'VALUE' is not ...". */
const char *value_what(enum value_grammar grammar);

/* Of a value of TYPE_YES_OR_NO: whether it is the former. */
bool value_is_yes(const char *value);

/* Whether the value is of TYPE_SIZE, and how many bytes that is; HUGE_VAL for infinity. */
bool value_size(const char *value, double *ret_bytes);

/* The first word of a value of TYPE_COMMAND or TYPE_PROGRAM; owned by the caller. */
char *value_program(const char *value);

/* Splits a value of TYPE_PORTS. */
void value_split_ports(const char *value, unsigned *ret_first, unsigned *ret_last);
