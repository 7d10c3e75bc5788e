#include "started.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "name.h"

/* --- writing --------------------------------------------------------------------------------------------- */

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t hash_more(uint64_t hash, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) bytes[i]) * FNV_PRIME;
	return hash;
}

uint64_t started_hash(const char *bytes, size_t length)
{
	return hash_more(FNV_BASIS, bytes, length);
}

/*
 * What a reload applies to a running unit: systemd looks at these when the process has ended or is to end. Everything
 * else in [Service] is set up at the start; of limits such as MemoryMax= and CPUWeight= the kernel hears at some later time,
 * when another unit of the slice starts (seen with systemd 257). [Unit] has dependencies and texts only.
 */
static bool applies_at_reload(const char *line, size_t length)
{
	static const char *const keys[] = {
		"ExecReload", "ExecStop", "ExecStopPost", "FinalKillSignal", "KillMode", "KillSignal", "Restart",
		"RestartForceExitStatus", "RestartKillSignal", "RestartMaxDelaySec", "RestartPreventExitStatus", "RestartSec",
		"RestartSteps", "RuntimeMaxSec", "SendSIGHUP", "SendSIGKILL", "SuccessExitStatus", "TimeoutAbortSec", "TimeoutSec",
		"TimeoutStopFailureMode", "TimeoutStopSec",
	};
	const char *equals = memchr(line, '=', length);
	size_t key = equals ? (size_t) (equals - line) : length;

	while (key > 0 && isspace((unsigned char) line[key - 1]))
		key--;
	for (size_t i = 0; i < ELEMENTS(keys); i++)
		if (strlen(keys[i]) == key && memcmp(keys[i], line, key) == 0)
			return true;
	return false;
}

static const char *skip_blanks(const char *line)
{
	return line + strspn(line, " \t\r");
}

uint64_t started_hash_settings(const char *text)
{
	bool in_service = false, counts = false, continued = false, any = false;
	uint64_t hash = FNV_BASIS;

	text = behind_byte_order_mark(text);
	for (const char *line = skip_blanks(text); *line; line = skip_blanks(line_after(line))) {
		size_t length = strcspn(line, "\n");
		bool is_section = !continued && *line == '[';

		while (length > 0 && isspace((unsigned char) line[length - 1]))
			length--;
		if (length == 0)
			continued = false;
		if (length == 0 || *line == '#' || *line == ';')
			continue;
		if (is_section)
			in_service = length == strlen("[Service]") && memcmp(line, "[Service]", length) == 0;
		else if (!continued)
			counts = in_service && !applies_at_reload(line, length);
		if (counts && !is_section) {
			hash = hash_more(hash_more(hash, line, length), "\n", 1);
			any = true;
		}
		continued = line[length - 1] == '\\';
	}
	return any ? hash : 0;
}

static bool is_safe(char c)
{
	return isalnum((unsigned char) c) || (c && strchr("@._/+:-", c));
}

void started_put_hash(struct text *out, uint64_t hash)
{
	static const char digits[] = "0123456789abcdef";
	char *end = text_extend(out, 16);

	for (int shift = 60; shift >= 0; shift -= 4)
		*end++ = digits[hash >> shift & 15];
}

void started_put_drop_in(struct text *out, const char *name, uint64_t hash)
{
	text_putc(out, ',');
	for (; *name; name++)
		text_putc(out, is_safe(*name) ? *name : '?');
	text_putc(out, '=');
	started_put_hash(out, hash);
}

/* The value of a layer. */
static char *layer_value(const char *id, const struct stat *state)
{
	return xasprintf("%s %" PRIu64 " %" PRIu64, id, (uint64_t) state->st_dev, (uint64_t) state->st_ino);
}

static char *host_env_value(const struct stat *state)
{
	return xasprintf("%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 ".%09ld", (uint64_t) state->st_dev,
			 (uint64_t) state->st_ino, (int64_t) state->st_size, (int64_t) state->st_ctim.tv_sec,
			 state->st_ctim.tv_nsec);
}

void started_put_layer(struct text *out, const char *id, const struct stat *state)
{
	cleanup_free char *value = layer_value(id, state);

	text_printf(out, STARTED_LAYER "=%s\n", value);
}

void started_put_host_env(struct text *out, const struct stat *state)
{
	cleanup_free char *value = host_env_value(state);

	text_printf(out, STARTED_HOST_ENV "=%s\n", value);
}

/* --- reading --------------------------------------------------------------------------------------------- */

