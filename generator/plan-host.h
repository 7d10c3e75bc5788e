/* What changes of the host's own units: services, timers, slices and their drop-ins. */
#pragma once

#include "planning.h"

/* A unit or drop-in of the host's at `path` of the generator's directory; of its texts one or both. */
void plan_host(struct planning *planning, const char *path, const char *old, const char *new);
