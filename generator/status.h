/*
 * What runs, against what is configured: what systemd says of each server and build, the records of what servers were
 * started with (started.h), and the units that the last reload has made.
 */
#pragma once

#include <stdint.h>

#include "look.h"
#include "model.h"
#include "units.h"

enum port_source {
	PORT_UNKNOWN,
	PORT_OF_RECORD,                /* the one that the server was started with */
	PORT_OF_UNIT,                  /* of a server that does not run: the one that it would be started with */
	PORT_OF_PROCESS,               /* the server's own word: its command line */
};

struct server_status {
	const char *name;
	enum unit_state state;
	bool refused;                  /* by the last reload; the state that is shown of one that does not run */
	bool has_unit, enabled;        /* by the last reload */
	const struct unit *unit;       /* NULL where systemd has loaded none */
	char *port;                    /* in digits, or NULL */
	enum port_source port_source;
	char *next_port;               /* the one that the next start would take, or NULL */
	int64_t size;                  /* bytes of runtime/NAME on disk, or UNIT_UNKNOWN */
	char *restart;                 /* what a restart would change, in words; NULL for nothing */
	char *note;                    /* for people; maybe empty */
	bool waits;                    /* somebody has to do something */
};

struct status {
	char **names;                  /* of the servers, sorted */
	struct server_status *servers; /* as many */
	size_t count;
	bool is_whole;                 /* of the host; else nothing but servers that were asked for by name follows */
	const struct unit **builds;    /* those that run or have failed */
	size_t build_count;
	int64_t reloaded;              /* when the last reload ended, by the monotonic clock, or UNIT_UNKNOWN */
	size_t problems;               /* that it reported */
	struct directory_status {
		char *path;            /* "runtime/delta" */
		int64_t size;          /* bytes on disk, or UNIT_UNKNOWN */
	} *left_behind;                /* directories below ROOT without a row */
	size_t left_behind_count;
	bool left_behind_known;
	int64_t now, epoch;            /* the monotonic clock and what it lacks to the time of day, in microseconds */
	bool waits;
};

struct status_sources {
	const char *prefix;            /* put before the paths in /run and /etc */
	const struct units *units;
	const struct model *model;     /* NULL when the database could not be read */
	const struct look *look;
	const char *const *only;       /* the servers that are asked for; all of them and the rest for none */
	size_t only_count;
};

/* The status; texts are borrowed from the sources, which must live as long. */
void status_build(const struct status_sources *sources, struct status *ret_status);

/* The process ids of servers that run and have no record; the caller frees the array. */
pid_t *status_unrecorded(const char *prefix, const struct units *units, size_t *ret_count);

bool status_has(const struct status *status, const char *name);

/* "running", or "refused" for a server that does not run. */
const char *status_word(const struct server_status *server);

/* "exit status 1 after 9 s": how the main process of a unit ended last; owned by the caller, NULL if it did not. */
char *status_end(const struct unit *unit);

/* "9 s": a time in microseconds in words; and "9s" for a table. Both owned by the caller. */
char *status_duration(int64_t microseconds, bool is_short);

/* The screen, `columns` wide, and the JSON of left4me-generator(8). `unknown`: why there are no rows; NULL with them. */
struct status_screen {
	unsigned columns;
	bool colour, sizes;
	const char *unknown;
};
void status_put_table(const struct status *status, const struct status_screen *screen, struct text *out);

/* 0, or -1 when SQLite could not make it. */
int status_put_json(const struct status *status, const struct report *report, const char *unknown, struct text *out);

void status_done(struct status *status);
