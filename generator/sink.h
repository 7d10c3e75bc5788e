/*
 * Where what was made goes: directories of files, the metadata of a configuration management tool, or a comparison
 * with files that are there. What makes a text pushes it into a sink, file by file; a sink calls nobody back and
 * keeps no text, so that memory stays flat however many units there are.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "report.h"

/* The generator directory, which is emptied at every reload, or RUN/left4me, where files are replaced. */
enum tree { TREE_UNITS, TREE_STATE, TREE_COUNT };

struct file {
	enum tree tree;
	const char *directory;         /* below the tree, "" for the tree itself */
	const char *name;
	mode_t mode;
	bool keep;                     /* leave an existing file as it is */
	const char *target;            /* of a link: the unit, NULL if it has the link's name */
};

/* Each reports what fails, with its path. After a failure only retract() and finish() may be called. */
struct sink {
	/* Begins a file: the text to append to, or NULL on failure. Good until close(), which ends the file. 0 or -1. */
	struct text *(*open)(struct sink *sink, const struct file *file);
	int (*close)(struct sink *sink, const struct file *file);

	/* A link in `directory` to the unit ../NAME, or ../TARGET. 0 or -1. */
	int (*link)(struct sink *sink, const struct file *unit, const char *directory);

	/* NULL where the sink has no such thing. A mask (a link to /dev/null), an empty directory. 0 or -1. */
	int (*mask)(struct sink *sink, const struct file *unit);
	int (*directory)(struct sink *sink, const struct file *directory);

	/* For files below /run: what was written so far stays whatever comes; what was written since is taken back. */
	void (*settle)(struct sink *sink);
	void (*retract)(struct sink *sink);

	/* Puts all in place or, when not `good`, takes back what was not settled; frees the sink. 0 or -1. */
	int (*finish)(struct sink *sink, bool good);

	struct text text;              /* of sink_open_text() */
};

/* "DIRECTORY/NAME", or "NAME" where the directory is "": a path below the tree, owned by the caller. */
char *sink_path(const char *directory, const char *name);

/* For a sink that looks at a text when it is whole, in close(); and for one to which no link matters. */
struct text *sink_open_text(struct sink *sink, const struct file *file);
int sink_ignore_link(struct sink *sink, const struct file *unit, const char *directory);

/*
 * /run is memory, and what is not settled belongs to rows that somebody else writes: no more bytes of it are written than
 * these, counted in whole pages.
 */
enum { SINK_BUDGET = 96 * 1024 * 1024 };

/*
 * Files below two directories: `units`, which exists, for TREE_UNITS and `state`, made if missing, for TREE_STATE
 * (NULL: not written). A file gets its name when it is whole; those of `state` are replaced by rename(2) in finish().
 * Gives up once *give_up is set by a signal handler. NULL when a directory cannot be opened.
 */
struct sink *sink_directories(const char *units, const char *state, const volatile sig_atomic_t *give_up,
			      struct report *report);

/*
 * The units as {"systemd": {"units": {NAME: {SECTION: {KEY: VALUE}}}}}, written by finish() to the file `output` or,
 * when NULL, to standard output. A value is a string or, for a repeated key, a list of strings.
 */
struct sink *sink_json(const char *output, struct report *report);

/* Units and links of one tree, kept in memory for somebody who compares two; the text of a link, as of a mask, is empty. */
struct collection {
	struct collected {
		char *path, *text;     /* the path below the tree */
	} *files;                      /* by path, once sorted */
	size_t count;
};
#define COLLECTION_EMPTY ((struct collection){ NULL, 0 })

/* Takes over the text. */
void collection_add(struct collection *collection, const char *directory, const char *name, char *text);
void collection_sort(struct collection *collection);
void collection_done(struct collection *collection);

/* The text of a path, or NULL; of a sorted one. */
const char *collection_text(const struct collection *collection, const char *path);

/* Whether the target wants the unit by a link of the tree; sorted. */
bool collection_wants(const struct collection *collection, const char *target, const char *unit);

/*
 * Goes through two sorted collections side by side, one path at a time: its text in both, NULL where one lacks it. False at the
 * end; *pair is all zeros at the beginning.
 */
struct collected_pair {
	const char *path, *old, *new;
	size_t old_next, new_next;
};
bool collections_next(const struct collection *old, const struct collection *new, struct collected_pair *pair);

/* Adds what comes of TREE_UNITS, and sorts. */
struct sink *sink_collect(struct collection *collection);

/*
 * Reports each regular file below one of the directories (a list that ends with NULL, borrowed) that has the name of
 * a unit or drop-in of ours and says something else.
 */
struct sink *sink_compare(const char *const *directories, struct report *report);

/*
 * Reports each setting that `program`, a systemd, does not know, once, where it first stands. `items` is what it printed about
 * what it knows: lines "Key=TYPE" below "[Section]". Both are borrowed.
 */
struct sink *sink_known(const char *items, const char *program, struct report *report);
