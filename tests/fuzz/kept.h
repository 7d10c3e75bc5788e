/* A sink that keeps all of it in memory, in the order in which it comes, and holds its user to the rules of sink.h; it has no masks. */
#pragma once

#include "base.h"
#include "sink.h"

enum kept_kind { KEPT_FILE, KEPT_LINK, KEPT_DIRECTORY };

struct kept {
	enum kept_kind kind;
	enum tree tree;
	char *directory, *name;        /* of a link to ../NAME, too */
	mode_t mode;
	bool keep;
	struct text text;              /* of a file */
};

struct kept_sink {
	struct sink sink;              /* first, so that one pointer is the other; finish() leaves all of it */
	struct kept *all;
	size_t count;
	bool is_open, is_finished;
};

void kept_start(struct kept_sink *ret_kept);
void kept_done(struct kept_sink *kept);

/* DIRECTORY/NAME or NAME; owned by the caller. */
char *kept_path(const struct kept *item);
