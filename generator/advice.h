/*
 * What can be done as it is asked for, but hardly is what was meant: rows and keys that stay in force. A check says it, and
 * the report of a reload; the kernel's log does not.
 */
#pragma once

#include "config.h"
#include "model.h"

void advice_give(const struct config *config, const struct model *model, struct report *report);
