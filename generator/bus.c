#include "bus.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SYSTEMD "org.freedesktop.systemd1"

/* The bus takes 128 calls of one client before their answers: dbus-daemon(1), max_replies_per_connection. */
enum { CALLS_MAX = 100 };

/* Seconds for one answer, as is sd-bus(3)'s own default, which a variable of the caller's would change. */
enum { PATIENCE = 25 };

/* --- libsystemd ------------------------------------------------------------------------------------------ */

/*
 * Of sd-bus(3) what is used here, declared as its manual pages have it. The library is loaded when somebody asks: linked in, it would
 * cost the generator a third of a run.
 */
typedef struct sd_bus sd_bus;
typedef struct sd_bus_message sd_bus_message;
typedef struct sd_bus_slot sd_bus_slot;
typedef struct sd_bus_error sd_bus_error;
typedef int (*sd_bus_message_handler_t)(sd_bus_message *message, void *userdata, sd_bus_error *ret_error);

static struct {
	int (*sd_bus_new)(sd_bus **ret);
	int (*sd_bus_set_address)(sd_bus *bus, const char *address);
	int (*sd_bus_set_bus_client)(sd_bus *bus, int b);
	int (*sd_bus_set_method_call_timeout)(sd_bus *bus, uint64_t usec);
	int (*sd_bus_start)(sd_bus *bus);
	int (*sd_bus_is_ready)(sd_bus *bus);
	int (*sd_bus_message_new_method_call)(sd_bus *bus, sd_bus_message **m, const char *destination, const char *path,
					      const char *interface, const char *member);
	int (*sd_bus_message_append_strv)(sd_bus_message *m, char **l);
	int (*sd_bus_call)(sd_bus *bus, sd_bus_message *m, uint64_t usec, sd_bus_error *ret_error, sd_bus_message **reply);
	int (*sd_bus_call_method_async)(sd_bus *bus, sd_bus_slot **slot, const char *destination, const char *path,
					const char *interface, const char *member, sd_bus_message_handler_t callback, void *userdata,
					const char *types, ...);
	int (*sd_bus_process)(sd_bus *bus, sd_bus_message **ret);
	int (*sd_bus_wait)(sd_bus *bus, uint64_t timeout_usec);
	int (*sd_bus_message_enter_container)(sd_bus_message *m, char type, const char *contents);
	int (*sd_bus_message_read)(sd_bus_message *m, const char *types, ...);
	int (*sd_bus_message_get_errno)(sd_bus_message *m);
	sd_bus_message *(*sd_bus_message_unref)(sd_bus_message *m);
	sd_bus *(*sd_bus_close_unref)(sd_bus *bus);
} lib;

static int load(void)
{
	static const struct {
		const char *name;
		void *function;
	} functions[] = {
#define FUNCTION(name) { #name, &lib.name }
		FUNCTION(sd_bus_new), FUNCTION(sd_bus_set_address), FUNCTION(sd_bus_set_bus_client),
		FUNCTION(sd_bus_set_method_call_timeout), FUNCTION(sd_bus_start), FUNCTION(sd_bus_is_ready),
		FUNCTION(sd_bus_message_new_method_call), FUNCTION(sd_bus_message_append_strv), FUNCTION(sd_bus_call),
		FUNCTION(sd_bus_call_method_async), FUNCTION(sd_bus_process), FUNCTION(sd_bus_wait),
		FUNCTION(sd_bus_message_enter_container), FUNCTION(sd_bus_message_read), FUNCTION(sd_bus_message_get_errno),
		FUNCTION(sd_bus_message_unref), FUNCTION(sd_bus_close_unref),
#undef FUNCTION
	};
	void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; i < ELEMENTS(functions); i++) {
		void *function = library ? dlsym(library, functions[i].name) : NULL;

		if (!function)
			return -ENOSYS;
		memcpy(functions[i].function, &function, sizeof(function));
	}
	return 0;
}

bool bus_has_library(void)
{
	return load() == 0;
}

static void close_bus(sd_bus **bus)
{
	if (*bus)
		(void) lib.sd_bus_close_unref(*bus);
}

static void drop_message(sd_bus_message **message)
{
	if (*message)
		(void) lib.sd_bus_message_unref(*message);
}

