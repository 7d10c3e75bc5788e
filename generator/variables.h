/*
 * The variables of templates/: one for each key of the configuration, those that follow from keys, and those of a
 * unit of its own, which render-rows.c fills.
 */
#pragma once

#include "config.h"
#include "template.h"

/* What follows from the configuration; variables.c says how. */
#define DERIVED_VARIABLES(X) \
	X(GAME_CPUS) X(RESERVED_CPUS) X(STRICT_PORTS) X(STRICT_DENY) \
	X(BUILD_ADDRESS_FAMILIES) X(SOCKETPAIR) \
	X(ROOT_TO_MASK) X(DATABASE_TO_MASK) X(SHARED) X(OVERLAY_HELPER) \
	X(PROTECT_HOME) X(WEB_PROTECT_HOME) X(WEB_WRITABLE) X(WEB_BINDS) X(WEB_PROGRAMS) \
	X(WEB_TASKS_MAX) X(UPDATE_RULE)

/* Of one server or build. */
#define UNIT_VARIABLES(X) \
	X(DESCRIPTION) X(PORT) X(ARGUMENTS) X(LAYERS) X(STARTED) X(MOUNT) X(FETCH) X(RESTART) X(REFUSED) X(FALSE) X(COLLECT)

/* Of the sudo rules: names and ids; rules.h. */
#define RULE_VARIABLES(X) X(SERVERS) X(BUILDS) X(STOPPABLE_SERVERS) X(STOPPABLE_BUILDS)

#define KEY_NUMBER(section, name, type, fallback, placeholder, ...) VAR_##placeholder,
#define VARIABLE_NUMBER(name) VAR_##name,
enum {
	KEYS(KEY_NUMBER)
	DERIVED_VARIABLES(VARIABLE_NUMBER)
	UNIT_VARIABLES(VARIABLE_NUMBER)
	RULE_VARIABLES(VARIABLE_NUMBER)
	VARIABLE_COUNT
};

/* The texts of all variables; `owned` is what of them is not the configuration's or the model's. */
struct variables {
	struct variable list[VARIABLE_COUNT];
	char *overlay, *fetch;         /* the helpers' command lines */
	char *shared;                  /* what servers see below ROOT */
	char *web_tasks;
	char *application, *command, *update;  /* the operator's words, each with a blank before it */
	char *database_directory;
	const char *binds[2], *programs[2];    /* what of the web application's lies below the homes */
};

/* Those of keys and what follows from keys; borrows the configuration. The others have no text yet. */
void variables_set(const struct config *config, struct variables *ret_variables);

/* Gives a variable one text, borrowed, or with NULL none. */
void variable_set(struct variables *variables, unsigned number, const char *text);

void variables_done(struct variables *variables);
