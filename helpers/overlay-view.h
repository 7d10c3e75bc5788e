/*
 * Which directories a unit is to see. systemd follows symbolic links in the sources of BindPaths= and
 * BindReadOnlyPaths=, and their owner can replace them at any time; so a helper that runs as root, before the server
 * or the script, writes down what it finds without following links, and `enter` compares in the unit.
 *
 * /run/left4me/view/UNIT has an entry for each directory, ended by a NUL: the numbers of its device, its inode number,
 * and its path in the unit; zeros if it must not exist. UNIT is the unit's name without ".service". The file is root's.
 */
#pragma once

#include "base.h"

#define VIEW_DIRECTORY "view"
#define VIEWS "/run/left4me/" VIEW_DIRECTORY

/* Adds an entry for the open directory `fd`, which the unit is to see at `path`; it must not exist if fd is negative. */
void view_add(struct text *view, int fd, const char *path);

/* Writes the view of a unit, in place of an older one. Dies of an error. */
void write_view(const char *unit, const struct text *view);

/* Returns whether the view of a unit is missing or has an entry for `path`. Dies of an error. */
bool view_may_have(const char *unit, const char *path);

/* Removes it, if there is one. Dies of an error. */
void remove_view(const char *unit);

/*
 * In the unit, without privilege: dies unless each directory of the view is the one that was written down and belongs
 * to this process's user. The message says which directory is another, and whose it is.
 */
void check_view(const char *unit);
