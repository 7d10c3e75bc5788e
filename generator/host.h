/*
 * What `check` asks the host itself, beyond configuration and rows: whether systemd has loaded what the generator
 * made and keeps what it says, and whether what the units rely on is there. Never called as a generator, which systemd
 * waits for.
 */
#pragma once

#include <stdbool.h>

#include "config.h"
#include "look.h"
#include "manager.h"
#include "model.h"
#include "render-sources.h"
#include "sockets.h"
#include "units.h"

/* Whether systemd runs here; without it there is nothing to ask. */
bool host_is_running(void);

/*
 * What other programs are asked, all at once, since each takes its time: this one goes on meanwhile. The ports that processes have
 * are seen before the units, and right before: a server that starts in between is up by then, and no stranger on its own port.
 */
struct host_questions {
	struct question manager, settings, loaded, calendar;
	struct sockets sockets;
	struct units units;
	int units_error;               /* -errno: systemd did not say which there are, and is asked no more */
};
#define HOST_QUESTIONS_NONE ((struct host_questions){ .sockets = { NULL, 0 } })
void host_ask(const struct config *config, struct host_questions *ret_questions);
void host_questions_done(struct host_questions *questions);

/*
 * Reports what this systemd lacks whatever the units say. Its name with its version, owned by the caller; NULL, after a
 * report, where one of the answers is missing.
 */
char *host_check_systemd(struct host_questions *questions, struct report *report);

/* Reports hardening that systemd has not loaded, what replaces it, and values that this systemd ignores. */
void host_check_loaded(const struct config *config, const char *systemd, struct host_questions *questions, struct report *report);

/* Which settings the systemd that is installed knows, for the caller to free; NULL, after a report, where it does not say. */
char *host_settings(struct host_questions *questions, struct report *report);

/*
 * Reports what the units of enabled rows and of the web service need, but is missing or another user's. *ret_look is what was
 * seen, for the caller to free.
 */
void host_check_files(const struct config *config, const struct model *model, struct report *report, struct look *ret_look);

/* Of that: what the stack of an enabled server lacks, once all of it could be seen. */
void host_check_stacks(const struct config *config, const struct model *model, const struct look *look, struct report *report);

/*
 * Reports what is wrong with what runs: units that were made without the rows of the database, which `origin` says are there
 * now; servers that crash again and again, or are down with a failure; ports that another process has; directories that servers
 * have left behind.
 */
void host_check_runs(enum rows_origin origin, const struct config *config, const struct model *model, const struct look *look,
		     const struct host_questions *questions, struct report *report);

/* Reports what the kernel lacks that every server or build needs. */
void host_check_kernel(const struct config *config, struct report *report);

/* Reports where user and group are not what the configuration says, or the user is one that somebody logs in as. */
void host_check_account(const struct config *config, struct report *report);

/* Reports overlays that are mount points of their own, which no build can replace. */
void host_check_mounts(const struct config *config, struct report *report);

/* Reports a time of the refresh that systemd does not understand. */
void host_check_calendar(const struct config *config, struct host_questions *questions, struct report *report);
