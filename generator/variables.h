/*
 * The variables of templates/: what each placeholder is called, and struct config -> the texts of those that are
 * the same in all units of a host.
 */
#pragma once

#include "config.h"
#include "template.h"

/* Every @PLACEHOLDER@. */
#define VARIABLES(X) \
	X(ROOT) X(DATABASE) X(SOURCE) X(USER) X(GROUP) \
	X(VENV) X(WEB_BIND) X(WEB_WORKERS) X(WEB_THREADS) X(REFRESH) \
	X(GAME_MEMORY_HIGH) X(GAME_MEMORY_MAX) X(GAME_TASKS_MAX) X(GAME_NICE) X(GAME_CPUS) X(RESERVED_CPUS) \
	X(BUILD_MEMORY_MAX) X(BUILD_TASKS_MAX) X(BUILD_CPU_QUOTA) X(BUILD_TIMEOUT) X(BUILD_ADDRESS_FAMILIES) X(SOCKETPAIR) \
	X(RESOLV_CONF) X(DENIED_ADDRESSES) X(SOCKET_BIND_ALLOW) X(SOCKET_BIND_DENY) \
	X(ROOT_TO_MASK) X(DATABASE_TO_MASK) X(HELPERS_TO_BIND) X(UMOUNT) \
	/* of one unit; from here on free in the templates */ \
	X(DESCRIPTION) X(ENVIRONMENT) X(MOUNT) X(FETCH) X(RESTART) X(REFUSED) X(FALSE) X(COLLECT) \
	/* lists of units */ \
	X(SERVERS) X(BUILDS) X(STOPPABLE) X(LOGGED)

#define VARIABLE_AS_NUMBER(name) VAR_##name,
enum { VARIABLES(VARIABLE_AS_NUMBER) VARIABLE_COUNT, VAR_FIRST_FREE = VAR_DESCRIPTION };

extern const char *const variable_names[];     /* by number, ends with NULL */

/* Refers to itself and to the configuration: must not be moved, nor outlive that. */
struct host_variables {
	struct variable of[VARIABLE_COUNT];
	const char *texts[VARIABLE_COUNT];
	const char *bind_rules[2];
	char *owned[4];
};

void host_variables_set(const struct config *config, struct host_variables *ret_variables);
void host_variables_done(struct host_variables *variables);

/* Gives a variable one text, borrowed with the pointer to it; a NULL text leaves it without any. */
static inline void variable_set(struct variable *variables, unsigned number, const char *const *text)
{
	variables[number] = (struct variable){ text, *text ? 1 : 0 };
}