static void add_item(struct started *started, char *key, char *value)
{
	started->items = grow_array(started->items, started->count, sizeof(*started->items));
	started->items[started->count++] = (struct started_item){ key, value };
}

void started_add(struct started *started, const char *key, const char *value)
{
	add_item(started, xstrdup(key), xstrdup(value));
}

const char *started_value(const struct started *started, const char *key)
{
	for (size_t i = 0; i < started->count; i++)
		if (strcmp(started->items[i].key, key) == 0)
			return started->items[i].value;
	return NULL;
}

/* Takes what has no '=' for nothing. */
static void add_all(struct started *started, const char *text, size_t length, char separator)
{
	for (const char *item = text, *end = text + length; item < end;) {
		const char *stop = memchr(item, separator, (size_t) (end - item)), *equals;

		stop = stop ? stop : end;
		equals = memchr(item, '=', (size_t) (stop - item));
		if (equals)
			add_item(started, xasprintf("%.*s", (int) (equals - item), item),
				 xasprintf("%.*s", (int) (stop - equals - 1), equals + 1));
		item = stop + 1;
	}
}

void started_of_record(const char *text, struct started *ret_started)
{
	*ret_started = STARTED_EMPTY;
	add_all(ret_started, text, strlen(text), '\n');
}

bool started_read_record(const char *directory, const char *name, struct started *ret_started)
{
	cleanup_free char *path = xconcat(directory, "/", name);
	cleanup_free char *text = text_of_file(AT_FDCWD, path);

	*ret_started = STARTED_EMPTY;
	if (text)
		started_of_record(text, ret_started);
	return text != NULL;
}

unsigned started_port(const struct started *record)
{
	const char *port = started_value(record, STARTED_PORT);
	bool is_whole = started_value(record, STARTED_ARGUMENTS) && started_value(record, STARTED_UNIT) &&
			started_value(record, STARTED_HARDENING);
	int64_t number;

	return is_whole && port && parse_decimal(port, 1, 65535, &number) ? (unsigned) number : 0;
}

/* The last words of the mount's line: the ids are digits and end in the word for the installation. */
static void add_layers(struct started *started, const char *ids)
{
	size_t length;

	for (; (length = strspn(ids, "abcdefghijklmnopqrstuvwxyz0123456789")) > 0; ids += length + (ids[length] == ' ')) {
		add_item(started, xstrdup(STARTED_LAYER), xasprintf("%.*s", (int) length, ids));
		if (length == strlen(INSTALLATION) && memcmp(ids, INSTALLATION, length) == 0)
			return;
	}
}

/* What stands behind `word` in a line that begins with `start`; NULL without one. A row's words begin no line. */
static const char *find_in_line(const char *text, const char *start, const char *word)
{
	for (const char *line = text; *line; line = line_after(line)) {
		const char *found = startswith(line, start) ? strstr(line, word) : NULL;

		if (found && found < line + strcspn(line, "\n"))
			return found + strlen(word);
	}
	return NULL;
}

void started_of_unit(const char *text, struct started *ret_started)
{
	const char *started = find_in_line(text, "ExecStartPre=+", " --started=");
	const char *layers = find_in_line(text, "ExecStartPre=+", " %i ");

	*ret_started = STARTED_EMPTY;
	if (!started)
		return;
	add_all(ret_started, started, strcspn(started, " \n"), ',');
	if (layers)
		add_layers(ret_started, layers);
}

char *started_refusal(const char *unit)
{
	static const char key[] = "\nDescription=", word[] = ", refused: ";
	const char *line = strstr(unit, key), *end = line ? line + 1 + strcspn(line + 1, "\n") : NULL;
	const char *reason = line ? strstr(line, word) : NULL;
	struct text text = TEXT_EMPTY;

	if (!reason || reason > end)
		return NULL;
	for (const char *c = reason + strlen(word); c < end; c++) {
		text_putc(&text, *c);
		c += c[0] == '%' && c[1] == '%';
	}
	return text_take(&text);
}

void started_see_host_env(struct started *started, const struct stat *state)
{
	add_item(started, xstrdup(STARTED_HOST_ENV), host_env_value(state));
}

void started_look_at_host_env(struct started *started, const char *prefix)
{
	cleanup_free char *path = xconcat(prefix, HOST_ENV, "");
	struct stat state = { .st_size = 0 };

	if (stat(path, &state) == 0 || errno == ENOENT)
		started_see_host_env(started, &state);
}

