/*
 * What `check` asks the host itself, beyond configuration and rows: whether systemd has loaded what the generator
 * made, and whether what the units rely on is there. Never called as a generator, which systemd waits for.
 */
#pragma once

#include <stdbool.h>

#include "config.h"

/* Whether systemd runs here; without it there is nothing to ask. */
bool host_is_running(void);

/* Reports hardening that systemd has not loaded, and what replaces it. */
void host_check_loaded(const struct config *config, struct report *report);

/* Reports what the units rely on and is not there. */
void host_check_needs(const struct config *config, struct report *report);
