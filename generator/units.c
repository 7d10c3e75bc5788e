#include "units.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "bus.h"
#include "name.h"
#include "screen.h"

/* What is asked of each. Of a timer all that a service has are missing. */
enum { SINCE, FIRST_START, RESULT, RESTARTS, PID, MEMORY, END_CODE, END_STATUS, MAIN_START, MAIN_END, NEEDS_RELOAD, PROPERTIES };
static const struct bus_property properties[PROPERTIES] = {
	[SINCE] = { "Unit", "StateChangeTimestampMonotonic", 't' },
	[FIRST_START] = { "Unit", "InactiveExitTimestampMonotonic", 't' },
	[RESULT] = { "Service", "Result", 's' },
	[RESTARTS] = { "Service", "NRestarts", 'u' },
	[PID] = { "Service", "MainPID", 'u' },
	[MEMORY] = { "Service", "MemoryCurrent", 't' },
	[END_CODE] = { "Service", "ExecMainCode", 'i' },
	[END_STATUS] = { "Service", "ExecMainStatus", 'i' },
	[MAIN_START] = { "Service", "ExecMainStartTimestampMonotonic", 't' },
	[MAIN_END] = { "Service", "ExecMainExitTimestampMonotonic", 't' },
	[NEEDS_RELOAD] = { "Unit", "NeedDaemonReload", 'b' },
};

/* So many restarts, the last so recently, are a loop even while the unit runs for a moment. */
enum { CRASHES_RESTARTS = 3, CRASHES_SECONDS = 600 };

/* --- one unit -------------------------------------------------------------------------------------------- */

/* A job of a unit that is not up can only be its start. */
static enum unit_state state_of(const char *active, const char *sub, bool has_job)
{
	static const struct {
		const char *active;
		enum unit_state state;
	} states[] = {
		{ "active", UNIT_RUNNING }, { "reloading", UNIT_RUNNING }, { "refreshing", UNIT_RUNNING },
		{ "activating", UNIT_STARTING }, { "deactivating", UNIT_STOPPING }, { "failed", UNIT_FAILED },
	};

	if (startswith(sub, "auto-restart"))
		return UNIT_RESTARTING;
	for (size_t i = 0; i < ELEMENTS(states); i++)
		if (strcmp(active, states[i].active) == 0 && !(has_job && states[i].state == UNIT_FAILED))
			return states[i].state;
	return has_job ? UNIT_WAITING : UNIT_STOPPED;
}

static int64_t not_negative(struct bus_value value)
{
	return value.number > 0 ? value.number : 0;
}

/* Takes the values of `shown` over; all but the last, where `count` says so. */
static struct unit unit_of(struct bus_unit *shown, size_t count)
{
	const struct bus_value *values = shown->values;
	enum unit_kind kind = UNIT_OF_HOST;
	char *name = unit_instance(shown->id, &kind), *result = take_ptr(&shown->values[RESULT].word);
	bool has_run = values[FIRST_START].number > 0;

	return (struct unit){
		.name = name ? name : xstrdup(shown->id), .kind = kind,
		.state = state_of(shown->active, shown->sub, shown->has_job),
		.has_run = has_run, .is_masked = shown->is_masked,
		.needs_reload = count > NEEDS_RELOAD && values[NEEDS_RELOAD].number > 0,
		/* A reload gives units that never ran its own time. */
		.since = has_run ? not_negative(values[SINCE]) : 0,
		.memory = values[MEMORY].number >= 0 ? values[MEMORY].number : UNIT_UNKNOWN,
		.restarts = not_negative(values[RESTARTS]),
		.pid = (pid_t) not_negative(values[PID]),
		.result = result ? result : xstrdup(""),
		.end_code = not_negative(values[END_CODE]),
		.end_status = not_negative(values[END_STATUS]),
		.end_after = values[MAIN_END].number > values[MAIN_START].number ? values[MAIN_END].number - values[MAIN_START].number : 0,
	};
}

static void unit_done(struct unit *unit)
{
	free(unit->name);
	free(unit->result);
}

