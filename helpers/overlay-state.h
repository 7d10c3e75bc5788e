/*
 * Files of this program in directories below /run/left4me, where root alone can write: each is the old one or the new one
 * at every moment, and everybody may read it.
 */
#pragma once

#include "base.h"

/* Writes the file `name` in RUN/left4me/DIRECTORY, made if it is missing, in place of an older one. Dies of an error. */
void write_state(const char *directory, const char *name, const struct text *text);

/* Removes it, if there is one. Dies of an error. */
void remove_state(const char *directory, const char *name);
