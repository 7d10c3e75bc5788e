#include "plan-commands.h"

#include <stdio.h>
#include <string.h>

static void print_action(const struct change *change)
{
	static const char *const verbs[] = {
		[PLAN_STOP_BEFORE] = "stop", [PLAN_START] = "start", [PLAN_RESTART] = "restart", [PLAN_STOP] = "stop",
	};

	(void) printf("systemctl %s %s  # %s\n", verbs[change->action], change->unit,
		      *change->text ? change->text : "what changes for all servers");
}

/* Not twice for a unit of which both the file and a drop-in change: they stand one after the other. */
static bool is_repeated(const struct plan *plan, size_t i)
{
	const struct change *change = &plan->changes[i];

	return change->kind == PLAN_UNIT && i > 0 && change[-1].action == change->action && strcmp(change[-1].unit, change->unit) == 0;
}

static void print_free_actions(const struct plan *plan, enum plan_action first, enum plan_action last)
{
	for (enum plan_action action = first; action <= last; action++)
		for (size_t i = 0; i < plan->count; i++)
			if (plan->changes[i].action == action && !plan->changes[i].holder && !is_repeated(plan, i))
				print_action(&plan->changes[i]);
}

/* What changes for a server; NULL where nothing does. */
static const struct change *find_change(const struct plan *plan, const char *server)
{
	const struct change key = { .kind = PLAN_SERVER, .name = (char *) server };

	return bsearch(&key, plan->changes, plan->count, sizeof(key), plan_compare);
}

/* Whether no command has the holder of its port let go: a refused server runs on, and whoever waits for it waits, too. */
static bool is_stuck(const struct plan *plan, const struct change *change)
{
	size_t steps = 0;

	for (; change && change->holder && steps <= plan->count; steps++)
		change = find_change(plan, change->holder);
	return change && !change->holder && change->action == PLAN_NONE;
}

enum progress { TO_DO, UNDER_WAY, DONE };

/* Behind whoever has to let go of the port first. Where each of several waits for the next, this one is stopped before the last of them. */
static void print_waiting_action(const struct plan *plan, const struct change *change, enum progress *progress)
{
	const struct change *holder = find_change(plan, change->holder);
	enum progress *mine = &progress[change - plan->changes];

	*mine = UNDER_WAY;
	if (holder && progress[holder - plan->changes] == UNDER_WAY)
		(void) printf("systemctl stop %s  # lets go of its port\n", holder->unit);
	else if (holder && holder->holder && progress[holder - plan->changes] == TO_DO)
		print_waiting_action(plan, holder, progress);
	print_action(change);
	*mine = DONE;
}

static void print_waiting_actions(const struct plan *plan)
{
	cleanup_free enum progress *progress = xcalloc(plan->count + 1, sizeof(*progress));

	for (size_t i = 0; i < plan->count; i++) {
		const struct change *change = &plan->changes[i];

		if (!change->holder || progress[i] == DONE)
			continue;
		if (is_stuck(plan, change))
			(void) printf("# %s: %s, once %s no longer has its port\n", change->unit, change->text, change->holder);
		else
			print_waiting_action(plan, change, progress);
	}
}

void plan_print_commands(const struct plan *plan)
{
	print_free_actions(plan, PLAN_STOP_BEFORE, PLAN_STOP_BEFORE);
	if (plan->needs_reload)
		(void) puts("systemctl daemon-reload  # takes the units in, changes nothing that runs");
	print_free_actions(plan, PLAN_START, PLAN_STOP);
	print_waiting_actions(plan);
}
