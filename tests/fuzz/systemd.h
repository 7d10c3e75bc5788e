/*
 * What systemd makes of a unit's text: written from systemd.syntax(7), systemd.exec(5), systemd.service(5) and the
 * behaviour of 257, and with nothing of the generator's, so that its escaping meets another's reading.
 * tests/system-arguments.t compares it with systemd itself.
 */
#pragma once

#include "base.h"

/* One assignment, blanks cut off, continued lines joined; a comment has the key "#" and is its whole line. */
struct entry {
	char *section, *key, *value;
};

struct unit {
	struct entry *entries;
	size_t count;
};

/* False for a text with anything in it that systemd would warn of or that ends a line unseen: NUL, a carriage return. */
bool unit_parse(const char *text, size_t length, struct unit *ret_unit);
void unit_done(struct unit *unit);

struct words {
	char **of;
	size_t count;
};

/*
 * Lines of Environment= and Exec*= (quotes removed, C escapes known, everything else in error), and the value of a
 * variable that stands alone as $VARIABLE (quotes removed, a backslash takes the next byte, nothing is in error).
 */
enum words_rule { WORDS_OF_LINE, WORDS_OF_VARIABLE };

/* False where the line is in error; the words before it are there. */
bool words_split(const char *text, enum words_rule rule, struct words *ret_words);
void words_done(struct words *words);

/* %% and %i expanded; NULL where any other specifier stands. Owned by the caller. */
char *specifiers_expand(const char *text, const char *instance);

/* Valid UTF-8 without control characters. */
bool is_printable(const char *text, size_t length);
