/*
 * Which layers servers have mounted, by the records in /run/left4me/mounted. A generation that one of them names
 * must stay.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pins {
	struct pin *list;
	size_t count;
	bool all;       /* there is a mount of a server without a record: then any generation may be mounted */
};

/* Reads the record of each server's mount that there is. Dies of an error. */
struct pins read_pins(void);
void pins_done(struct pins *pins);

bool is_pinned(const struct pins *pins, dev_t device, ino_t inode);
