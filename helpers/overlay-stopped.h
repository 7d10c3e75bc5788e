/*
 * What stopped servers have left: their own unit unmounts their overlay when they stop, but may fail to. Which servers run is
 * told by links of systemd's, since this program asks nobody.
 */
#pragma once

#include "overlay-verbs.h"

/*
 * Unmounts the overlay of each instance that its unit has mounted, by its record, and whose unit does not run any more. Goes on
 * where one cannot be unmounted, and fails in the end. Has no argument.
 */
void verb_umount_stopped(const struct request *request);
