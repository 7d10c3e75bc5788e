/*
 * struct rows -> struct model: what the rows mean once each of them was checked. A bad row is refused with its place
 * and reason and stops no other; with a valid name or id it stays, marked `refused`, because its unit must not vanish
 * under a running server. Code behind the model does not validate.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "rows.h"

enum { OVERLAY_NAME_MAX = 200, ARGUMENTS_MAX = 4096 };         /* bytes */

struct instance {
	const char *name;              /* valid_name() */
	size_t row;                    /* of its view, from 1 */
	char *refused;                 /* why, printable; NULL for a good one, for which alone the rest is set */
	unsigned port;
	const char *port_text;         /* the same in digits */
	bool enabled;
	const char *arguments;         /* printable, maybe empty */
	int64_t created;               /* seconds since 1970; 0 where the row does not say, -1 where it says what is no such number */
	size_t first_layer, layer_count;       /* in the model's layers */
};

struct overlay {
	int64_t id;                    /* parse_id() */
	const char *id_text;           /* the same in digits */
	size_t row;                    /* of its view, from 1 */
	char *refused;                 /* as above */
	bool has_script;               /* set for a refused one too */
	const char *name;              /* printable, maybe empty */
};

/* A place in a stack; of one instance they stand together, topmost first. */
struct layer {
	size_t instance;               /* index in the model's instances */
	int64_t position;
	size_t overlay;                /* index in the model's overlays */
	size_t row;
};

struct model {
	struct instance *instances;    /* by name, each name once */
	size_t instance_count;         /* those that count; behind them those beyond [host] servers */
	size_t instance_total;
	struct overlay *overlays;      /* by id, each id once */
	size_t overlay_count;          /* those that count; behind them those beyond [host] overlays */
	size_t overlay_total;
	struct layer *layers;
	size_t layer_count;
	size_t refused;                /* instances, overlays, and rows that became neither */
};

/* Reports every row that is refused. Texts are borrowed from the rows, which must live as long. */
void model_build(const struct config *config, const struct rows *rows, struct report *report,
		 struct model *ret_model);

/* The one of that name or id, also beyond the limits; NULL where there is none. */
struct instance *model_instance(const struct model *model, const char *name);
struct overlay *model_overlay(const struct model *model, int64_t id);

/* Whether an instance of the model is within [host] servers. */
static inline bool model_counts(const struct model *model, const struct instance *instance)
{
	return instance < model->instances + model->instance_count;
}

/* Whether a row of that name, or of that id, is beyond [host] servers, or overlays. */
bool model_is_beyond(const struct model *model, const char *name);
bool model_is_overlay_beyond(const struct model *model, const char *id);

/* Whether the host's boot starts it. */
static inline bool instance_is_to_start(const struct instance *instance)
{
	return !instance->refused && instance->enabled;
}

void model_done(struct model *model);
