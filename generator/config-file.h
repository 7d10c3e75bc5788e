/* One configuration file in memory: read as a whole, refused as a whole. */
#pragma once

#include <stdbool.h>

#include "report.h"

enum { CONFIG_FILE_MAX = 64 * 1024 };  /* bytes */

/*
 * The text of a regular file, owned by the caller, or NULL when there is none: silently when it does not
 * exist and may be missing, else with the reason in the report. With root_owned a file that somebody else
 * than root owns or may write is refused. `label` is its name in messages, `path` "-" is standard input.
 */
char *config_file_read(const char *path, const char *label, bool may_be_missing, bool root_owned,
		       struct report *report);

/* Reports why a file or directory of the configuration could not be opened; with root_owned it is root who reads it. */
void config_file_failed(const char *label, int error, bool root_owned, struct report *report);

/* Overwrites the text before it is freed: web.env holds the web application's secret key. */
void config_file_freep(char **text);

/*
 * Calls set() for each "key = value" of an ini file, with the place "LABEL:LINE"; a key in a section that
 * known_section() denies is passed over, its section reported. Lines that are neither section, key nor
 * comment, or longer than inih takes, are reported and passed over.
 */
struct ini_handler {
	bool (*known_section)(const char *section);
	void (*set)(void *userdata, const char *section, const char *key, const char *value, const char *where);
	void *userdata;
};
void config_file_parse_ini(const char *text, const char *label, const struct ini_handler *handler,
			   struct report *report);
