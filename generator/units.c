#include "units.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "name.h"

#define PROPERTIES "Id,ActiveState,SubState,Job,Result,NRestarts,MainPID,MemoryCurrent,ExecMainCode,ExecMainStatus," \
	"ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic,StateChangeTimestampMonotonic," \
	"InactiveExitTimestampMonotonic"

/* So many restarts, the last so recently, are a loop even while the unit runs for a moment. */
enum { CRASHES_RESTARTS = 3, CRASHES_SECONDS = 600 };

/* --- one unit -------------------------------------------------------------------------------------------- */

static const char *value_of(const struct shown *shown, size_t at, const char *property)
{
	const char *value = shown_value(shown, at, property);

	return value ? value : "";
}

static int64_t number_of(const struct shown *shown, size_t at, const char *property, int64_t otherwise)
{
	int64_t number;

	return parse_decimal(value_of(shown, at, property), 0, INT64_MAX, &number) ? number : otherwise;
}

/* What is not up has no other job than to start. */
static enum unit_state state_of(const char *active, const char *sub, bool has_job)
{
	static const struct {
		const char *active;
		enum unit_state state;
	} states[] = {
		{ "active", UNIT_RUNNING }, { "reloading", UNIT_RUNNING }, { "refreshing", UNIT_RUNNING },
		{ "activating", UNIT_STARTING }, { "deactivating", UNIT_STOPPING }, { "failed", UNIT_FAILED },
	};

	if (strncmp(sub, "auto-restart", strlen("auto-restart")) == 0)
		return UNIT_RESTARTING;
	for (size_t i = 0; i < ELEMENTS(states); i++)
		if (strcmp(active, states[i].active) == 0 && !(has_job && states[i].state == UNIT_FAILED))
			return states[i].state;
	return has_job ? UNIT_WAITING : UNIT_STOPPED;
}

/* A reload gives units that never ran its own time. */
static int64_t since(const struct shown *shown, size_t at, bool has_run)
{
	return has_run ? number_of(shown, at, "StateChangeTimestampMonotonic", 0) : 0;
}

static struct unit unit_of(const struct shown *shown, size_t at)
{
	const char *id = value_of(shown, at, "Id");
	enum unit_kind kind = UNIT_OF_HOST;
	char *name = unit_instance(id, &kind);
	bool has_run = number_of(shown, at, "InactiveExitTimestampMonotonic", 0) > 0;
	int64_t started = number_of(shown, at, "ExecMainStartTimestampMonotonic", 0);
	int64_t ended = number_of(shown, at, "ExecMainExitTimestampMonotonic", 0);

	return (struct unit){
		.name = name ? name : xstrdup(id), .kind = kind,
		.state = state_of(value_of(shown, at, "ActiveState"), value_of(shown, at, "SubState"),
				  number_of(shown, at, "Job", 0) > 0),
		.has_run = has_run,
		.since = since(shown, at, has_run),
		.memory = number_of(shown, at, "MemoryCurrent", UNIT_UNKNOWN),
		.restarts = number_of(shown, at, "NRestarts", 0),
		.pid = (pid_t) number_of(shown, at, "MainPID", 0),
		.result = xstrdup(value_of(shown, at, "Result")),
		.end_code = number_of(shown, at, "ExecMainCode", 0),
		.end_status = number_of(shown, at, "ExecMainStatus", 0),
		.end_after = ended > started ? ended - started : 0,
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

/* systemd is long in telling all that it knows of a unit: not those that unmount, one for each server, of which mostly none ran. */
void units_ask_for(struct question *ret_question)
{
	static const char *const patterns[] = {
		"left4me-[!u]*.service", UPDATE_UNIT ".service", "left4me-*.timer", BUILD_UNIT "*.service", NULL,
	};

	manager_ask_show(PROPERTIES, patterns, ret_question);
}

int units_answer(struct question *question, struct units *ret_units)
{
	cleanup(shown_done) struct shown shown = SHOWN_EMPTY;

	if (manager_answer_show(question, &shown) < 0)
		return -1;
	*ret_units = UNITS_NONE;
	for (size_t i = 0; i < shown.count; i++)
		add_unit(ret_units, unit_of(&shown, i));
	sort_array(ret_units->units, ret_units->count, sizeof(*ret_units->units), compare_units);
	return 0;
}

int units_ask(struct units *ret_units)
{
	struct question question;

	units_ask_for(&question);
	return units_answer(&question, ret_units);
}

/* --- servers alone, and little of them -------------------------------------------------------------------- */

void units_ask_for_states(struct question *ret_question)
{
	static const char *const command[] = {
		"/usr/bin/systemctl", "list-units", "--all", "--full", "--plain", "--no-legend", "--", SERVER_UNIT "*.service", NULL,
	};

	manager_ask(command, ret_question);
}

/* "UNIT LOAD ACTIVE SUB DESCRIPTION" */
static void add_listed(const char *line, struct units *units)
{
	char id[256], active[32], sub[32];
	enum unit_kind kind = UNIT_OF_HOST;
	char *name = sscanf(line, "%255s %*s %31s %31s", id, active, sub) == 3 ? unit_instance(id, &kind) : NULL;

	if (name)
		add_unit(units, (struct unit){ .name = name, .kind = kind, .state = state_of(active, sub, false), .result = xstrdup("") });
}

/* Whether it has failed, or was started not long ago, as one that crashes again and again always was. */
static bool may_have_crashed(const struct unit *unit)
{
	cleanup_free char *link = xasprintf("/run/systemd/units/invocation:" SERVER_UNIT "%s.service", unit->name);
	struct stat st;

	if (unit->state != UNIT_RUNNING)
		return unit->state != UNIT_STOPPED;
	return lstat(link, &st) < 0 || time(NULL) - st.st_mtim.tv_sec < CRASHES_SECONDS;
}

/* All that is known of these. One that is gone by now stays as it was listed. */
static int look_closer(struct units *units)
{
	cleanup_free const char **names = xcalloc(units->count + 1, sizeof(*names));
	cleanup(shown_done) struct shown shown = SHOWN_EMPTY;
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < units->count; i++)
		if (may_have_crashed(&units->units[i]))
			names[count++] = xasprintf(SERVER_UNIT "%s.service", units->units[i].name);
	if (count > 0)
		r = manager_show(PROPERTIES, names, &shown);
	for (size_t i = 0; i < shown.count; i++) {
		struct unit unit = unit_of(&shown, i);
		struct unit *listed = (struct unit *) units_find(units, unit.kind, unit.name);

		unit_done(listed ? listed : &unit);
		if (listed)
			*listed = unit;
	}
	for (size_t i = 0; i < count; i++)
		free((char *) names[i]);
	return r;
}

int units_answer_states(struct question *question, struct units *ret_units)
{
	cleanup_text struct text out = TEXT_EMPTY;
	cleanup_free char *lines = NULL;
	char *rest = NULL;

	if (manager_answer(question, &out) != 0)
		return -1;
	*ret_units = UNITS_NONE;
	lines = text_take(&out);
	for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		add_listed(line, ret_units);
	sort_array(ret_units->units, ret_units->count, sizeof(*ret_units->units), compare_units);
	return look_closer(ret_units);
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
	       now - unit->since < CRASHES_SECONDS * INT64_C(1000000);
}

void units_done(struct units *units)
{
	for (size_t i = 0; i < units->count; i++)
		unit_done(&units->units[i]);
	free(units->units);
	*units = UNITS_NONE;
}
