/*
 * One server: what it was started with against what it would be started with, and what else somebody should know of it; and
 * the words for that.
 */
#pragma once

#include <stdint.h>

#include "look.h"
#include "model.h"
#include "records.h"
#include "sink.h"
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
	char *reload;                  /* what a reload would change, in words; NULL for nothing, and where nobody can tell */
	char *restart;                 /* what a restart would change then, likewise */
	bool restart_known;            /* whether anybody could tell */
	bool restart_fails;            /* for a layer that is missing */
	char *note;                    /* for people; maybe empty */
	bool waits;                    /* somebody has to do something */
};

struct status_sources {
	const char *prefix;            /* put before the paths in /run and /etc */
	const struct units *units;
	const struct records *records;
	const struct model *model;     /* NULL when the database could not be read */
	const struct collection *next; /* what a reload would make of the rows; NULL where nobody can tell */
	bool refuses;                  /* a reload would refuse rows, of servers or not */
	bool drop_ins_unseen;          /* it may lack drop-ins */
	const struct look *look;
	const char *const *only;       /* the servers that are asked for; all of them and the rest for none */
	size_t only_count;
};

/* One server by its name, as far as it can be told without the others. `now` is of the monotonic clock. */
void status_judge(const struct status_sources *sources, struct server_status *server, int64_t now);

/* "running", or "refused" for a server that does not run. */
const char *status_word(const struct server_status *server);
