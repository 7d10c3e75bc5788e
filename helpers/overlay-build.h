/*
 * The verbs of left4me-overlay for builds. The script works in an overlay mount above the present generation
 * (overlay-generation.h), so that it changes nothing that a server has mounted. As the others, they run in PID 1's
 * mount namespace and die of an error.
 */
#pragma once

#include "overlay-verbs.h"

/* Mounts it on the build's anchor, over a fresh upper directory, and notes what the unit is to see. */
void verb_build(const struct request *request);

/* After the script: makes the new generation, exchanges it for the present one, and says what has changed. */
void verb_commit(const struct request *request);

/*
 * Unmounts the overlay and removes what the script did and what no server has mounted any more; nothing of it need
 * be there.
 */
void verb_discard(const struct request *request);

/* The last for all overlays that no build is working on. Has no argument. */
void verb_collect(const struct request *request);
