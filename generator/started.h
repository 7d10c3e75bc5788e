/*
 * What a server is or was started with, as far as it takes effect at a start alone: what running and configured servers
 * are compared by. A list of `key=value`; values are port, hashes, or the identity of a directory or file:
 *
 *   port=27015  arguments=HASH     of the row
 *   unit=HASH  hardening=HASH      of the unit and of its drop-in with the hardening, the same for all servers
 *   NAME.conf=HASH                 of a drop-in of the operator's; drop-ins.h
 *   layer=ID DEVICE INODE          each layer that is mounted, topmost first; ID may be `installation`
 *   host_env=DEVICE INODE SIZE CTIME          of host.env, zeros where there is none
 *
 * The generator writes the first five, separated by commas, as one argument of `left4me-overlay mount` into the unit; the
 * helper writes them and what it mounts, a line each, to RUN/left4me/mounted/NAME. A hash is FNV-1a in 16 digits: a
 * change is to be seen, nobody is kept from making one on purpose.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "base.h"

/* Where the helper writes the records, NAME each: root's directory below /run/left4me. */
#define STARTED_DIRECTORY "mounted"
#define STARTED_RECORDS "/run/left4me/" STARTED_DIRECTORY

#define STARTED_PORT "port"
#define STARTED_ARGUMENTS "arguments"
#define STARTED_UNIT "unit"
#define STARTED_HARDENING "hardening"
#define STARTED_LAYER "layer"
#define STARTED_HOST_ENV "host_env"

/* --- writing --------------------------------------------------------------------------------------------- */

uint64_t started_hash(const char *bytes, size_t length);

/*
 * The hash of those settings of a unit file or drop-in that take effect at a start alone; 0 where it has none. Comments,
 * blank lines and blanks around lines do not matter.
 */
uint64_t started_hash_settings(const char *text);

/* Appends the digits of a hash. */
void started_put_hash(struct text *out, uint64_t hash);

/* Appends ,NAME=HASH for a drop-in. Its name may hold anything: bytes that are not safe in a unit become '?'. */
void started_put_drop_in(struct text *out, const char *name, uint64_t hash);

/* Appends the line of a layer, and that of host.env; `state` is what stat(2) says, zeros for a file that is not there. */
void started_put_layer(struct text *out, const char *id, const struct stat *state);
void started_put_host_env(struct text *out, const struct stat *state);

/* --- reading and comparing ------------------------------------------------------------------------------- */

struct started {
	struct started_item {
		char *key, *value;
	} *items;
	size_t count;
};
#define STARTED_EMPTY ((struct started){ NULL, 0 })

/*
 * Why the row of a generated unit was refused, from "Description=..., refused: REASON", of which systemd doubles each '%'. Owned
 * by the caller; NULL for a good one.
 */
char *started_refusal(const char *unit);

/* Both are copied. */
void started_add(struct started *started, const char *key, const char *value);

/* The first value of a key, borrowed, or NULL. */
const char *started_value(const struct started *started, const char *key);

/* From the text of a record, and from the server's record in `directory`: false, and nothing, where there is none. */
void started_of_record(const char *text, struct started *ret_started);
bool started_read_record(const char *directory, const char *name, struct started *ret_started);

/* The port of a record that says what its unit started; 0 for one of a mount by hand, or that somebody has cut. */
unsigned started_port(const struct started *record);

/*
 * From the text of a generated unit: what its mount is told, and `layer=ID` for each layer, without the identity. Nothing
 * for a unit that mounts nothing, as a refused row's.
 */
void started_of_unit(const char *text, struct started *ret_started);

/* What is there now, of host.env and of the layer `id`, whose identity a unit does not have. */
void started_see_host_env(struct started *started, const struct stat *state);
void started_see_layer(struct started *started, const char *id, const struct stat *state);

/* The id of a layer without its identity, borrowed; NULL where each has one. */
const char *started_unseen_layer(const struct started *started);

/* Looks at host.env itself; nothing where that cannot be done. */
void started_look_at_host_env(struct started *started, const char *prefix);

/* The drop-ins, of both sides, for who may not read all of them: that one is missing tells nothing then. */
void started_forget_drop_ins(struct started *started);

/* Whether both have a value of the key, and not the same. */
bool started_differs(const struct started *then, const struct started *now, const char *key);

/*
 * Appends in words, separated by ", ", how `now` differs from `then`, a record: "port 27016 -> 27115, arguments, layer 4
 * rebuilt". Keys of either that the other lacks altogether, such as host_env where nobody looked, and layers of `now`
 * without an identity tell nothing. Returns whether anything differs.
 */
bool started_compare(const struct started *then, const struct started *now, struct text *out);

void started_done(struct started *started);
