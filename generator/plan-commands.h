/* What an operator would type for a plan to be done: the reload, and what frees a port before what needs it. */
#pragma once

#include "plan.h"

/* Prints the commands on standard output, each a line that runs as it is printed, with what it does behind "#". */
void plan_print_commands(const struct plan *plan);
