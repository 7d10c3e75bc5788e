/* The input of the target database: which files there are, their sizes, their bytes. seeds.py makes them from SQL. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum part { PART_WAL, PART_SHM, PART_JOURNAL, PART_DATABASE, PARTS };

enum {
	FLAG_LIVE = 1 << 3,    /* somebody holds the log's index open; below, a flag for each part but the last */
	FLAG_SCRIPT = 1 << 4,  /* left4me-fetch-script reads, not the generator */
	HEAD_SIZE = 1 + 3 * 4,
};

struct input {
	unsigned flags;
	struct {
		uint8_t *bytes;
		size_t size;
	} parts[PARTS];
};

/* Takes an input apart; sizes are cut to what is there. False for one that is too short. */
int input_split(uint8_t *data, size_t size, struct input *ret_input);
