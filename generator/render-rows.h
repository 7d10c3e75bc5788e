/* What is made of the rows: units of servers and builds, their turns, and the sudo rules. Each returns 0, or -1. */
#pragma once

#include "rendering.h"

/* The template of a kind of unit, without a row: it serves instances that have no unit of their own, as those of a vanished row. */
int render_fallback(struct rendering *rendering, const struct output *output);

int render_servers(struct rendering *rendering, const struct output *output);
int render_builds(struct rendering *rendering, const struct output *output);

/* Who is wanted takes a turn: an instance of the template. */
int render_turns(struct rendering *rendering, const struct output *output);

/* Without rows, the rules of an earlier run stay: what runs must stay stoppable. */
int render_sudo_rules(struct rendering *rendering, const struct output *output);
