/*
 * The verbs of left4me-overlay for builds. The script works in an overlay mount above the present generation
 * (overlay-generation.h), so that it changes nothing that a server has mounted. As the others, they run in PID 1's
 * mount namespace and die of an error.
 */
#pragma once

#include "overlay-verbs.h"

/* Attributes of the overlay's top directory that begin so are ours, and no generation has them. */
#define OWN_ATTRIBUTES "user.left4me."

/*
 * What `build` sets on the overlay and `enter` takes away once the script has succeeded; there it could set none. That PID 1
 * goes on to commit is not enough. With PrivatePIDs= systemd 257 starts a process that forks the script's, tells PID 1 which
 * that is, and exits with 0; PID 1 reaps whatever child has ended before it looks for messages that came in the meantime, so
 * that once in a while it takes the end of that process for the script's.
 */
#define BUILD_UNFINISHED OWN_ATTRIBUTES "unfinished"

/* Mounts it on the build's anchor, over a fresh upper directory, and notes what the unit is to see. */
void verb_build(const struct request *request);

/* After the script: makes the new generation, exchanges it for the present one, and says what has changed. */
void verb_commit(const struct request *request);

/*
 * Unmounts the overlay and removes what the script did and what no server has mounted any more; nothing of it need
 * be there.
 */
void verb_discard(const struct request *request);

/* Removes, of all overlays that no build is working on, what no server has mounted any more. Has no argument. */
void verb_collect(const struct request *request);
