/*
 * Which of our units run, with or without a row: the web application must be able to stop one whose row was deleted
 * and to read its log. A generator cannot ask systemd, which waits for it, but systemd keeps a link
 * RUN/systemd/units/invocation:UNIT from the start of a unit until its last command, ExecStopPost= included, has ended.
 */
#pragma once

#include <stddef.h>

#include "report.h"

struct running {
	char **servers;                /* each valid_name() */
	size_t server_count;
	char **builds;                 /* each valid_id() */
	size_t build_count;
};

/*
 * Reads RUN/systemd/units, the directory given; reports when that fails. In no order; none where there is no such
 * directory. The names are the caller's to free, by running_done().
 */
void running_read(const char *directory, struct report *report, struct running *ret_running);

void running_done(struct running *running);
