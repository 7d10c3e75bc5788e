/*
 * struct config and struct model -> units, drop-ins, links and sudo rules, pushed into a sink one by one. All
 * policy about units is here: which files there are, what stands in each, what is wanted by what. Knows no directory
 * of the host and no JSON.
 */
#pragma once

#include "render-sources.h"
#include "sink.h"

/* The drop-in of left4me-reload.service after a slow reading: gone with the next one, so that no plan is about it. */
#define SLOW_DROP_IN "10-slow.conf"

/*
 * The key of left4me.conf, as "[section] key", whose value alone is that of a setting in a unit; NULL where there is none. The
 * path is that of the unit or drop-in below the generator's directory.
 */
const char *render_key_of(const char *path, const char *setting);

/*
 * What the configuration alone says, the same for any rows; what depends on where the rows came from; instances, builds
 * and sudo rules. 0, or -1 as soon as the sink fails, which has reported it.
 */
int render_host(const struct render_sources *sources, struct sink *sink);
int render_origin(const struct render_sources *sources, struct sink *sink);
int render_rows(const struct render_sources *sources, struct sink *sink);
