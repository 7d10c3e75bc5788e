#include "model.h"

#include <inttypes.h>
#include <string.h>

#include "name.h"
#include "row-check.h"

static struct row_check check_row(const struct rows *rows, enum view view, size_t number, struct report *report)
{
	return (struct row_check){
		.view = view, .number = number + 1, .values = rows_row(rows, view, number), .report = report,
	};
}

/* --- instances ------------------------------------------------------------------------------------------- */

static void check_port(struct row_check *row, const struct config *config, unsigned *ret_port)
{
	const struct value *value = &row->values[INSTANCE_PORT];
	int64_t port;

	if (value->type != VALUE_INTEGER)
		check_refuse_type(row, INSTANCE_PORT, "an integer");
	else if (parse_decimal(value->text, config->port_first, config->port_last, &port))
		*ret_port = (unsigned) port;
	else
		check_refuse(row, INSTANCE_PORT, "%s is not in %u-%u ([game] ports)", value->text, config->port_first,
			     config->port_last);
}

static bool is_text(const struct value *value)
{
	return value->type == VALUE_TEXT || value->type == VALUE_TOO_LONG;
}

static bool is_text_without_nul(const struct value *value)
{
	return value->type == VALUE_TEXT && strlen(value->text) == value->length;
}

/* Nothing that starts depends on it, so that nothing is refused for it. */
static int64_t created_of(const struct row_check *row)
{
	const struct value *value = &row->values[INSTANCE_CREATED];
	int64_t created;

	if (value->type == VALUE_NULL)
		return 0;
	return value->type == VALUE_INTEGER && parse_decimal(value->text, 0, INT64_MAX, &created) ? created : -1;
}

static void add_instance(struct model *model, const struct config *config, struct row_check *row)
{
	const struct value *name = &row->values[INSTANCE_NAME];
	struct instance instance = { .row = row->number };
	int64_t enabled;

	if (!is_text(name)) {
		check_refuse_type(row, INSTANCE_NAME, "a text");
		return;
	}
	if (!is_text_without_nul(name) || !valid_name(name->text)) {
		cleanup_free char *shown = check_show(row, INSTANCE_NAME);

		check_refuse(row, INSTANCE_NAME, "%s is not of the form [a-z0-9][a-z0-9_-]{0,63}", shown);
		return;
	}
	instance.name = name->text;
	row->instance = instance.name;
	check_port(row, config, &instance.port);
	instance.port_text = row->values[INSTANCE_PORT].text;
	(void) check_text(row, INSTANCE_ARGUMENTS, ARGUMENTS_MAX, &instance.arguments);
	if (check_integer(row, INSTANCE_ENABLED, 0, 1, &enabled, "0 or 1"))
		instance.enabled = enabled == 1;
	instance.created = created_of(row);
	instance.refused = take_ptr(&row->refused);
	model->instances = grow_array(model->instances, model->instance_count, sizeof(instance));
	model->instances[model->instance_count++] = instance;
}

static void add_instances(struct model *model, const struct config *config, const struct rows *rows,
			  struct report *report)
{
	for (size_t i = 0; i < rows->of[VIEW_INSTANCES].count; i++) {
		struct row_check row = check_row(rows, VIEW_INSTANCES, i, report);

		add_instance(model, config, &row);
		model->refused += row.refused != NULL;         /* not in the model */
		free(row.refused);
	}
}

static int compare_instances(const void *a, const void *b)
{
	return strcmp(((const struct instance *) a)->name, ((const struct instance *) b)->name);
}

/* Refuses an instance that is in the model already, for what stands in row `number` of `view`. */
static void PRINTF_LIKE(6, 7) refuse_instance(struct instance *instance, enum view view, size_t number,
					      unsigned column, struct report *report, const char *format, ...)
{
	struct row_check row = {
		.view = view, .number = number, .instance = instance->name, .refused = instance->refused,
		.report = report,
	};
	va_list arguments;

	va_start(arguments, format);
	check_refuse_for(&row, column, format, arguments);
	va_end(arguments);
	instance->refused = row.refused;
}

