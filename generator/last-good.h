/*
 * The rows of the last good read, kept in RUN/left4me/last-good until the next boot, so that no reload takes
 * a configured server away because the database cannot be read just then.
 */
#pragma once

#include "rows.h"

/*
 * 0 with the rows (the caller's to free), -EACCES for want of permission, or another -errno: no such file, not one
 * of ours, or not this version's.
 */
int last_good_read(const char *path, struct rows *ret_rows);

/* How long ago they were read, in seconds; -1 when there are none. Needs no permission to read them. */
long last_good_age(const char *path);
