/*
 * The generations of an overlay or, with INSTALLATION as its id, of the game itself. PARENT/ID is the present one, where PARENT
 * is ROOT/overlays or ROOT: a build never writes in it, but exchanges it for a new one; the old one stays until no server
 * has it mounted.
 *
 * All that a build needs beside it lies in PARENT/.left4me/ID, on the same file system: `upper` and `work` of its overlay,
 * `new`, and old generations as old-N. PARENT/.left4me is root's, mode 0700, so that nobody, whatever may become of the
 * rest of ROOT, changes a generation that is hidden there; what lies in it belongs to the owner of PARENT and is only
 * touched with that owner's rights.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base.h"

#define GENERATIONS ".left4me"

/* Descriptors of directories, and where they are for messages. */
struct generations {
	const char *id;
	int parent;             /* PARENT, or -ENOENT */
	int top;                /* PARENT/.left4me, or -ENOENT */
	int own;                /* PARENT/.left4me/ID, or -ENOENT */
	char *path;             /* PARENT/ID */
	char *own_path;
};

/*
 * Opens both. With `create`, .left4me and its subdirectory are made if missing. Dies of an error. *ret_generations
 * belongs to the caller, who frees it by generations_done().
 */
void open_generations(const char *root, const char *id, bool create, struct generations *ret_generations);
void generations_done(struct generations *generations);

/* The names in ROOT/overlays/.left4me, each ended by a NUL; the caller frees them. Dies of an error. */
struct text list_generations(const char *root);

/* Removes .left4me/ID if nothing is left in it. */
void remove_empty(const struct generations *generations);

/*
 * The lock that keeps mounting, exchanging and collecting apart: a server's mount shares it from the opening of its
 * layers until its record is written; no tree is walked while it is held. Waits five seconds; dies of an error.
 * Returns a descriptor, whose closing unlocks.
 */
int lock_layers(bool exclusive);

/*
 * Removes what earlier builds have left: old generations that no server has mounted and, unless `building`, the
 * rest of a build that was killed. Only prints what cannot be removed.
 */
void collect_generations(const struct generations *generations, bool building);

/*
 * Exchanges `new` for the present generation, `present`, in one step, and keeps that as an old one. Dies of an
 * error and if another directory has taken its place.
 */
void exchange_generation(const struct generations *generations, int present);
