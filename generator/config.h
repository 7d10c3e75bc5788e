/*
 * /etc/left4me -> struct config; left4me.conf(5).
 * Precedence, lowest first: defaults, host.env, web.env, left4me.conf, left4me.conf.d/ in byte order.
 */
#pragma once

#include <stdbool.h>

#include "keys.h"
#include "report.h"

/*
 * Each key of keys.h as a string that its grammar allows (value.h), owned by the struct and never NULL but for
 * host.cpus, which is NULL when not given; then what follows from them.
 */
#define KEY_FIELD(section, name, ...) char *name;
struct config {
	struct {
		HOST_KEYS(KEY_FIELD)
	} host;
	struct {
		WEB_KEYS(KEY_FIELD)
	} web;
	struct {
		GAME_KEYS(KEY_FIELD)
	} game;
	struct {
		BUILD_KEYS(KEY_FIELD)
	} build;
	struct {
		WORKSHOP_KEYS(KEY_FIELD)
	} workshop;
	struct {
		UPDATE_KEYS(KEY_FIELD)
	} update;

	unsigned port_first, port_last;
	size_t server_limit, overlay_limit;    /* so many rows get a unit */
	bool web_enabled, strict_ports, unix_sockets, web_may_update;
	char *reserved_cpus, *game_cpus;       /* AllowedCPUs= lists, both NULL when nothing is pinned */
};

/* Where the configuration comes from, and whether this machine is the host that it speaks of. */
struct config_source {
	const char *prefix;    /* put before every path that is read, "" or a directory */
	const char *path;      /* NULL: /etc/left4me; "-": standard input; else a file or a directory */
	bool root_owned;       /* refuse files that another than root may write */
	bool on_target;        /* this is the host itself: its topology may be looked at */
};

/*
 * Reads everything and reports every fault with its place. An assignment that is refused costs its own key only,
 * which then has its default: *ret_config always is a complete, valid configuration. The caller frees it.
 */
void config_load(const struct config_source *source, struct report *report, struct config *ret_config);

/*
 * How servers, builds and updates see the homes (ProtectHome=). True: as empty directories, in which what is bound has its place,
 * since ROOT or the helpers lie there by their name. False: not at all, and what a link leads there cannot be bound either.
 */
bool config_opens_homes(const struct config *config);

void config_done(struct config *config);

/* Whether a file of that name in left4me.conf.d is read. */
bool config_is_fragment(const char *name);
