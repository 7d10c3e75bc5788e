/*
 * Any rows through model and render of the real program, and a judgement of all that comes out: which rows count and
 * why is worked out anew from the README's table, the units are read back with systemd.h's rules.
 */
#pragma once

#include "rows.h"
#include "running.h"

/* Two hosts: every default, and one where everything that can be is otherwise. */
enum { ORACLE_HOSTS = 2 };

/* Ends the process unless there are exactly the intended units, links and rules, each with the intended text. */
void oracle_rows(const struct rows *rows, const struct running *running, unsigned host);

/* There are exactly the sudo rules of these units, in their order, without a pattern; changes the text. */
struct want;
void oracle_rules(struct text *rules, const struct want *want, const struct running *running, const char *user);

/* Every line of the unit stands in its template in that order, with something in the place of each placeholder. */
void oracle_unit(const char *template, const char *text, size_t length);

/* The template that makes the file of the host, "" for none; `path` is DIRECTORY/NAME or NAME. */
const char *oracle_template(const char *path);
