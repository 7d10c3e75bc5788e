/*
 * What the two privileged helpers share: the clean start, entering the host's mount namespace, opening files below a
 * directory, and --help. The head of privileged.c lists the system calls. Nothing but that last one prints or exits.
 */
#pragma once

#include <stdint.h>

/* Root's, with a directory for each of the helpers' purposes. */
#define RUN_DIRECTORY "/run/left4me"

/* discard (RFC 863), for probes of an address filter: nothing listens there, and a datagram that does come through does no harm. */
enum { DISCARD_PORT = 9 };

/*
 * Drops what the process inherited: closes descriptors above 2, opens /dev/null for those of 0 to 2 that are
 * closed, empties the environment, sets umask 022, ignores SIGPIPE and sets no_new_privs, since the helpers execute
 * nothing. Returns 0 or -errno.
 */
int start_clean(void);

/* Moves this process from the unit's mount namespace into PID 1's. Returns 0 or -errno. */
int enter_host(void);

/*
 * Opens `path` below the open directory `directory`, without following any symbolic link. `flags` are those of
 * open(2), O_CLOEXEC is added; `resolve` adds to RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS (openat2(2)). Returns a
 * descriptor, which the caller closes, or -errno.
 */
int open_beneath(int directory, const char *path, int flags, uint64_t resolve);

/* Prints what --help or --version asks for; exits with 1 if it cannot be written, else with 0. */
_Noreturn void print_and_exit(const char *program, const char *text);