static void add_unit(struct units *units, struct unit unit)
{
	units->units = grow_array(units->units, units->count, sizeof(*units->units));
	units->units[units->count++] = unit;
}

/* --- all of them ----------------------------------------------------------------------------------------- */

static int compare_units(const void *a, const void *b)
{
	const struct unit *x = a, *y = b;
	int64_t id, other;

	if (x->kind != y->kind)
		return (int) x->kind - (int) y->kind;
	if (x->kind == UNIT_BUILD && parse_id(x->name, &id) && parse_id(y->name, &other))
		return (id > other) - (id < other);
	return strcmp(x->name, y->name);
}

int units_ask(bool with_files, struct units *ret_units)
{
	static const char *const patterns[] = {
		"left4me-*.service", "left4me-*.timer", BUILD_UNIT "*.service", NULL,
	};
	const size_t count = with_files ? PROPERTIES : NEEDS_RELOAD;
	struct bus_units shown;
	int r = bus_ask(patterns, properties, count, &shown);

	if (r < 0)
		return r;
	*ret_units = UNITS_NONE;
	for (size_t i = 0; i < shown.count; i++)
		add_unit(ret_units, unit_of(&shown.units[i], count));
	bus_units_done(&shown);
	sort_array(ret_units->units, ret_units->count, sizeof(*ret_units->units), compare_units);
	return 0;
}

/* --- what is asked of the answer -------------------------------------------------------------------------- */

const struct unit *units_find(const struct units *units, enum unit_kind kind, const char *name)
{
	const struct unit key = { .kind = kind, .name = (char *) name };

	return units->count > 0 ? bsearch(&key, units->units, units->count, sizeof(key), compare_units) : NULL;
}

bool unit_is_up(const struct unit *unit)
{
	return unit && unit->state != UNIT_STOPPED && unit->state != UNIT_WAITING && unit->state != UNIT_FAILED;
}

bool unit_is_update(const struct unit *unit)
{
	return unit->kind == UNIT_OF_HOST && strcmp(unit->name, UPDATE_UNIT ".service") == 0;
}

bool unit_crashes(const struct unit *unit, int64_t now)
{
	return unit->state != UNIT_STOPPED && unit->state != UNIT_WAITING && unit->restarts >= CRASHES_RESTARTS &&
	       now - unit->since < CRASHES_SECONDS * USEC_PER_SEC;
}

/* --- in words -------------------------------------------------------------------------------------------- */

/* A command before the main process has failed, and of its exit status systemd says no more than that there was one. */
static char *failed_start(const char *result)
{
	bool has_status = strcmp(result, "exit-code") == 0;

	if (strcmp(result, "success") == 0)
		return NULL;
	return xasprintf("its start failed%s%s", has_status ? "" : ": ", has_status ? "" : result);
}

/* The main process has ended well, by the exit status of a server that ends on SIGINT too, and a command after it has failed. */
static bool failed_stop(const struct unit *unit)
{
	bool ended_well = unit->end_status == 0 || (unit->kind == UNIT_SERVER && unit->end_status == 130);

	return unit->end_code == CLD_EXITED && ended_well && strcmp(unit->result, "exit-code") == 0;
}

char *unit_end(const struct unit *unit)
{
	static const char *const words[] = { "oom-kill", "timeout", "watchdog" };
	cleanup_free char *after = duration_in_words(unit->end_after, false);
	cleanup_free char *how = NULL;

	for (size_t i = 0; i < ELEMENTS(words); i++)
		if (strcmp(unit->result, words[i]) == 0)
			how = xstrdup(words[i]);
	if (unit->end_code == 0)
		return failed_start(unit->result);
	if (failed_stop(unit))
		return xstrdup("its stop failed");
	if (!how)
		how = xasprintf("%s %" PRId64 "%s", unit->end_code == CLD_EXITED ? "exit status" : "signal", unit->end_status,
				unit->end_code == CLD_DUMPED ? " with a core" : "");
	return xasprintf("%s after %s", how, after);
}

void units_done(struct units *units)
{
	for (size_t i = 0; i < units->count; i++)
		unit_done(&units->units[i]);
	free(units->units);
	*units = UNITS_NONE;
}
