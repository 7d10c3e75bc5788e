/*
 * What `check` asks the host itself, beyond configuration and rows: whether systemd has loaded what the
 * generator made, and whether what the units rely on is there. Never called as a generator.
 */
#pragma once

#include "bundle.h"
#include "config.h"

/* Reports what it finds. Does nothing where systemd is not running. */
void host_check(const struct config *config, const struct bundle *bundle, struct report *report);
