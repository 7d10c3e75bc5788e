/*
 * A directory made for the files of sink_directories(), as `render --format=tree` writes them: output/systemd/generator and
 * output/left4me.
 */
#pragma once

#include <stdbool.h>

#include "report.h"

struct output_directory {
	char *path;
	char *units, *state;           /* below it; the sink makes `state` */
	bool made;                     /* it was missing */
};

/* `path` must be empty or missing. -1, and all as it was, if it is not or a directory cannot be made. */
int output_make(const char *path, struct report *report, struct output_directory *ret_output);

/* Takes it back when nothing was written after all. */
void output_remove(const struct output_directory *output);

void output_done(struct output_directory *output);
