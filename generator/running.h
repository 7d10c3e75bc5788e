/*
 * Which of our units run, row or no row: one whose row was deleted must still be stopped and its log read by the web
 * application. A generator cannot ask systemd (design.md 7), but systemd keeps a link RUN/systemd/units/invocation:UNIT
 * from the start of a unit until its last command, ExecStopPost= included, has ended.
 */
#pragma once

#include <stddef.h>

#include "report.h"

struct running {
	char **servers;                /* each valid_name() */
	size_t server_count;
	char **builds;                 /* each parse_id() */
	size_t build_count;
};

/* In no order; none where there is no such folder. */
void running_read(const char *folder, struct report *report, struct running *ret_running);

void running_done(struct running *running);
