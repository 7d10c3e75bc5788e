/* Which CPUs are the host's own and which the games': [host] system_cpus of those that there are. */
#pragma once

#include "config.h"

/*
 * Sets reserved_cpus and game_cpus, or leaves both NULL where nothing is to be pinned, or can be; reports the latter at `place`,
 * which is where system_cpus was set.
 */
void config_pin_cpus(const struct config_source *source, const char *place, struct report *report, struct config *config);
