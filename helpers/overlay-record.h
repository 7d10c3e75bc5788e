/*
 * The record of what a server was started with, STARTED_RECORDS/NAME, by which status and plan see what waits for a
 * restart: a line for each key=value that the unit gives as --started=, for each layer with device and inode, and for
 * host.env, of which no more than its identity is looked at. generator/started.h says what the keys mean.
 */
#pragma once

#include "base.h"

/*
 * Writes the record of the instance `name`: `started`, which may be NULL, and the layers with their open descriptors.
 * Dies of an error.
 */
void write_record(const char *name, const char *started, char *const *layers, const int *descriptors, size_t count);

/* The same for an instance that is mounted already, whose layers are those of the record that is there. */
void renew_record(const char *name, const char *started);

/*
 * The names of the instances that their units have mounted, and nobody by hand, each ended by a NUL; the caller frees them. Dies
 * of an error.
 */
struct text recorded_instances(void);

/* Removes it, if there is one. Dies of an error. */
void remove_record(const char *name);
