/*
 * The one row that left4me-fetch-script wants, read through database.h. To be called with the rights of an
 * unprivileged user: the file is hostile.
 */
#pragma once

#include <stdint.h>

#include "base.h"

struct query {
	int64_t id;
	struct text script;     /* the answer; NULL in the row is an empty text */
};

/* `copy` is for database_read(). 0, or -1 with the reason, of one row too few or too many as well; owned by the caller. May hold any byte but NUL. */
int fetch_row(const char *database, const char *copy, struct query *query, char **ret_reason);
