/*
 * Escaping: a privilege boundary. What goes through here was written by an unprivileged web user and ends in
 * units that root's systemd reads. Every input is valid_text() already: no control character, valid UTF-8.
 */
#pragma once

#include "base.h"

/*
 * For a value that systemd takes to the end of the line (Description=): '%' is doubled. A backslash at the end
 * of a line would join the next one and has no escape there: the template puts something behind such a value.
 */
void escape_value(struct text *out, const char *value);

/*
 * For one word of a command line (Exec*=; systemd.syntax(7) "Quoting", then specifiers): in double quotes with '\', '"'
 * and '%' escaped, or bare where nothing needs them. '$' stays: lines that take such words begin with ':'.
 */
void escape_word(struct text *out, const char *word);

/*
 * Arguments, separated by blanks, for the end of a command line: each as by escape_word(), with a blank before it.
 */
void escape_arguments(struct text *out, const char *arguments);

/* For people: bytes that are not printable UTF-8 as \n, \t, \r or \xNN. Any input; owned by the caller. */
char *escape_message(const char *message);
