/*
 * Every key of left4me.conf(5), once. From this list come struct config, what reads and checks it (config.c), the
 * variables of the templates (variables.h), and the commented left4me.conf (deploy/left4me.conf.awk).
 *
 *     KEY(section, name, grammar of value.h, default, placeholder, shown instead of a default, comment)
 *
 * A key without a comment stands under the comment of the one above it. The default is NULL where it follows from
 * other keys or from the host (resolve_paths() in config.c, config-cpus.c); an empty value fills no placeholder.
 */
#pragma once

/* Where make install puts the helpers. */
#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec/left4me"
#endif

#define HOST_KEYS(KEY) \
	KEY(host, root, TYPE_PATH, "/var/lib/left4me", ROOT, "", \
	    "Where installation, overlays, workshop_cache, runtime and the database lie.") \
	KEY(host, database, TYPE_PATH, NULL, DATABASE, "/var/lib/left4me/left4me.db", \
	    "The web application's SQLite database; must be absolute. Default: left4me.db below root.") \
	KEY(host, source, TYPE_PATH, "/opt/left4me/src", SOURCE, "", \
	    "Working directory of the web application.") \
	KEY(host, helpers, TYPE_PATH, LIBEXECDIR, HELPERS, "", \
	    "Where left4me-overlay and left4me-fetch-script are installed.") \
	KEY(host, user, TYPE_USER, "left4me", USER, "", \
	    "The one identity of web application, servers and builds.") \
	KEY(host, group, TYPE_USER, "left4me", GROUP, "", "") \
	KEY(host, uid, TYPE_ID, "980", UID, "", "") \
	KEY(host, gid, TYPE_ID, "980", GID, "", "") \
	KEY(host, servers, TYPE_SERVERS, "256", SERVER_LIMIT, "", \
	    "So many rows of servers and overlays count, the first by name and by id; further ones get neither unit nor rule.") \
	KEY(host, overlays, TYPE_OVERLAYS, "1000", OVERLAY_LIMIT, "", "") \
	KEY(host, cpus, TYPE_HOST_CPUS, NULL, CPUS, "8", \
	    "Threads of the target: their number, or which they are, such as 0,2,4,6. Default: those online; render must be told.") \
	KEY(host, system_cpus, TYPE_CPU_LIST, "", SYSTEM_CPUS, "", \
	    "Threads reserved for everything that is not a game, such as 0,4 or 0-1. Default: none, and no CPU is pinned.") \
	KEY(host, memory, TYPE_MEMORY, "85%", MEMORY, "", \
	    "Memory of all servers and builds together, a size or a percentage of the host's; the rest is for everything else.")

#define WEB_KEYS(KEY) \
	KEY(web, enabled, TYPE_YES_OR_NO, "yes", WEB_ENABLED, "", \
	    "no: no web service is emitted.") \
	KEY(web, venv, TYPE_PATH, NULL, VENV, "/var/lib/left4me/.venv", \
	    "The virtual environment with gunicorn and flask. Default: .venv below root.") \
	KEY(web, application, TYPE_WORDS, "l4d2web.app:create_app()", WEB_APPLICATION, "", \
	    "What gunicorn serves, and more options for it; words are separated by blanks.") \
	KEY(web, bind, TYPE_BIND, "127.0.0.1:8000", WEB_BIND, "", \
	    "Address and port of gunicorn, numeric.") \
	KEY(web, workers, TYPE_WORKERS, "1", WEB_WORKERS, "", \
	    "Processes of gunicorn; the application claims jobs in one process, so leave it at 1.") \
	KEY(web, threads, TYPE_WORKERS, "32", WEB_THREADS, "", \
	    "Threads of each; every open live log holds one.") \
	KEY(web, memory_max, TYPE_LIMIT, "1G", WEB_MEMORY_MAX, "", \
	    "Memory of the web application with its live logs; above it something of it is killed. The workshop refresh has as much.")

#define GAME_KEYS(KEY) \
	KEY(game, ports, TYPE_PORTS, "27000-27999", GAME_PORTS, "", \
	    "A server with a port outside is refused.") \
	KEY(game, strict_ports, TYPE_YES_OR_NO, "no", GAME_STRICT_PORTS, "", \
	    "yes: servers can bind nothing outside of ports; needs libbpf1, and Steam's own ports must be inside.") \
	KEY(game, memory_high, TYPE_SIZE, "1.5G", GAME_MEMORY_HIGH, "", \
	    "Memory of one server: slowed down above high, killed above max.") \
	KEY(game, memory_max, TYPE_LIMIT, "2G", GAME_MEMORY_MAX, "", "") \
	KEY(game, tasks_max, TYPE_TASKS, "256", GAME_TASKS_MAX, "", \
	    "Threads and processes of one server.") \
	KEY(game, nice, TYPE_NICE, "-5", GAME_NICE, "", \
	    "Scheduling priority of servers, -20 (first) to 19.")

#define BUILD_KEYS(KEY) \
	KEY(build, memory_max, TYPE_LIMIT, "4G", BUILD_MEMORY_MAX, "", \
	    "Limits of one overlay build. Its /tmp counts as memory; large files belong in /overlay.") \
	KEY(build, tasks_max, TYPE_TASKS, "512", BUILD_TASKS_MAX, "", "") \
	KEY(build, cpu_quota, TYPE_QUOTA, "200%", BUILD_CPU_QUOTA, "", "") \
	KEY(build, timeout, TYPE_TIME, "1h", BUILD_TIMEOUT, "", "") \
	KEY(build, unix_sockets, TYPE_YES_OR_NO, "no", BUILD_UNIX_SOCKETS, "", \
	    "yes: build scripts may use AF_UNIX sockets, and so reach abstract sockets of this host.") \
	KEY(build, resolv_conf, TYPE_PATH, "/etc/left4me/sandbox-resolv.conf", RESOLV_CONF, "", \
	    "What a build sees as /etc/resolv.conf: public resolvers, since it cannot reach this network.") \
	KEY(build, denied_addresses, TYPE_ADDRESSES, "", DENIED_ADDRESSES, "", \
	    "More networks that builds cannot reach: the host's own public addresses, such as 203.0.113.10/32 2001:db8::/64.")

#define WORKSHOP_KEYS(KEY) \
	KEY(workshop, refresh, TYPE_CALENDAR, "*-*-* 04:00:00", REFRESH, "", \
	    "When workshop items are refreshed, as in systemd.time(7). Empty: never, the default without a web service.") \
	KEY(workshop, command, TYPE_COMMAND, "flask --app l4d2web.app:create_app workshop-refresh", WORKSHOP_COMMAND, "", \
	    "What refreshes them: a program below bin of venv, and its arguments.")

#define UPDATE_KEYS(KEY) \
	KEY(update, command, TYPE_PROGRAM, "", UPDATE_COMMAND, "", \
	    "What updates the game in /overlay: a program's path and its arguments. Empty: there is no left4me-update.service.") \
	KEY(update, timeout, TYPE_TIME, "6h", UPDATE_TIMEOUT, "", \
	    "Time limit of an update; its other limits are those of builds.") \
	KEY(update, web_may_start, TYPE_YES_OR_NO, "no", UPDATE_BY_WEB, "", \
	    "yes: the web application may start and stop it, and read its log.")

#define KEYS(KEY) HOST_KEYS(KEY) WEB_KEYS(KEY) GAME_KEYS(KEY) BUILD_KEYS(KEY) WORKSHOP_KEYS(KEY) UPDATE_KEYS(KEY)
