/* What changes of one server: what it was started with, and would be by the units of before and after the reload. */
#pragma once

#include "planning.h"

struct plan_server {
	char *name, *unit;
	const char *old, *new;         /* texts; NULL: no such unit */
	bool was_wanted, is_wanted, runs, never_ran, has_failed, is_masked;
	bool is_started;               /* it runs, and is not about to stop or to start again by itself, nor masked */
	const struct record *record;   /* of the start since which it runs, borrowed; or NULL */
	struct started before, now;    /* what it would be started with before this reload, and after it */
	const char *lacks;             /* the id of a layer that is not there, so that a restart would fail; or NULL */
	unsigned port;                 /* the one that the next start would take; 0: none */
	char *refused;                 /* why, of the new one */
};

/* The caller frees it. What it borrows are texts and records of the sources. */
void plan_look_at_server(const struct plan_sources *sources, const char *name, struct plan_server *ret_server);

/* Adds what changes, or counts the server as unchanged. Forgets what a line for all servers has said. */
void plan_server(struct planning *planning, struct plan_server *server);

void plan_server_done(struct plan_server *server);
