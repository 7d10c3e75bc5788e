/*
 * The new generation of an overlay: a tree of its own directories, whose files are hard links to those of the
 * present generation and of what a build has changed. A file of either is never written again, only replaced, so
 * that generations may share it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What a build has changed, and how the tree came about. */
struct tally {
	uint64_t added, changed, removed;       /* files: whatever is no directory */
	uint64_t bytes;                         /* of those added and changed */
	uint64_t copied;                        /* of which no hard link could be made */
};

/* The same directory in three trees; a descriptor is -1 where a tree has none. All are readable. */
struct layered {
	int merged;             /* what the script saw; needed only where both others are there */
	int upper;              /* what it changed */
	int lower;              /* the present generation */
};

/*
 * Fills the empty directory `to`, and gives it the mode, the times and the attributes of the one that the script
 * saw. Only with the rights that the caller has; writes no file data but where it must copy. `path` names the tree
 * in messages. Dies of an error; then `to` is incomplete.
 */
void link_generation(const struct layered *from, int to, const char *path, struct tally *tally);

/*
 * Gives the directory or file `to` the mode, the times, the group and the user's attributes of `from`. Dies of an
 * error.
 */
void copy_attributes(int from, int to, const char *path);

/* Whether copy_attributes() would change nothing but the time of the last access. */
bool same_attributes(int a, int b);
