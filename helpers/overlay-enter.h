/*
 * `enter`: the last step before a server or a script starts, inside its unit and without privilege.
 */
#pragma once

#include <stdbool.h>

/* Returns whether the verb on the command line is `enter`. Looks at nothing but the arguments. */
bool is_enter(int argc, char **argv);

/*
 * Checks that what the unit sees is what it is to see (overlay-view.h) and, in a build's unit, that the sandbox is
 * in force; then executes the command on the command line. That inherits everything as it was: environment,
 * descriptors, umask, signals, limits, working directory, and for a server the process itself. Dies if anything is wrong.
 * With --chdir=DIR the working directory is DIR, if that is there.
 *
 * A build's command runs in a child, whose end this process waits for: once it has succeeded, /overlay loses the attribute
 * BUILD_UNFINISHED, with which nothing is committed.
 */
_Noreturn void verb_enter(int argc, char **argv);