/* Of rows with one name none counts: nobody can say which was meant. One unit stays to stop what runs. */
static void merge_instances(struct model *model, struct report *report)
{
	size_t kept = 0;

	sort_array(model->instances, model->instance_count, sizeof(*model->instances), compare_instances);
	for (size_t i = 0, same; i < model->instance_count; i += same) {
		struct instance *first = &model->instances[i];

		for (same = 1; i + same < model->instance_count && compare_instances(first, first + same) == 0; same++)
			freep(&first[same].refused);
		if (same > 1)
			refuse_instance(first, VIEW_INSTANCES, first->row, INSTANCE_NAME, report,
					"stands in %zu rows, of which none counts", same);
		model->instances[kept++] = *first;
	}
	model->instance_count = model->instance_total = kept;
}

/* The first by name keeps a port; refused rows hold none. */
static void check_ports(struct model *model, const struct config *config, struct report *report)
{
	cleanup_free const char **owners =
		xcalloc(config->port_last - config->port_first + 1, sizeof(*owners));

	for (size_t i = 0; i < model->instance_count; i++) {
		struct instance *instance = &model->instances[i];
		const char **owner = instance->refused ? NULL : &owners[instance->port - config->port_first];

		if (!owner)
			continue;
		if (*owner)
			refuse_instance(instance, VIEW_INSTANCES, instance->row, INSTANCE_PORT, report,
					"%u belongs to instance '%s'", instance->port, *owner);
		else
			*owner = instance->name;
	}
}

/* --- overlays -------------------------------------------------------------------------------------------- */

/* The value is the script's length, or the name of a type that is not a text's (rows.h). */
static void check_script(struct row_check *row, bool *ret_has_script)
{
	const struct value *length = &row->values[OVERLAY_SCRIPT];
	int64_t bytes;

	if (length->type == VALUE_TEXT) {
		*ret_has_script = true;
		check_refuse(row, OVERLAY_SCRIPT, "is of type %s, not text", length->text);
		return;
	}
	if (length->type != VALUE_INTEGER || !parse_decimal(length->text, 1, INT64_MAX, &bytes))
		return;
	*ret_has_script = true;
	if (bytes > SCRIPT_MAX)
		check_refuse(row, OVERLAY_SCRIPT, "is %" PRId64 " bytes long, the limit is %d", bytes, SCRIPT_MAX);
}

static void add_overlay(struct model *model, struct row_check *row)
{
	struct overlay overlay = { .row = row->number };

	if (!check_integer(row, OVERLAY_ID, 1, INT64_MAX, &overlay.id, "a positive integer"))
		return;
	overlay.id_text = row->values[OVERLAY_ID].text;
	row->overlay = overlay.id_text;
	(void) check_text(row, OVERLAY_NAME, OVERLAY_NAME_MAX, &overlay.name);
	check_script(row, &overlay.has_script);
	overlay.refused = take_ptr(&row->refused);
	model->overlays = grow_array(model->overlays, model->overlay_count, sizeof(overlay));
	model->overlays[model->overlay_count++] = overlay;
}

static void add_overlays(struct model *model, const struct rows *rows, struct report *report)
{
	for (size_t i = 0; i < rows->of[VIEW_OVERLAYS].count; i++) {
		struct row_check row = check_row(rows, VIEW_OVERLAYS, i, report);

		add_overlay(model, &row);
		model->refused += row.refused != NULL;         /* not in the model */
		free(row.refused);
	}
}