/* Left to itself the library would wait 90 seconds for the other side to greet it. */
static int wait_until_ready(sd_bus *bus)
{
	const int64_t end = time_now(CLOCK_MONOTONIC) + PATIENCE * USEC_PER_SEC;
	int r;

	while ((r = lib.sd_bus_is_ready(bus)) == 0) {
		const int64_t left = end - time_now(CLOCK_MONOTONIC);

		r = lib.sd_bus_process(bus, NULL);
		if (r == 0 && left <= 0)
			return -ETIMEDOUT;
		if (r == 0)
			r = lib.sd_bus_wait(bus, (uint64_t) left);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : 0;
}

static int open_address(const char *address, bool is_bus, sd_bus **ret_bus)
{
	cleanup(close_bus) sd_bus *bus = NULL;
	int r;

	if ((r = lib.sd_bus_new(&bus)) < 0 ||
	    (r = lib.sd_bus_set_address(bus, address)) < 0 ||
	    (r = lib.sd_bus_set_bus_client(bus, is_bus)) < 0 ||
	    (r = lib.sd_bus_set_method_call_timeout(bus, PATIENCE * USEC_PER_SEC)) < 0 ||
	    (r = lib.sd_bus_start(bus)) < 0 ||
	    (r = wait_until_ready(bus)) < 0)
		return r;
	*ret_bus = take_ptr(&bus);
	return 0;
}

/* As systemctl does it: root asks systemd itself, where its socket is there. No variable of the caller's says where. */
static int open_bus(sd_bus **ret_bus)
{
	int r = geteuid() == 0 ? open_address("unix:path=/run/systemd/private", false, ret_bus) : -ENOENT;

	if (r == 0 || r == -ETIMEDOUT)
		return r;
	return open_address("unix:path=/run/dbus/system_bus_socket", true, ret_bus);
}

/* --- all calls at once ----------------------------------------------------------------------------------- */

/* What is under way, and the first thing that went wrong. */
struct calls {
	sd_bus *bus;
	size_t waiting;
	int error;
};

/* One property of one unit. */
struct call {
	struct calls *calls;
	char type;
	struct bus_value *value;
};

static int read_value(sd_bus_message *answer, char type, struct bus_value *ret_value)
{
	const char signature[] = { type, '\0' };
	const char *word;
	uint32_t u;
	uint64_t t;
	int32_t i;
	int b, r;

	switch (type) {
	case 'b':
		r = lib.sd_bus_message_read(answer, "v", signature, &b);
		*ret_value = (struct bus_value){ .number = r > 0 ? b : -1 };
		return r;
	case 's':
		r = lib.sd_bus_message_read(answer, "v", signature, &word);
		*ret_value = (struct bus_value){ .word = r > 0 ? xstrdup(word) : NULL };
		return r;
	case 'u':
		r = lib.sd_bus_message_read(answer, "v", signature, &u);
		*ret_value = (struct bus_value){ .number = r > 0 ? (int64_t) u : -1 };
		return r;
	case 'i':
		r = lib.sd_bus_message_read(answer, "v", signature, &i);
		*ret_value = (struct bus_value){ .number = r > 0 ? i : -1 };
		return r;
	default:
		r = lib.sd_bus_message_read(answer, "v", signature, &t);
		*ret_value = (struct bus_value){ .number = r > 0 && t <= INT64_MAX ? (int64_t) t : -1 };
		return r;
	}
}

/* Returns 1, so that sd_bus_process() counts it as progress also if the answer is that time is over. */
static int take_value(sd_bus_message *answer, void *userdata, sd_bus_error *ret_error)
{
	const struct call *call = userdata;
	int r = -lib.sd_bus_message_get_errno(answer);

	(void) ret_error;
	if (r == 0)
		r = read_value(answer, call->type, call->value);
	call->calls->waiting--;
	if (r < 0 && call->calls->error == 0)
		call->calls->error = r;
	return 1;
}

/* Until no more than `waiting` answers are missing, or something went wrong. */
static int process(struct calls *calls, size_t waiting)
{
	while (calls->error == 0 && calls->waiting > waiting) {
		int r = lib.sd_bus_process(calls->bus, NULL);

		if (r == 0)
			r = lib.sd_bus_wait(calls->bus, UINT64_MAX);
		if (r < 0)
			return r;
	}
	return calls->error;
}

/* A timer, say, is not asked for what only a service has. */
static bool has_property(const char *id, const struct bus_property *property)
{
	const char *kind = strrchr(id, '.');

	return strcmp(property->interface, "Unit") == 0 || (kind && strcasecmp(kind + 1, property->interface) == 0);
}

static int ask_property(struct call *call, const char *path, const struct bus_property *property)
{
	cleanup_free char *interface = xconcat(SYSTEMD, ".", property->interface);
	int r = process(call->calls, CALLS_MAX - 1);

	if (r < 0)
		return r;
	call->calls->waiting++;
	return lib.sd_bus_call_method_async(call->calls->bus, NULL, SYSTEMD, path, "org.freedesktop.DBus.Properties", "Get",
					    take_value, call, "ss", interface, property->name);
}

/* --- all units ------------------------------------------------------------------------------------------- */

static int list_units(sd_bus *bus, const char *const patterns[], sd_bus_message **ret_list)
{
	cleanup(drop_message) sd_bus_message *call = NULL;
	int r;

	if ((r = lib.sd_bus_message_new_method_call(bus, &call, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
						    "ListUnitsByPatterns")) < 0 ||
	    (r = lib.sd_bus_message_append_strv(call, NULL)) < 0 ||        /* whatever their state is */
	    (r = lib.sd_bus_message_append_strv(call, (char **) patterns)) < 0 ||
	    (r = lib.sd_bus_call(bus, call, 0, NULL, ret_list)) < 0)
		return r;
	return lib.sd_bus_message_enter_container(*ret_list, 'a', "(ssssssouso)");
}

static int read_list(sd_bus_message *list, struct bus_units *units)
{
	const char *id, *description, *load_state, *active, *sub, *following, *path, *job_type, *job_path;
	uint32_t job;
	int r;

	while ((r = lib.sd_bus_message_read(list, "(ssssssouso)", &id, &description, &load_state, &active, &sub, &following, &path, &job,
					    &job_type, &job_path)) > 0) {
		struct bus_unit unit = {
			.id = xstrdup(id), .active = xstrdup(active), .sub = xstrdup(sub), .path = xstrdup(path), .has_job = job > 0,
			.is_masked = strcmp(load_state, "masked") == 0,
			.values = xcalloc(units->value_count + 1, sizeof(*unit.values)),
		};

		units->units = grow_array(units->units, units->count, sizeof(*units->units));
		units->units[units->count++] = unit;
	}
	return r;
}

static int read_properties(sd_bus *bus, const struct bus_property properties[], struct bus_units *units)
{
	size_t count = units->value_count;
	cleanup_free struct call *each = xcalloc(units->count * count + 1, sizeof(*each));
	struct call *next = each;
	struct calls calls = { .bus = bus };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < units->count; i++)
		for (size_t p = 0; r >= 0 && p < count; p++) {
			struct bus_unit *unit = &units->units[i];

			unit->values[p].number = -1;
			if (!has_property(unit->id, &properties[p]))
				continue;
			*next = (struct call){ &calls, properties[p].type, &unit->values[p] };
			r = ask_property(next++, unit->path, &properties[p]);
		}
	return r < 0 ? r : process(&calls, 0);
}

int bus_ask(const char *const patterns[], const struct bus_property properties[], size_t count, struct bus_units *ret_units)
{
	cleanup(close_bus) sd_bus *bus = NULL;
	cleanup(drop_message) sd_bus_message *list = NULL;
	struct bus_units units = { .value_count = count };
	int r;

	if ((r = load()) < 0 ||
	    (r = open_bus(&bus)) < 0 ||
	    (r = list_units(bus, patterns, &list)) < 0 ||
	    (r = read_list(list, &units)) < 0 ||
	    (r = read_properties(bus, properties, &units)) < 0) {
		bus_units_done(&units);
		return r;
	}
	*ret_units = units;
	return 0;
}

void bus_units_done(struct bus_units *units)
{
	for (size_t i = 0; i < units->count; i++) {
		struct bus_unit *unit = &units->units[i];

		for (size_t p = 0; p < units->value_count; p++)
			free(unit->values[p].word);
		free(unit->values);
		free(unit->id);
		free(unit->active);
		free(unit->sub);
		free(unit->path);
	}
	free(units->units);
	*units = BUS_UNITS_NONE;
}
