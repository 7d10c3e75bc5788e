/* The one row that left4me-fetch-script wants. The database is hostile: call this after database_enter(). */
#pragma once

#include <stdint.h>

#include "base.h"

struct query {
	int64_t id;
	struct text script;     /* the answer; empty if the row has NULL */
};

/*
 * Reads the script of the overlay query->id from generator_overlays. Exactly one row must have that id, with a text of at
 * most SCRIPT_MAX bytes without a NUL, or NULL. 0, or -1 with the reason: a clause that follows the path, owned by the
 * caller, which quotes the database and may contain any byte but NUL.
 */
int fetch_row(const char *database, struct query *query, char **ret_reason);
