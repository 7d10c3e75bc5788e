#include "plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "name.h"
#include "render.h"

#define WANTS "left4me.target.wants/"

/* --- the tree that is there ------------------------------------------------------------------------------ */

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Other generators write into the same directory; the mask of user@UID.service is in no collection. */
static bool is_ours(const char *name)
{
	return begins(name, "left4me") || begins(name, BUILD_UNIT) || begins(name, "l4d2");
}

static char *read_text(int directory, const char *name)
{
	cleanup_close int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct text text = TEXT_EMPTY;

	if (fd >= 0)
		(void) text_read(&text, fd);
	return text.data ? text_take(&text) : xstrdup("");
}

/* The files of one directory, and those of the directories in it. */
static int read_directory(int parent, const char *name, const char *below, struct collection *collection)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool top = !*below;

	if (!dir) {
		int error = errno;

		closep(&fd);
		return -error;
	}
	while ((entry = readdir(dir)) != NULL) {
		const char *file = entry->d_name;
		struct stat st;

		if (*file == '.' || fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			if (top)
				(void) read_directory(fd, file, file, collection);
		} else if (is_ours(file) || (!top && (is_ours(below) || strcmp(file, "10-left4me-cpuset.conf") == 0))) {
			collection_add(collection, below, file, S_ISREG(st.st_mode) ? read_text(fd, file) : xstrdup(""));
		}
	}
	(void) closedir(dir);
	return 0;
}

int plan_read_tree(const char *directory, struct collection *ret_collection)
{
	int r;

	*ret_collection = COLLECTION_EMPTY;
	r = read_directory(AT_FDCWD, directory, "", ret_collection);
	collection_sort(ret_collection);
	return r;
}

/* --- the settings that differ ---------------------------------------------------------------------------- */

static bool has_line(const char *text, const char *line, size_t length)
{
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (strcspn(text, "\n") == length && memcmp(text, line, length) == 0)
			return true;
	return false;
}

static bool is_setting(const char *line, size_t length)
{
	return length > 0 && !strchr("#;[", *line) && memchr(line, '=', length);
}

/* The first setting of that key in `text` that `other` lacks, or NULL; its value ends with the line. */
static const char *only_value(const char *text, const char *other, const char *key, size_t key_length)
{
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (strncmp(text, key, key_length) == 0 && text[key_length] == '=' &&
		    !has_line(other, text, strcspn(text, "\n")))
			return text + key_length + 1;
	return NULL;
}

static void put_value(struct text *out, const char *value)
{
	text_append(out, value, strcspn(value, "\n"));
}

enum { SETTINGS_SHOWN = 3, VALUES_SHOWN = 50 };

/* One setting: by the name of the configuration's key where its value is that key's. */
static void put_change(struct text *out, const char *path, const char *key, size_t length, const char *old, const char *new)
{
	cleanup_free char *setting = xasprintf("%.*s", (int) length, key);
	const char *name = render_key_of(path, setting);

	text_puts(out, out->length ? ", " : "");
	text_printf(out, "%s%s", name ? name : setting, name ? " " : "=");
	if ((old ? strcspn(old, "\n") : 0) + (new ? strcspn(new, "\n") : 0) > VALUES_SHOWN) {
		text_puts(out, " changed");
		return;
	}
	if (old)
		put_value(out, old);
	text_puts(out, old && new ? " -> " : old ? " dropped" : "");
	if (new)
		put_value(out, new);
}

/* Appends in words how the settings differ, or their number where they are many; `what` is what they are the settings of. */
static void put_settings(struct text *out, const char *path, const char *what, const char *old, const char *new)
{
	cleanup_text struct text words = TEXT_EMPTY;
	const char *const sides[] = { old, new };
	size_t count = 0;

	for (size_t side = 0; side < 2; side++)
		for (const char *line = sides[side]; *line; line += strcspn(line, "\n"), line += *line == '\n') {
			size_t length = strcspn(line, "\n"), key = strcspn(line, "=");
			const char *was, *is;

			if (!is_setting(line, length) || has_line(sides[!side], line, length))
				continue;
			was = only_value(old, new, line, key);
			is = only_value(new, old, line, key);
			if (side == 0 ? was != line + key + 1 : was != NULL || is != line + key + 1)
				continue;      /* said already, by the first line of that key */
			count++;
			put_change(&words, path, line, key, was, is);
		}
	if (count == 0)
		return;
	text_puts(out, out->length ? ", " : "");
	if (count > SETTINGS_SHOWN)
		text_printf(out, "%s (%zu settings, --diff shows them)", what, count);
	else
		text_puts(out, text_string(&words));
}

