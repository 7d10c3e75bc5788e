/*
 * Pure checks of what comes from the database or a command line; shared with the helpers.
 * They touch nothing but their arguments.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel takes 500 lower layers (OVL_MAX_STACK in overlayfs); one of them is always the installation. */
enum { LAYERS_MAX = 500, OVERLAYS_MAX = LAYERS_MAX - 1 };

/* The most that [host] servers and overlays allow: beyond, PID 1 itself is too slow for everybody else. */
#define SERVERS_MAX 5000
#define OVERLAY_ROWS_MAX 10000

/* The longest script of an overlay, in bytes. */
enum { SCRIPT_MAX = 1024 * 1024 };

/* What the helpers take for ROOT unless --root= says otherwise. */
#define DEFAULT_ROOT "/var/lib/left4me"

/* The environment of servers and web application, beside the configuration. */
#define HOST_ENV "/etc/left4me/host.env"

/* The word that stands for ROOT/installation in a list of layers; always the last one. */
#define INSTALLATION "installation"

/* Directories below ROOT that every server sees beside its own overlay: server-hardening.conf binds them. */
#define SHARED_DIRECTORIES INSTALLATION, "overlays", "workshop_cache", ".steam", "steam"

/* What stands before an instance name or overlay id in the name of its unit; ".service" follows. */
#define SERVER_UNIT "left4me-server@"
#define QUEUE_UNIT "left4me-queue@"
#define BUILD_UNIT "build-overlay@"

/* What ".service" follows in the name of the unit that builds the installation. */
#define UPDATE_UNIT "left4me-update"

/* An instance name: [a-z0-9][a-z0-9_-]{0,63}. It is a file name, a unit name and a word in sudoers. */
bool valid_name(const char *name);

/* Decimal digits only: no sign, blank or leading zero; within min..max. *ret_number is set on success only. */
bool parse_decimal(const char *text, int64_t min, int64_t max, int64_t *ret_number);

/* An overlay id: 1 to 2^63-1, in the one way of writing it. */
bool parse_id(const char *text, int64_t *ret_id);
bool valid_id(const char *text);

/* The length in bytes of the printable UTF-8 character at s, with `left` bytes to go; 0 when there is none. */
size_t character_length(const char *s, size_t left);

/* Valid UTF-8 (RFC 3629) without control characters (C0, DEL, C1). */
bool valid_text(const char *text, size_t length);

/* Absolute, no empty, "." or ".." component, no slash at the end; not "/". */
bool valid_path(const char *path);

/* Whether ProtectHome= hides the path. A directory of these itself does not count: to show it would show them all. */
bool path_in_homes(const char *path);

/* Whether the path is, by its name, below what builds and updates see of the host: /usr, and what its directories are called besides. */
bool path_in_usr(const char *path);

/* Of the directories that a server's unit makes anew (server-hardening.conf) the one that the path is below, or NULL. */
const char *path_mask(const char *path);

/* Whether units have a directory of their own there, or none. */
bool path_is_private(const char *path);

/* The directory that a valid_path() lies in, owned by the caller; "" where that is "/". */
char *path_directory(const char *path);

/* The part of a valid_path() below another, within it: "" for the directory itself, NULL if it does not lie there. */
const char *path_below(const char *path, const char *directory);

/*
 * The name of the server or the id of the build that a unit with that whole name is of, owned by the caller; NULL for a unit of
 * the host's own, a template or another's.
 */
enum unit_kind { UNIT_SERVER, UNIT_BUILD, UNIT_OF_HOST };
char *unit_instance(const char *unit, enum unit_kind *ret_kind);
