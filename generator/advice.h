/*
 * Rows and keys that stay in force, but are hardly what was meant. The check names them, and so does the report of a reload; the
 * kernel's log does not.
 */
#pragma once

#include "config.h"
#include "model.h"

void advice_give(const struct config *config, const struct model *model, struct report *report);