/* --- what runs ------------------------------------------------------------------------------------------- */

static const char *find_text(const struct collection *collection, const char *path)
{
	size_t low = 0, high = collection->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(collection->files[middle].path, path);

		if (order == 0)
			return collection->files[middle].text;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool state_of(const struct shown *shown, const char *unit, const char **ret_state, bool *ret_ran)
{
	for (size_t i = 0; shown && i < shown->count; i++) {
		const char *id = shown_value(shown, i, "Id"), *state = shown_value(shown, i, "ActiveState");

		if (!id || !state || strcmp(id, unit) != 0)
			continue;
		*ret_state = state;
		*ret_ran = shown_number(shown, i, "InactiveExitTimestampMonotonic") > 0;
		return true;
	}
	*ret_state = "inactive";
	*ret_ran = false;
	return false;
}

static bool runs(const struct shown *shown, const char *unit)
{
	const char *state;
	bool ran;

	return state_of(shown, unit, &state, &ran) && strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0;
}

/* --- servers --------------------------------------------------------------------------------------------- */

struct planning {
	const struct plan_sources *sources;
	struct plan *plan;
	bool common_is_said;
	struct stat host_env;
};

static struct change *add_change(struct plan *plan, enum plan_kind kind, char sign, const char *name, const char *unit)
{
	struct change *change;

	plan->changes = grow_array(plan->changes, plan->count, sizeof(*plan->changes));
	change = &plan->changes[plan->count++];
	*change = (struct change){
		.kind = kind, .sign = sign, .name = xstrdup(name), .unit = unit ? xstrdup(unit) : NULL, .is_shown = true,
	};
	return change;
}

struct server {
	const char *name;
	char *unit, *path_of_link;
	const char *old, *new;         /* texts; NULL: no such unit */
	bool was_wanted, is_wanted, runs, has_record, never_ran;
	struct started then, now;      /* what it was started with, or would be without this reload; and would be with it */
	char *refused;                 /* why, of the new one */
};

static void server_done(struct server *server)
{
	free(server->unit);
	free(server->path_of_link);
	free(server->refused);
	started_done(&server->then);
	started_done(&server->now);
}

static bool read_record(const char *directory, const char *name, struct started *ret_record)
{
	cleanup_free char *path = xasprintf("%s/%s", directory, name);

	return started_read_record(path, ret_record);
}

static void look_at_server(const struct planning *planning, const char *name, struct server *ret_server)
{
	const struct plan_sources *sources = planning->sources;
	struct server server = { .name = name, .unit = xasprintf(SERVER_UNIT "%s.service", name) };
	const char *state;
	bool ran;

	server.path_of_link = xasprintf(WANTS "%s", server.unit);
	server.old = find_text(sources->old, server.unit);
	server.new = find_text(sources->new, server.unit);
	server.was_wanted = find_text(sources->old, server.path_of_link) != NULL;
	server.is_wanted = find_text(sources->new, server.path_of_link) != NULL;
	server.refused = server.new ? started_refusal(server.new) : NULL;
	(void) state_of(sources->shown, server.unit, &state, &ran);
	server.never_ran = !ran && strcmp(state, "inactive") == 0;
	server.runs = runs(sources->shown, server.unit);
	started_of_unit(server.new ? server.new : "", &server.now);
	started_see_host_env(&server.now, &planning->host_env);
	server.then = STARTED_EMPTY;
	server.has_record = server.runs && read_record(sources->records, name, &server.then);
	if (server.has_record)
		look_see_layers(sources->look, &server.now);
	else
		started_of_unit(server.old ? server.old : "", &server.then);
	*ret_server = server;
}

/* What all servers have in common is said once. */
static void forget(struct started *started, const char *key)
{
	for (size_t i = 0; i < started->count; i++)
		if (strcmp(started->items[i].key, key) == 0)
			started->items[i].key[0] = '\0';
}

/* A server that runs and has no row any more; or that starts no more, or never has. */
static bool plan_presence(struct planning *planning, const struct server *server)
{
	cleanup_free char *was_refused = server->old ? started_refusal(server->old) : NULL;
	struct change *change;

	if (!server->new) {
		change = add_change(planning->plan, PLAN_SERVER, '-', server->name, server->unit);
		change->text = xstrdup(server->runs ? "row gone: runs on until it is stopped" : "row gone");
		change->action = server->runs ? PLAN_STOP : PLAN_NONE;
		return true;
	}
	if (server->refused) {
		if (was_refused && strcmp(was_refused, server->refused) == 0 && !server->runs)
			return false;
		change = add_change(planning->plan, PLAN_SERVER, server->old ? '~' : '+', server->name, server->unit);
		change->text = xasprintf("refused: %s%s", server->refused, server->runs ? "; runs on until it is stopped" : "");
		return true;
	}
	if (server->old && (!server->is_wanted || server->runs || !server->never_ran || !planning->sources->shown))
		return false;
	change = add_change(planning->plan, PLAN_SERVER, '+', server->name, server->unit);
	if (server->is_wanted && !server->runs) {
		change->text = xstrdup(server->old ? "enabled, not started" : "new, enabled");
		change->action = PLAN_START;
	} else {
		change->text = xstrdup(server->runs ? "has a row again" : "new, not enabled");
	}
	return true;
}

/* A server that stays: what is new in it. */
static bool plan_difference(struct planning *planning, struct server *server)
{
	cleanup_free char *was_refused = server->old ? started_refusal(server->old) : NULL;
	cleanup_text struct text words = TEXT_EMPTY;
	bool differs, all;
	struct change *change;

	if (server->refused)
		return false;
	if (server->runs && !server->has_record)
		text_puts(&words, "no record of its start");
	differs = started_compare(&server->then, &server->now, &words) || words.length > 0;
	all = differs;
	if (planning->common_is_said) {
		text_clear(&words);
		forget(&server->then, STARTED_UNIT);
		forget(&server->then, STARTED_HARDENING);
		if (server->runs && !server->has_record)
			text_puts(&words, "no record of its start");
		differs = started_compare(&server->then, &server->now, &words) || words.length > 0;
	}
	if (was_refused && !server->runs)
		text_puts(&words, "accepted again");
	if (server->was_wanted != server->is_wanted) {
		text_puts(&words, words.length ? ", " : "");
		text_puts(&words, server->is_wanted ? "enabled" : "no longer enabled");
	}
	if (!all && words.length == 0)
		return false;
	change = add_change(planning->plan, PLAN_SERVER, '~', server->name, server->unit);
	change->is_shown = words.length > 0;
	if (all && server->runs)
		change->action = PLAN_RESTART;
	change->text = xasprintf("%s%s", text_string(&words), differs && !server->runs ? ": at its next start" : "");
	return true;
}

static void plan_server(struct planning *planning, const char *name)
{
	cleanup(server_done) struct server server;

	look_at_server(planning, name, &server);
	if (!plan_presence(planning, &server) && !plan_difference(planning, &server))
		planning->plan->unchanged++;
}

/* The instance of a path such as left4me-server@NAME.service, owned by the caller, or NULL. */
static char *instance_of(const char *path, const char *kind, bool (*valid)(const char *name))
{
	size_t prefix = strlen(kind), length = strlen(path), suffix = strlen(".service");
	cleanup_free char *name = NULL;

	if (!begins(path, kind) || length <= prefix + suffix || strcmp(path + length - suffix, ".service") != 0)
		return NULL;
	name = xasprintf("%.*s", (int) (length - prefix - suffix), path + prefix);
	return valid(name) ? take_ptr(&name) : NULL;
}

static bool valid_id(const char *name)
{
	int64_t id;

	return parse_id(name, &id);
}

/* --- builds and the host's units ------------------------------------------------------------------------- */

static void plan_build(struct planning *planning, const char *id, const char *path, const char *old, const char *new)
{
	cleanup_free char *name = xasprintf("overlay %s", id), *reason = new ? started_refusal(new) : NULL;
	struct change *change;

	if (old && new && (strcmp(old, new) == 0 || (planning->common_is_said && !reason == !strstr(old, ", refused: ")))) {
		planning->plan->unchanged += strcmp(old, new) == 0;
		return;
	}
	change = add_change(planning->plan, PLAN_BUILD, !old ? '+' : !new ? '-' : '~', name, path);
	if (reason)
		change->text = xasprintf("refused: %s", reason);
	else if (!new)
		change->text = xstrdup(runs(planning->sources->shown, path) ? "row or script gone: its build runs on" : "row or script gone");
	else
		change->text = xstrdup(old ? "at its next build" : "has a script: can be built");
}

/* A unit of the host, or a drop-in of one. Slices and one-shots need nothing, services and timers a restart. */
static void plan_host(struct planning *planning, const char *path, const char *old, const char *new)
{
	const char *drop_in = strstr(path, ".d/");
	cleanup_free char *unit = drop_in ? xasprintf("%.*s", (int) (drop_in - path), path) : xstrdup(path);
	cleanup_text struct text words = TEXT_EMPTY;
	bool running = runs(planning->sources->shown, unit);
	struct change *change;

	if (old && new)
		put_settings(&words, path, drop_in ? "hardening" : "unit", old, new);
	if (old && new ? words.length == 0 : drop_in &&
	    !find_text(planning->sources->old, unit) != !find_text(planning->sources->new, unit))
		return;        /* comments; or a drop-in that comes and goes with its unit */
	change = add_change(planning->plan, PLAN_UNIT, !old ? '+' : !new ? '-' : '~', drop_in ? path : unit, unit);
	if (!new && !drop_in) {
		text_puts(&words, running ? "gone: runs on until it is stopped" : "gone");
		change->action = running ? PLAN_STOP : PLAN_NONE;
	} else if (!old && !drop_in) {
		text_puts(&words, "new");
		change->action = strstr(unit, ".timer") || strcmp(unit, "left4me-web.service") == 0 ? PLAN_START : PLAN_NONE;
	} else {
		text_puts(&words, words.length ? "" : old ? "gone" : "new");
		change->action = running && !strstr(unit, ".slice") && !strstr(unit, ".target") ? PLAN_RESTART : PLAN_NONE;
		text_puts(&words, strstr(unit, ".slice") ? ": at the next start in it" : "");
	}
	change->text = text_take(&words);
}

/* --- all servers ----------------------------------------------------------------------------------------- */

/* Whether each of the servers that run, two or more, was started with another unit or hardening. */
static bool all_differ(struct planning *planning, bool *ret_unit, bool *ret_hardening)
{
	size_t count = 0, differing = 0;

	*ret_unit = *ret_hardening = false;
	for (size_t i = 0; i < planning->sources->new->count; i++) {
		cleanup_free char *name = instance_of(planning->sources->new->files[i].path, SERVER_UNIT, valid_name);
		const char *a, *b, *c, *d;
		struct server server;

		if (!name)
			continue;
		look_at_server(planning, name, &server);
		a = started_value(&server.then, STARTED_UNIT), b = started_value(&server.now, STARTED_UNIT);
		c = started_value(&server.then, STARTED_HARDENING), d = started_value(&server.now, STARTED_HARDENING);
		if (server.runs && a && b && c && d) {
			count++;
			differing += strcmp(a, b) != 0 || strcmp(c, d) != 0;
			*ret_unit |= strcmp(a, b) != 0;
			*ret_hardening |= strcmp(c, d) != 0;
		}
		server_done(&server);
	}
	return count > 1 && differing == count;
}

static bool any_runs(const struct planning *planning)
{
	const struct shown *shown = planning->sources->shown;

	for (size_t i = 0; shown && i < shown->count; i++) {
		const char *id = shown_value(shown, i, "Id");

		if (id && begins(id, SERVER_UNIT) && runs(shown, id))
			return true;
	}
	return false;
}

static void put_common(struct text *words, const struct plan_sources *sources, const char *path, const char *what)
{
	const char *old = find_text(sources->old, path), *new = find_text(sources->new, path);

	if (old && new)
		put_settings(words, path, what, old, new);
}

static void plan_all(struct planning *planning)
{
	cleanup_text struct text servers = TEXT_EMPTY, builds = TEXT_EMPTY;
	bool unit, hardening;

	put_common(&servers, planning->sources, SERVER_UNIT ".service", "unit");
	put_common(&servers, planning->sources, SERVER_UNIT ".service.d/10-hardening.conf", "hardening");
	if (servers.length == 0 && all_differ(planning, &unit, &hardening))
		text_printf(&servers, "%s%s%s", unit ? "unit" : "", unit && hardening ? ", " : "", hardening ? "hardening" : "");
	if (servers.length > 0) {
		text_puts(&servers, any_runs(planning) ? ": restart" : ": at their next start");
		add_change(planning->plan, PLAN_ALL, '~', "all servers", NULL)->text = text_take(&servers);
		planning->common_is_said = true;
	}
	put_common(&builds, planning->sources, BUILD_UNIT ".service", "unit");
	put_common(&builds, planning->sources, BUILD_UNIT ".service.d/10-hardening.conf", "hardening");
	if (builds.length > 0) {
		text_puts(&builds, ": at their next build");
		add_change(planning->plan, PLAN_ALL, '~', "all builds", NULL)->text = text_take(&builds);
	}
}

/* --- all of it ------------------------------------------------------------------------------------------- */

static void plan_path(struct planning *planning, const char *path, const char *old, const char *new)
{
	cleanup_free char *server = instance_of(path, SERVER_UNIT, valid_name);
	cleanup_free char *build = instance_of(path, BUILD_UNIT, valid_id);

	planning->plan->needs_reload |= !old || !new || strcmp(old, new) != 0;
	if (server)
		plan_server(planning, server);
	else if (build)
		plan_build(planning, build, path, old, new);
	else if (!begins(path, SERVER_UNIT ".service") && !begins(path, BUILD_UNIT ".service") && !strstr(path, ".wants/"))
		plan_host(planning, path, old, new);
}

/* Servers that run without a unit of their own, now and after the reload. */
static void plan_orphans(struct planning *planning)
{
	const struct plan_sources *sources = planning->sources;

	for (size_t i = 0; sources->shown && i < sources->shown->count; i++) {
		const char *id = shown_value(sources->shown, i, "Id");
		cleanup_free char *name = id ? instance_of(id, SERVER_UNIT, valid_name) : NULL;

		if (name && runs(sources->shown, id) && !find_text(sources->old, id) && !find_text(sources->new, id))
			plan_server(planning, name);
	}
}

static int by_kind(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return x->kind != y->kind ? (int) x->kind - (int) y->kind : strcmp(x->name, y->name);
}

void plan_make(const struct plan_sources *sources, struct plan *ret_plan)
{
	struct planning planning = { .sources = sources, .plan = ret_plan };
	const struct collection *old = sources->old, *new = sources->new;

	*ret_plan = (struct plan){ .changes = NULL };
	if (stat(sources->host_env, &planning.host_env) < 0)
		planning.host_env = (struct stat){ 0 };
	plan_all(&planning);
	for (size_t i = 0, j = 0; i < old->count || j < new->count;) {
		int order = i == old->count ? 1 : j == new->count ? -1 : strcmp(old->files[i].path, new->files[j].path);

		plan_path(&planning, order <= 0 ? old->files[i].path : new->files[j].path,
			  order <= 0 ? old->files[i].text : NULL, order >= 0 ? new->files[j].text : NULL);
		i += order <= 0;
		j += order >= 0;
	}
	plan_orphans(&planning);
	sort_array(ret_plan->changes, ret_plan->count, sizeof(*ret_plan->changes), by_kind);
}

void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->changes[i].name);
		free(plan->changes[i].text);
		free(plan->changes[i].unit);
	}
	free(plan->changes);
}

/* --- the lines ------------------------------------------------------------------------------------------- */

static void put_lines(struct text *out, char mark, const char *text, const char *other)
{
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		size_t length = strcspn(text, "\n");

		if (has_line(other, text, length))
			continue;
		text_putc(out, mark);
		text_append(out, text, length);
		text_putc(out, '\n');
	}
}

static void put_file(struct text *out, const char *path, const char *old, const char *new)
{
	if (old && new && strcmp(old, new) == 0)
		return;
	text_printf(out, "%s%s\n", path, !old ? " (new)" : !new ? " (gone)" : "");
	put_lines(out, '-', old ? old : "", new ? new : "");
	put_lines(out, '+', new ? new : "", old ? old : "");
}

void plan_diff(const struct collection *old, const struct collection *new, struct text *out)
{
	for (size_t i = 0, j = 0; i < old->count || j < new->count;) {
		int order = i == old->count ? 1 : j == new->count ? -1 : strcmp(old->files[i].path, new->files[j].path);

		put_file(out, order <= 0 ? old->files[i].path : new->files[j].path,
			 order <= 0 ? old->files[i].text : NULL, order >= 0 ? new->files[j].text : NULL);
		i += order <= 0;
		j += order >= 0;
	}
}
