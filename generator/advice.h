/*
 * What can be done as it is asked for, but hardly is what was meant: rows and keys that stay in force. Only a check says
 * it; a boot does not.
 */
#pragma once

#include "config.h"
#include "model.h"

void advice_give(const struct config *config, const struct model *model, struct report *report);