void started_see_layer(struct started *started, const char *id, const struct stat *state)
{
	for (size_t i = 0; i < started->count; i++)
		if (strcmp(started->items[i].key, STARTED_LAYER) == 0 && strcmp(started->items[i].value, id) == 0) {
			free(started->items[i].value);
			started->items[i].value = layer_value(id, state);
			return;
		}
}

void started_done(struct started *started)
{
	for (size_t i = 0; i < started->count; i++) {
		free(started->items[i].key);
		free(started->items[i].value);
	}
	free(started->items);
	*started = STARTED_EMPTY;
}

/* --- comparing ------------------------------------------------------------------------------------------- */

bool started_differs(const struct started *then, const struct started *now, const char *key)
{
	const char *old = started_value(then, key), *new = started_value(now, key);

	return old && new && strcmp(old, new) != 0;
}

static const char *drop_in_value(const struct started *started, const char *key)
{
	return endswith(key, ".conf") ? started_value(started, key) : NULL;
}

void started_forget_drop_ins(struct started *started)
{
	for (size_t i = 0; i < started->count; i++)
		if (drop_in_value(started, started->items[i].key))
			started->items[i].key[0] = '\0';
}

/* Drop-ins tell something only if both sides come from a generator. */
static void compare_drop_ins(const struct started *then, const struct started *now, struct text *out)
{
	if (!started_value(then, STARTED_ARGUMENTS) || !started_value(now, STARTED_ARGUMENTS))
		return;
	for (size_t i = 0; i < now->count; i++) {
		const char *key = now->items[i].key, *old = started_value(then, key);

		if (drop_in_value(now, key) && (!old || strcmp(old, now->items[i].value) != 0))
			text_join(out, ", ", "%s %s", key, old ? "changed" : "added");
	}
	for (size_t i = 0; i < then->count; i++)
		if (drop_in_value(then, then->items[i].key) && !started_value(now, then->items[i].key))
			text_join(out, ", ", "%s removed", then->items[i].key);
}

/* The next layer from `i` on, or NULL; *i stands behind it then. */
static const char *next_layer(const struct started *started, size_t *i)
{
	while (*i < started->count)
		if (strcmp(started->items[(*i)++].key, STARTED_LAYER) == 0)
			return started->items[*i - 1].value;
	return NULL;
}

const char *started_unseen_layer(const struct started *started)
{
	const char *layer;
	size_t i = 0;

	while ((layer = next_layer(started, &i)) && strchr(layer, ' '))
		;
	return layer;
}

static bool same_id(const char *a, const char *b)
{
	size_t length = strcspn(a, " ");

	return length == strcspn(b, " ") && memcmp(a, b, length) == 0;
}

static bool same_stack(const struct started *then, const struct started *now)
{
	size_t i = 0, j = 0;
	const char *old, *new;

	do {
		old = next_layer(then, &i);
		new = next_layer(now, &j);
	} while (old && new && same_id(old, new));
	return !old && !new;
}

/* A layer that was rebuilt is another directory now. */
static void compare_layers(const struct started *then, const struct started *now, struct text *out)
{
	size_t i = 0, j = 0;
	const char *old, *new;

	if (!started_value(then, STARTED_LAYER) || !started_value(now, STARTED_LAYER))
		return;
	if (!same_stack(then, now)) {
		text_join(out, ", ", "layers");
		return;
	}
	while ((old = next_layer(then, &i)) && (new = next_layer(now, &j))) {
		int id = (int) strcspn(old, " ");

		if (!strchr(new, ' ') || strcmp(old, new) == 0)
			continue;
		if (strncmp(old, INSTALLATION, (size_t) id) == 0)
			text_join(out, ", ", "installation replaced");
		else
			text_join(out, ", ", "layer %.*s rebuilt", id, old);
	}
}

bool started_compare(const struct started *then, const struct started *now, struct text *out)
{
	static const struct {
		const char *key, *word;
	} groups[] = {
		{ STARTED_ARGUMENTS, "arguments" }, { STARTED_UNIT, "unit" }, { STARTED_HARDENING, "hardening" },
		{ STARTED_HOST_ENV, "host.env" },
	};
	size_t before = out->length;

	if (started_differs(then, now, STARTED_PORT))
		text_join(out, ", ", "port %s -> %s", started_value(then, STARTED_PORT), started_value(now, STARTED_PORT));
	for (size_t i = 0; i < ELEMENTS(groups); i++)
		if (started_differs(then, now, groups[i].key))
			text_join(out, ", ", "%s", groups[i].word);
	compare_drop_ins(then, now, out);
	compare_layers(then, now, out);
	return out->length > before;
}
