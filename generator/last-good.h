/*
 * The rows of the last good reading, kept in RUN/left4me/last-good until the next boot: no reload takes a configured
 * server away because the database cannot be read just then.
 */
#pragma once

#include "rows.h"

#define LAST_GOOD_FILE "last-good"
#define LAST_GOOD "/run/left4me/" LAST_GOOD_FILE

/*
 * 0 with the rows, which the caller frees; -EACCES for want of permission, or another -errno: there is no such file,
 * or it is not ours or of no version that is known.
 */
int last_good_read(const char *path, struct rows *ret_rows);

/* How long ago they were read, in seconds; -1 when there are none. They need not be readable for that. */
long last_good_age(const char *path);
