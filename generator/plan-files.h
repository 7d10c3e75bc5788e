/* The texts of units, those that lie in the generator's directory and those that it would make now: what differs, in words. */
#pragma once

#include "sink.h"

/* Reads the units of ours that lie in the generator's directory. 0 or -errno; -ENOENT is an empty one. */
int plan_read_tree(const char *directory, struct collection *ret_collection);

/* Appends in words how the settings of a file differ, or their number where they are many; `what` is what they are settings of. */
void plan_put_settings(struct text *out, const char *path, const char *what, const char *old, const char *new);

/* Appends the lines that differ, marked - and +, under the path of each file. */
void plan_diff(const struct collection *old, const struct collection *new, struct text *out);
