/*
 * What systemd says of the servers and builds that it has loaded, and of the host's own services and timers. Never asked as a
 * generator, which systemd waits for: running.h has what serves there.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base.h"
#include "name.h"

enum unit_state {
	UNIT_STOPPED,
	UNIT_WAITING,                  /* to be started, when it is its turn or what it needs is there */
	UNIT_STARTING,
	UNIT_RUNNING,
	UNIT_RESTARTING,               /* its main process has ended, and systemd waits before it starts the next one */
	UNIT_STOPPING,
	UNIT_FAILED,
};

enum { UNIT_UNKNOWN = -1 };

/* Where systemd has the units of its last reload from. */
#define GENERATOR_DIRECTORY "/run/systemd/generator"

struct unit {
	char *name;                    /* of the instance: valid_name(), or valid_id() of a build; the host's own have all of it */
	enum unit_kind kind;
	enum unit_state state;
	bool has_run;                  /* ever since the boot, if only for a moment */
	bool is_masked;                /* nothing starts it */
	bool needs_reload;             /* its files have changed since systemd has read them; false where that was not asked for */
	int64_t since;                 /* when the state began, in microseconds of the monotonic clock; 0: unknown */
	int64_t memory;                /* bytes, or UNIT_UNKNOWN */
	int64_t restarts;
	pid_t pid;                     /* of the main process; 0: none */
	char *result;                  /* systemd's word for how it ended: "success", "oom-kill" */
	int64_t end_code, end_status;  /* of the last main process, CLD_EXITED and so on (waitid(2)); code 0: not ended, or none */
	int64_t end_after;             /* how long it had run then, in microseconds */
};

struct units {
	struct unit *units;            /* by kind, each in the order of their names */
	size_t count;
};
#define UNITS_NONE ((struct units){ NULL, 0 })

/*
 * 0, or -errno when systemd does not answer: manager_silence(). `with_files`: needs_reload is asked for, too, for which systemd looks
 * through all directories of drop-ins, 1 ms a unit.
 */
int units_ask(bool with_files, struct units *ret_units);

/* The one of that kind and name, or NULL. */
const struct unit *units_find(const struct units *units, enum unit_kind kind, const char *name);

/* Whether systemd has it up, on its way there or back, or will start it again; false for NULL, and for one that waits. */
bool unit_is_up(const struct unit *unit);

/* Whether it is the update of the game. */
bool unit_is_update(const struct unit *unit);

/* Whether systemd starts it again and again: often already, and not long ago. `now` is of the monotonic clock. */
bool unit_crashes(const struct unit *unit, int64_t now);

/* "exit status 1 after 9 s": how the main process of a unit ended last; owned by the caller, NULL if it did not. */
char *unit_end(const struct unit *unit);

void units_done(struct units *units);
