/*
 * Properties of units, asked of systemd over D-Bus (org.freedesktop.systemd1(5)). `systemctl show` has PID 1 tell all three hundred
 * of each unit, 3 to 4 ms a unit; the ten that are of use here take it a tenth of one. Never called as a generator, which
 * systemd waits for.
 */
#pragma once

#include <stdint.h>

#include "base.h"

struct bus_property {
	const char *interface, *name;
	char type;                     /* as D-Bus writes it: 'b', 'u', 'i' or 't', numbers; 's', a word */
};

struct bus_value {
	int64_t number;                /* -1: not set */
	char *word;                    /* of a property of that type; NULL otherwise */
};

struct bus_unit {
	char *id, *active, *sub;       /* its whole name; its state, as in `systemctl list-units` */
	char *path;                    /* of its object on the bus */
	bool has_job, is_masked;
	struct bus_value *values;      /* in the order that the properties were asked in */
};

struct bus_units {
	struct bus_unit *units;
	size_t count;
	size_t value_count;            /* of each */
};
#define BUS_UNITS_NONE ((struct bus_units){ .units = NULL })

/*
 * Asks for `count` properties of all units that systemd has loaded, up or not, whose names match one of the patterns, a list that ends
 * with NULL. A unit's state and its properties are not of one moment. Root asks without a bus. 0, or -errno when systemd does not
 * answer, -ENOSYS without libsystemd; the units are the caller's to free.
 */
int bus_ask(const char *const patterns[], const struct bus_property properties[], size_t count, struct bus_units *ret_units);

void bus_units_done(struct bus_units *units);

/* Whether libsystemd is there, which is loaded only when somebody asks. */
bool bus_has_library(void);
