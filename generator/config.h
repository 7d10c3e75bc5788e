/*
 * /etc/left4me -> struct config. Knows every key, its default and its grammar; left4me.conf(5).
 * Precedence, lowest first: defaults, host.env, web.env, left4me.conf, left4me.conf.d/ in byte order.
 */
#pragma once

#include <stdbool.h>

#include "report.h"

/* All strings are valid by value.h, owned by the struct and never NULL, unless a comment says otherwise. */
struct config {
	struct {
		char *root, *database, *source, *helpers;
		char *user, *group, *uid, *gid;
		char *cpus;            /* NULL when not given */
		char *system_cpus;     /* "" when nothing is reserved */
	} host;
	struct {
		char *enabled, *venv, *bind, *workers, *threads;
	} web;
	struct {
		char *ports, *strict_ports, *memory_high, *memory_max, *tasks_max, *nice;
	} game;
	struct {
		char *memory_max, *tasks_max, *cpu_quota, *timeout, *unix_sockets;
		char *resolv_conf, *denied_addresses;
	} build;
	struct {
		char *refresh;         /* "" for no timer */
	} workshop;

	/* What follows from them. */
	unsigned port_first, port_last;
	bool web_enabled, strict_ports, unix_sockets;
	char *reserved_cpus, *game_cpus;       /* AllowedCPUs= lists, both NULL when nothing is pinned */
};

/* Where the configuration comes from and how far this machine is its target. */
struct config_source {
	const char *prefix;    /* put before every path that is read, "" or a directory */
	const char *path;      /* NULL: /etc/left4me; "-": standard input; else a file or a directory */
	bool root_owned;       /* refuse files that another than root may write */
	bool on_target;        /* this is the host itself: its topology may be looked at */
};

/*
 * Reads everything and reports every fault with its place; an assignment that is refused costs its own key
 * only, which then has its default. Always leaves a complete, valid configuration in *ret_config.
 */
void config_load(const struct config_source *source, struct report *report, struct config *ret_config);

void config_done(struct config *config);