static int compare_overlays(const void *a, const void *b)
{
	const struct overlay *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void refuse_overlay_rows(struct overlay *overlay, size_t count, struct report *report)
{
	struct row_check row = {
		.view = VIEW_OVERLAYS, .number = overlay->row, .overlay = overlay->id_text,
		.refused = overlay->refused, .report = report,
	};

	check_refuse(&row, OVERLAY_ID, "stands in %zu rows, of which none counts", count);
	overlay->refused = row.refused;
}

static void merge_overlays(struct model *model, struct report *report)
{
	size_t kept = 0;

	sort_array(model->overlays, model->overlay_count, sizeof(*model->overlays), compare_overlays);
	for (size_t i = 0, same; i < model->overlay_count; i += same) {
		struct overlay *first = &model->overlays[i];

		for (same = 1; i + same < model->overlay_count && first->id == first[same].id; same++) {
			first->has_script |= first[same].has_script;
			freep(&first[same].refused);
		}
		if (same > 1)
			refuse_overlay_rows(first, same, report);
		model->overlays[kept++] = *first;
	}
	model->overlay_count = model->overlay_total = kept;
}

/* --- limits ---------------------------------------------------------------------------------------------- */

/* So many of the rows without a unit are named. */
enum { NAMED_MAX = 3 };

/* A table may be as long as its application likes; a boot must end. What is beyond the limit gets no unit. */
static void report_beyond(struct model *model, enum view view, const char *key, size_t limit, size_t total,
			  const struct text *names, struct report *report)
{
	report_problem(report, views[view].name, "beyond [host] %s = %zu: no unit and no rule for %zu of %zu:%s%s",
		       key, limit, total - limit, total, text_string(names), total - limit > NAMED_MAX ? " ..." : "");
	model->refused += total - limit;
}

static void limit_instances(struct model *model, size_t limit, struct report *report)
{
	cleanup_text struct text names = TEXT_EMPTY;

	if (model->instance_total <= limit)
		return;
	for (size_t i = limit; i < model->instance_total && i < limit + NAMED_MAX; i++)
		text_printf(&names, " %s", model->instances[i].name);
	model->instance_count = limit;
	report_beyond(model, VIEW_INSTANCES, "servers", limit, model->instance_total, &names, report);
}

static void limit_overlays(struct model *model, size_t limit, struct report *report)
{
	cleanup_text struct text names = TEXT_EMPTY;

	if (model->overlay_total <= limit)
		return;
	for (size_t i = limit; i < model->overlay_total && i < limit + NAMED_MAX; i++)
		text_printf(&names, " %s", model->overlays[i].id_text);
	model->overlay_count = limit;
	report_beyond(model, VIEW_OVERLAYS, "overlays", limit, model->overlay_total, &names, report);
}

/* --- layers ---------------------------------------------------------------------------------------------- */

struct instance *model_instance(const struct model *model, const char *name)
{
	struct instance key = { .name = name };

	if (model->instance_total == 0)        /* and no array: bsearch(3) takes none */
		return NULL;
	return bsearch(&key, model->instances, model->instance_total, sizeof(key), compare_instances);
}

struct overlay *model_overlay(const struct model *model, int64_t id)
{
	struct overlay key = { .id = id };

	if (model->overlay_total == 0)
		return NULL;
	return bsearch(&key, model->overlays, model->overlay_total, sizeof(key), compare_overlays);
}

bool model_is_beyond(const struct model *model, const char *name)
{
	const struct instance *found = model_instance(model, name);

	return found && !model_counts(model, found);
}

bool model_is_overlay_beyond(const struct model *model, const char *id)
{
	int64_t number;
	const struct overlay *found = parse_id(id, &number) ? model_overlay(model, number) : NULL;

	return found && found >= model->overlays + model->overlay_count;
}

static struct instance *layer_instance(struct model *model, struct row_check *row)
{
	const struct value *name = &row->values[LAYER_INSTANCE];
	struct instance *instance = is_text_without_nul(name) ? model_instance(model, name->text) : NULL;
	cleanup_free char *shown = NULL;

	if (instance)
		return instance;
	model->refused++;      /* a row of nobody */
	if (!is_text(name)) {
		check_refuse_type(row, LAYER_INSTANCE, "a text");
		return NULL;
	}
	shown = check_show(row, LAYER_INSTANCE);
	check_refuse(row, LAYER_INSTANCE, "%s is not in %s", shown, views[VIEW_INSTANCES].name);
	return NULL;
}

static void add_layer(struct model *model, struct row_check *row, struct instance *instance)
{
	struct layer layer = { .instance = (size_t) (instance - model->instances), .row = row->number };
	const struct overlay *overlay = NULL;
	int64_t id;

	(void) check_integer(row, LAYER_POSITION, 1, INT64_MAX, &layer.position, "a positive integer");
	if (check_integer(row, LAYER_OVERLAY, 1, INT64_MAX, &id, "a positive integer")) {
		overlay = model_overlay(model, id);
		if (!overlay)
			check_refuse(row, LAYER_OVERLAY, "%s is not in %s", row->values[LAYER_OVERLAY].text,
				     views[VIEW_OVERLAYS].name);
	}
	if (row->refused) {
		if (!instance->refused)
			instance->refused = take_ptr(&row->refused);
		return;
	}
	layer.overlay = (size_t) (overlay - model->overlays);
	model->layers = grow_array(model->layers, model->layer_count, sizeof(layer));
	model->layers[model->layer_count++] = layer;
}

static void add_layers(struct model *model, const struct rows *rows, struct report *report)
{
	for (size_t i = 0; i < rows->of[VIEW_LAYERS].count; i++) {
		struct row_check row = check_row(rows, VIEW_LAYERS, i, report);
		struct instance *instance = layer_instance(model, &row);

		if (instance && model_counts(model, instance)) {
			row.instance = instance->name;
			add_layer(model, &row, instance);
		}
		free(row.refused);
	}
}

static int compare_layers(const void *a, const void *b)
{
	const struct layer *x = a, *y = b;

	if (x->instance != y->instance)
		return x->instance < y->instance ? -1 : 1;
	return (x->position > y->position) - (x->position < y->position);
}

/* seen[overlay] is the stack it was seen in last, as the number of its first layer and one. */
static void check_stack(const struct model *model, struct instance *instance, size_t *seen, struct report *report)
{
	const struct layer *layers = model->layers + instance->first_layer;
	size_t count = instance->layer_count, stack = instance->first_layer + 1;

	for (size_t i = 1; i < count; i++)
		if (layers[i - 1].position == layers[i].position) {
			refuse_instance(instance, VIEW_LAYERS, layers[i].row, LAYER_POSITION, report,
					"%" PRId64 " is taken twice", layers[i].position);
			return;
		}
	if (count > OVERLAYS_MAX) {
		refuse_instance(instance, VIEW_LAYERS, layers[OVERLAYS_MAX].row, LAYER_INSTANCE, report,
				"has %zu overlays, the limit is %d", count, OVERLAYS_MAX);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (seen[layers[i].overlay] == stack) {
			refuse_instance(instance, VIEW_LAYERS, layers[i].row, LAYER_OVERLAY, report,
					"%s stands in the stack twice", model->overlays[layers[i].overlay].id_text);
			return;
		}
		seen[layers[i].overlay] = stack;
	}
}

static void stack_layers(struct model *model, struct report *report)
{
	cleanup_free size_t *seen = xcalloc(model->overlay_total + 1, sizeof(*seen));

	sort_array(model->layers, model->layer_count, sizeof(*model->layers), compare_layers);
	for (size_t i = 0, same; i < model->layer_count; i += same) {
		struct instance *instance = &model->instances[model->layers[i].instance];

		for (same = 1; i + same < model->layer_count; same++)
			if (model->layers[i + same].instance != model->layers[i].instance)
				break;
		instance->first_layer = i;
		instance->layer_count = same;
		check_stack(model, instance, seen, report);
	}
}

void model_build(const struct config *config, const struct rows *rows, struct report *report,
		 struct model *ret_model)
{
	struct model model = { 0 };

	add_instances(&model, config, rows, report);
	merge_instances(&model, report);
	limit_instances(&model, config->server_limit, report);
	add_overlays(&model, rows, report);
	merge_overlays(&model, report);
	limit_overlays(&model, config->overlay_limit, report);
	add_layers(&model, rows, report);
	stack_layers(&model, report);
	check_ports(&model, config, report);
	for (size_t i = 0; i < model.instance_count; i++)
		model.refused += model.instances[i].refused != NULL;
	for (size_t i = 0; i < model.overlay_count; i++)
		model.refused += model.overlays[i].refused != NULL;
	*ret_model = model;
}

void model_done(struct model *model)
{
	for (size_t i = 0; i < model->instance_total; i++)
		free(model->instances[i].refused);
	for (size_t i = 0; i < model->overlay_total; i++)
		free(model->overlays[i].refused);
	free(model->instances);
	free(model->overlays);
	free(model->layers);
	*model = (struct model){ 0 };
}
