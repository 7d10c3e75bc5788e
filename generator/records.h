/* The records of all servers that are mounted (started.h), each read once: what they were started with. */
#pragma once

#include "started.h"

struct records {
	struct record {
		char *name;            /* of the server, valid_name() */
		struct started started;
		unsigned port;         /* 0: mounted by hand, or somebody has cut it, so that it does not say what its unit started */
	} *records;                    /* in the order of their names */
	size_t count;
};
#define RECORDS_NONE ((struct records){ NULL, 0 })

/* None where there is no PREFIX/run/left4me/mounted. The caller frees them. */
void records_read(const char *prefix, struct records *ret_records);

/* The server's, whatever it says, or NULL; and such a one as says what its unit started, or NULL. */
const struct record *records_find(const struct records *records, const char *name);
const struct record *records_find_start(const struct records *records, const char *name);

void records_done(struct records *records);
