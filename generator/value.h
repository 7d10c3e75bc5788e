/*
 * The grammar of configuration values (left4me.conf(5)). It is narrower than systemd's where systemd would
 * ignore a value with a warning: MemoryMax=lots means no limit at all. Pure checks.
 */
#pragma once

#include <stdbool.h>

bool value_is_yes_or_no(const char *value);
bool value_is_yes(const char *value);                  /* of a value that is one of the two */
bool value_is_size(const char *value);                 /* bytes: 512M, 1.5G, infinity; at least 1 */
bool value_is_time(const char *value);                 /* 90s, 15min, 1h; at least 1 s, at most a year */
bool value_is_quota(const char *value);                /* 200%; at least 1% */
bool value_is_path(const char *value);                 /* a name.h path that no unit syntax can misread */
bool value_is_user(const char *value);
bool value_is_id(const char *value);                   /* uid or gid: 1 to 2^32-2 */
bool value_is_cpu_count(const char *value);
bool value_is_tasks(const char *value);
bool value_is_nice(const char *value);
bool value_is_workers(const char *value);
bool value_is_ports(const char *value);                /* FIRST-LAST within 1024 to 65535 */
bool value_is_bind(const char *value);                 /* ADDRESS:PORT, [ADDRESS]:PORT */
bool value_is_addresses(const char *value);            /* prefixes, separated by blanks; may be empty */
bool value_is_calendar(const char *value);             /* the characters of systemd.time(7); may be empty */
bool value_is_cpu_list(const char *value);             /* 0,4 or 0-1; may be empty */

/* Splits a value that value_is_ports() accepts. */
void value_split_ports(const char *value, unsigned *ret_first, unsigned *ret_last);
