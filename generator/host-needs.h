/* What must be there on a host for what is to run, and where it is seen. Internal to host-files.c, -needs.c and -places.c. */
#pragma once

#include "host.h"

/*
 * What must be there for what is to run: for enabled rows, for builds and for the web service, where there are any. A child
 * looks (look.h); what follows from it is judged by these files.
 */
enum need_kind {
	NEED_ROOT,                     /* a directory of the user's, whatever links lead there */
	NEED_STATE,                    /* one below it, which is no link: left4me-overlay insists on that */
	NEED_BOUND_STATE,              /* and which the units bind */
	NEED_DIRECTORY,
	NEED_FILE,                     /* that root reads */
	NEED_BOUND_FILE,
	NEED_PROGRAM,
	NEED_SCRIPT,                   /* or a program */
	NEED_UPDATE_SCRIPT,            /* the same, in the view of the update, which is narrower than the others' */
	NEED_DATABASE,                 /* or what lies beside it: may be missing */
	NEED_PLACE,                    /* where it really is counts, and nothing else */
	NEED_WAY,                      /* likewise, of a directory that is not bound, but that a bound one lies in */
	NEED_READABLE,                 /* to the check's user; may be missing */
};

struct need {
	enum need_kind kind;
	char *path;
	const char *consequence, *remedy;
};

struct needs {
	const struct config *config;
	struct need *list;
	size_t count;
	bool as_user;                  /* what the child may not do the units may not do either */
	bool root_is_missing, state_is_unfit;  /* then what lies below is no news */
};

/* What follows where something is missing that the update needs. */
extern const char host_no_update[];

/* Servers that are to start, and overlays that a script builds. */
size_t host_enabled_servers(const struct model *model);
size_t host_builds(const struct model *model);

/* Lists what the model's units need; `config` is set. */
void host_needs_list(const struct model *model, struct needs *needs);
void host_needs_done(struct needs *needs);

/* Reports links that lead to where units see nothing, and programs that lie there. */
void host_check_places(const struct needs *needs, const struct model *model, const struct look *look, struct report *report);
