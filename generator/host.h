/*
 * What `check` asks the host itself, beyond configuration and rows: whether systemd has loaded what the generator
 * made and keeps what it says, and whether what the units rely on is there. Never called as a generator, which systemd
 * waits for.
 */
#pragma once

#include <stdbool.h>

#include "config.h"
#include "look.h"
#include "model.h"
#include "render.h"

#define GENERATOR_DIRECTORY "/run/systemd/generator"

/* Whether systemd runs here; without it there is nothing to ask. */
bool host_is_running(void);

/*
 * Reports what this systemd lacks whatever the units say. Its name with its version, owned by the caller; NULL, after a
 * report, where it does not answer.
 */
char *host_check_systemd(struct report *report);

/* Reports hardening that systemd has not loaded, what replaces it, and values that this systemd ignores. */
void host_check_loaded(const struct config *config, const char *systemd, struct report *report);

/*
 * Reports what the units of enabled rows and of the web service need and is not there, or is another user's. *ret_look is what
 * was seen, for the caller to free.
 */
void host_check_files(const struct config *config, const struct model *model, struct report *report, struct look *ret_look);

/*
 * Reports what is wrong with what runs: units that were made without the rows of the database, which `origin` says are there
 * now; servers that crash again and again, or are down with a failure; ports that another process has; directories that servers
 * have left behind.
 */
void host_check_runs(enum rows_origin origin, const struct config *config, const struct model *model, const struct look *look,
		     struct report *report);

/* Reports what the kernel lacks that every server or build needs. */
void host_check_kernel(struct report *report);

/* Reports overlays that are mount points of their own, which no build can replace. */
void host_check_mounts(const struct config *config, struct report *report);

/* Reports what else the units rely on and is not there. */
void host_check_needs(const struct config *config, struct report *report);
