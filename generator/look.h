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
	FOUND_FILE = 'f',              /* one that was asked for; NAME is its number, from 0 */
	FOUND_INTERPRETER = 'x',       /* what the kernel runs a script of these by; NAME is the script's number */
	FOUND_GAME = 'g',              /* NAME is the installation or an overlay that has an srcds_run */
};

struct found {
	enum found_kind kind;
	char *name;
	struct stat state;             /* st_dev, st_ino, st_mode, st_uid and st_gid */
	int64_t number;                /* bytes or port; when runtime/NAME was made, in seconds since 1970, 0 where nobody knows; of
					  a file 0, or the errno of what was asked for; of a layer 0, or why none is mounted */
	char *real;                    /* of a file: where it is once all links are followed; maybe empty. Of an interpreter the
					  same, or what the script calls it */
};

struct look {
	struct found *found;
	size_t count;
	bool complete;                 /* everything was seen; otherwise time ended, or a permission was missing */
	char *unseen;                  /* then: the first path that was not seen, and its errno; 0 when time ended there */
	int error;
};
#define LOOK_EMPTY ((struct look){ .found = NULL })

/* A path anywhere that the user has to reach. Without `access`, bits of access(2), it is only to be there. */
struct look_file {
	const char *path;
	int access;
	bool is_no_link;               /* a link there is looked at itself */
	bool is_program;               /* of a script its interpreter counts, too */
};

struct look_request {
	const char *root;              /* links on the way to it are followed, below it none */
	const char *uid, *gid;         /* decimal numbers: what a caller that is root becomes */
	const pid_t *pids;             /* whose ports are asked for */
	size_t pid_count;
	const struct look_file *files; /* looked for first, in this order */
	size_t file_count;
	bool game;                     /* whether there is an srcds_run, in the overlays where the installation has none */
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
