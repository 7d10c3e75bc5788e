/* An environment file as systemd reads it (systemd.exec(5), EnvironmentFile=): what it takes for a variable counts, and nothing else. */
#pragma once

/*
 * Calls set() for each variable, quotes and escapes removed, with the place "LABEL:LINE" where it begins. The value is NULL for a
 * line without an equals sign, which systemd passes over.
 */
void env_file_parse(const char *text, const char *label,
		    void (*set)(void *userdata, const char *key, const char *value, const char *where), void *userdata);
