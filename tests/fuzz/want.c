#include "want.h"

#include "systemd.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* A number in its one way of writing within the range, or -1. */
static long long number_of(const struct value *value, long long min, long long max)
{
	unsigned long long number = 0;

	if (value->type != VALUE_INTEGER || value->length == 0 || value->length > 19 ||
	    strspn(value->text, DIGITS) != value->length || (value->text[0] == '0' && value->length > 1))
		return -1;
	for (size_t i = 0; i < value->length; i++)
		number = number * 10 + (unsigned long long) (value->text[i] - '0');
	return number > (unsigned long long) max || (long long) number < min ? -1 : (long long) number;
}

static bool is_text(const struct value *value, size_t max)
{
	return value->type == VALUE_TEXT && value->length <= max && is_printable(value->text, value->length);
}

static bool is_name(const struct value *value)
{
	return value->type == VALUE_TEXT && value->length >= 1 && value->length <= 64 &&
	       strspn(value->text, LETTERS DIGITS "_-") == value->length && !strchr("_-", value->text[0]);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct want_instance *) a)->name, ((const struct want_instance *) b)->name);
}

static int by_id(const void *a, const void *b)
{
	const struct want_overlay *x = a, *y = b;
	size_t m = strlen(x->id), n = strlen(y->id);

	return m != n ? (m < n ? -1 : 1) : strcmp(x->id, y->id);
}

/* Those with one name or id become one, refused. */
static size_t merge(void *array, size_t count, size_t size, int (*compare)(const void *, const void *),
		    void (*join)(void *kept, const void *other))
{
	char *all = array;
	size_t kept = 0;

	qsort(array, count, size, compare);
	for (size_t i = 0; i < count; i++)
		if (kept > 0 && compare(all + (kept - 1) * size, all + i * size) == 0)
			join(all + (kept - 1) * size, all + i * size);
		else
			memmove(all + kept++ * size, all + i * size, size);
	return kept;
}

static void join_instances(void *kept, const void *other)
{
	(void) other;
	((struct want_instance *) kept)->refused = true;
}

static void join_overlays(void *kept, const void *other)
{
	((struct want_overlay *) kept)->refused = true;
	((struct want_overlay *) kept)->has_script |= ((const struct want_overlay *) other)->has_script;
}

static void want_instances(struct want *want, const struct rows *rows, long first_port, long last_port)
{
	want->instances = xcalloc(rows->of[VIEW_INSTANCES].count + 1, sizeof(*want->instances));
	for (size_t i = 0; i < rows->of[VIEW_INSTANCES].count; i++) {
		const struct value *v = rows_row(rows, VIEW_INSTANCES, i);

		if (is_name(&v[0]))
			want->instances[want->instance_count++] = (struct want_instance){
				.name = v[0].text, .port = v[1].text, .arguments = v[2].text,
				.refused = number_of(&v[1], first_port, last_port) < 0 || !is_text(&v[2], 4096) ||
					   number_of(&v[3], 0, 1) < 0,
				.enabled = number_of(&v[3], 0, 1) == 1,
			};
	}
	want->instance_count = merge(want->instances, want->instance_count, sizeof(*want->instances), by_name, join_instances);
}

static void want_overlays(struct want *want, const struct rows *rows)
{
	want->overlays = xcalloc(rows->of[VIEW_OVERLAYS].count + 1, sizeof(*want->overlays));
	for (size_t i = 0; i < rows->of[VIEW_OVERLAYS].count; i++) {
		const struct value *v = rows_row(rows, VIEW_OVERLAYS, i);

		if (number_of(&v[0], 1, INT64_MAX) < 0)
			continue;
		/* the third is the script's length, or a type that is no text's */
		want->overlays[want->overlay_count++] = (struct want_overlay){
			.id = v[0].text, .name = v[1].text,
			.has_script = v[2].type == VALUE_TEXT || number_of(&v[2], 1, INT64_MAX) > 0,
			.refused = !is_text(&v[1], 200) || v[2].type == VALUE_TEXT ||
				   number_of(&v[2], 1024 * 1024 + 1, INT64_MAX) > 0,
		};
	}
	want->overlay_count = merge(want->overlays, want->overlay_count, sizeof(*want->overlays), by_id, join_overlays);
}

const struct want_instance *want_server(const struct want *want, const char *name, size_t length)
{
	cleanup_free char *copy = xasprintf("%.*s", (int) length, name);

	return bsearch(&(struct want_instance){ .name = copy }, want->instances, want->instance_count,
		       sizeof(*want->instances), by_name);
}

const struct want_overlay *want_build(const struct want *want, const char *id, size_t length)
{
	cleanup_free char *copy = xasprintf("%.*s", (int) length, id);

	return bsearch(&(struct want_overlay){ .id = copy }, want->overlays, want->overlay_count,
		       sizeof(*want->overlays), by_id);
}

static int by_position(const void *a, const void *b)
{
	const struct want_layer *x = a, *y = b;

	return (x->position > y->position) - (x->position < y->position);
}

static void want_layers(struct want *want, const struct rows *rows)
{
	for (size_t i = 0; i < rows->of[VIEW_LAYERS].count; i++) {
		struct want_instance *instance = NULL;
		const struct value *v = rows_row(rows, VIEW_LAYERS, i);
		struct want_layer layer;

		if (is_name(&v[0]))
			instance = (struct want_instance *) want_server(want, v[0].text, v[0].length);
		if (!instance)
			continue;
		layer.position = number_of(&v[1], 1, INT64_MAX);
		layer.overlay = number_of(&v[2], 1, INT64_MAX);
		if (layer.position < 0 || layer.overlay < 0 || !want_build(want, v[2].text, v[2].length)) {
			instance->refused = true;
			continue;
		}
		instance->layers = grow_array(instance->layers, instance->layer_count, sizeof(layer));
		instance->layers[instance->layer_count++] = layer;
	}
}

static void judge_stack(struct want_instance *instance)
{
	size_t count = instance->layer_count;

	if (count > 1)
		qsort(instance->layers, count, sizeof(*instance->layers), by_position);
	instance->refused |= count > 499;
	for (size_t i = 0; i < count && count <= 499; i++)
		for (size_t j = 0; j < i; j++)
			instance->refused |= instance->layers[i].position == instance->layers[j].position ||
					     instance->layers[i].overlay == instance->layers[j].overlay;
}

/* The first by name that is not refused for another reason keeps a port. */
static void judge_ports(struct want *want)
{
	for (size_t i = 0; i < want->instance_count; i++)
		for (size_t j = 0; j < i && !want->instances[i].refused; j++)
			want->instances[i].refused = !want->instances[j].refused &&
						     strcmp(want->instances[i].port, want->instances[j].port) == 0;
}

void want_rows(const struct rows *rows, long first_port, long last_port, struct want *ret_want)
{
	*ret_want = (struct want){ 0 };
	want_instances(ret_want, rows, first_port, last_port);
	want_overlays(ret_want, rows);
	want_layers(ret_want, rows);
	for (size_t i = 0; i < ret_want->instance_count; i++)
		judge_stack(&ret_want->instances[i]);
	judge_ports(ret_want);
}

void want_done(struct want *want)
{
	for (size_t i = 0; i < want->instance_count; i++)
		free(want->instances[i].layers);
	free(want->instances);
	free(want->overlays);
}
