/* host.env and web.env: what the web application is told and left4me goes by, too; left4me.conf(5). */
#pragma once

#include "config.h"

/* Values that their keys allow, NULL where neither file has a good one; owned by whoever has the struct. */
struct config_env {
	char *root, *database;         /* [host] */
	char *ports;                   /* [game] */
};

/* Reads both files of the directory. `ports` is the range of which one end stays when only the other is set. */
void config_env_load(const struct config_source *source, const char *directory, const char *ports, struct report *report,
		     struct config_env *ret_env);
