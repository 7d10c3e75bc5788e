/*
 * What runs, against what is configured: what systemd says of each server and build, the records of what servers were
 * started with (started.h), and the units that the last reload has made.
 */
#pragma once

#include "status-server.h"

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
	int64_t now, epoch;            /* the monotonic clock, and what added to it is the time of day; in microseconds */
	bool waits;
};

/* The status; texts are borrowed from the sources, which must live as long. */
void status_build(const struct status_sources *sources, struct status *ret_status);

/* The process ids of servers that run and have no record of their start; the caller frees the array. */
pid_t *status_unrecorded(const struct units *units, const struct records *records, size_t *ret_count);

bool status_has(const struct status *status, const char *name);

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
