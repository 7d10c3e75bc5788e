/*
 * The operator's drop-ins for servers, as systemd will load them: a generator runs at the very reload that reads them.
 * Of each only the hash of what takes effect at a start is kept (started.h).
 */
#pragma once

#include <stdint.h>

#include "base.h"

struct drop_ins {
	struct drop_in {
		char *name;            /* of the file: of several of one name systemd takes one */
		char *instance;        /* NULL: every server's */
		unsigned rank;         /* the lowest one of a name is the one taken */
		uint64_t hash;         /* 0: nothing that a start applies, or a mask */
	} *drop_ins;                   /* by name, then rank */
	size_t count;
	bool unseen;                   /* some could not be read, for want of permission: theirs may be missing */
};

/* Reads the directories of units below `prefix`, those of the generator apart. What cannot be read is not there. */
void drop_ins_read(const char *prefix, struct drop_ins *ret_drop_ins);

/* Appends those that systemd takes for the server `instance` (started.h); none for NULL. */
void drop_ins_put(const struct drop_ins *drop_ins, const char *instance, struct text *out);

void drop_ins_done(struct drop_ins *drop_ins);
