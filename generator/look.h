/*
 * What lies below ROOT and in the memory of servers. Both are the configured user's, who can have whoever looks wait for
 * ever: so a child process with that user's rights looks, and is left behind when its time is over. Root never looks itself.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base.h"
#include "started.h"

enum found_kind {
	FOUND_OVERLAY = 'o',           /* overlays/NAME; NAME is valid_id() */
	FOUND_INSTALLATION = 'i',
	FOUND_RUNTIME = 'r',           /* runtime/NAME; NAME is valid_name() */
	FOUND_OVERLAY_SIZE = 'O',      /* how much overlays/NAME takes on disk */
	FOUND_RUNTIME_SIZE = 'R',
	FOUND_PORT = 'p',              /* NAME is a process id; the port stands on its command line */
};

struct found {
	enum found_kind kind;
	char *name;
	struct stat state;             /* st_dev and st_ino, of a directory */
	int64_t number;                /* bytes, port, or when a directory was made, in seconds since 1970, 0 where nobody knows */
};

struct look {
	struct found *found;
	size_t count;
	bool complete;                 /* everything was seen; otherwise time ended, or a permission was missing */
};

struct look_request {
	const char *root;              /* links on the way to it are followed, below it none */
	const char *uid, *gid;         /* decimal numbers: what a caller that is root becomes */
	const pid_t *pids;             /* whose ports are asked for */
	size_t pid_count;
	bool sizes;
};

/* Looks for LOOK_PATIENCE seconds at most, with sizes for LOOK_SIZES_PATIENCE. */
enum { LOOK_PATIENCE = 2, LOOK_SIZES_PATIENCE = 20 };
void look(const struct look_request *request, struct look *ret_look);

/* The one of that kind and name, or NULL. */
const struct found *look_find(const struct look *look, enum found_kind kind, const char *name);

/*
 * Whether runtime/NAME was there before the row was `created`, in seconds since 1970, 0 if unknown: then it has the files of an
 * earlier server. A time to come is somebody's mistake and proves nothing.
 */
bool look_is_inherited(const struct look *look, const char *name, int64_t created);

/* What is there now of the layers that a unit mounts (started.h). */
void look_see_layers(const struct look *look, struct started *started);

void look_done(struct look *look);
