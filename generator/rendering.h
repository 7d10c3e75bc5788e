/* A rendering under way: the output that it is at, the variables of its template, and the sink. */
#pragma once

#include "render-sources.h"
#include "sink.h"
#include "template.h"
#include "variables.h"

/* Texts of one unit are used again for the next. */
struct rendering {
	const struct render_sources *sources;
	struct sink *sink;
	struct variables variables;
	struct text name, description, reason, arguments, layers;
	struct text started, groups;           /* --started=, and what of it all servers have in common */
};

/*
 * An output, a line of the table in render.c: what it depends on, who writes it, from what, where to, whether at all, the directory
 * of the link that wants it, and the description of the fallback template, which takes over where the row of a unit is gone. The
 * name of servers and builds is what stands before the instance.
 */
struct output {
	enum part { OF_HOST, OF_ORIGIN, OF_ROWS } part;
	int (*put)(struct rendering *rendering, const struct output *output);
	const struct template *template;
	const char *directory, *name;
	bool (*when)(const struct render_sources *sources);
	const char *wanted_by;
	const char *fallback;
};

/* Gives a variable one text, borrowed, or with NULL none. */
static inline void rendering_set(struct rendering *rendering, unsigned variable, const char *text)
{
	variable_set(&rendering->variables, variable, text);
}

/* KIND INSTANCE.service, good until the next one. */
const char *rendering_unit_name(struct rendering *rendering, const char *kind, const char *instance);

/* Fills the template into a file of the sink. 0 or -1. */
int rendering_put(struct rendering *rendering, const struct template *template, const struct file *file);

/* A unit and, where it is wanted, the link to it. 0 or -1. */
int rendering_put_unit(struct rendering *rendering, const struct output *output, const char *name, bool wanted);

void rendering_done(struct rendering *rendering);
