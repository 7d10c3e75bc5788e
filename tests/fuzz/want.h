/*
 * What the rows should come to: a second opinion on model.c, from the README's table of the views. Slow and simple.
 */
#pragma once

#include <stdint.h>

#include "rows.h"

struct want_layer {
	long long position, overlay;
};

struct want_instance {
	const char *name, *port, *arguments;
	bool refused, enabled;
	struct want_layer *layers;     /* of the rows that are not refused; sorted by position */
	size_t layer_count;
};

struct want_overlay {
	const char *id, *name;
	bool refused, has_script;
};

struct want {
	struct want_instance *instances;       /* one for each valid name, sorted */
	size_t instance_count;
	struct want_overlay *overlays;         /* one for each valid id, sorted */
	size_t overlay_count;
};

void want_rows(const struct rows *rows, long first_port, long last_port, struct want *ret_want);
void want_done(struct want *want);

const struct want_instance *want_server(const struct want *want, const char *name, size_t length);
const struct want_overlay *want_build(const struct want *want, const char *id, size_t length);
