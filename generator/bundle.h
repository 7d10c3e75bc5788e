/*
 * All that a run will write, complete before the first byte is written. A text of which there are thousands
 * is kept as what it is made from and made when a sink asks; that cannot fail and gives the same every time.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base.h"

enum artifact_kind { ARTIFACT_FILE, ARTIFACT_LINK, ARTIFACT_DIRECTORY };

/* Where it goes: the generator directory, emptied at every reload, or RUN/left4me, where files are replaced. */
enum artifact_place { PLACE_UNITS, PLACE_STATE };

struct artifact {
	enum artifact_kind kind;
	enum artifact_place place;
	mode_t mode;
	bool per_host;                 /* from the configuration alone, the same for any rows */
	bool keep;                     /* leave an existing file as it is */
	const char *directory;         /* below the place, "" for the place itself; borrowed */
	const char *name;              /* of the file, link or directory; a link leads to ../NAME; borrowed */

	/* Files: appends the text. Both arguments are borrowed. */
	void (*write)(const void *maker, const struct artifact *artifact, struct text *out);
	const void *maker;
	const void *subject;           /* what the file is about, for its maker */
};

struct bundle {
	struct artifact *artifacts;
	size_t count;
};

/* Adds an artifact; directories of one bundle that stand together are made once. */
void bundle_add(struct bundle *bundle, const struct artifact *artifact);

/* Adds a file with this text, which is borrowed. */
void bundle_add_text(struct bundle *bundle, enum artifact_place place, const char *name, mode_t mode,
		     const struct text *text);

void bundle_done(struct bundle *bundle);
