#include "rendering.h"

const char *rendering_unit_name(struct rendering *rendering, const char *kind, const char *instance)
{
	text_clear(&rendering->name);
	text_puts(&rendering->name, kind);
	text_puts(&rendering->name, instance);
	text_puts(&rendering->name, ".service");
	return rendering->name.data;
}

int rendering_put(struct rendering *rendering, const struct template *template, const struct file *file)
{
	struct text *text = rendering->sink->open(rendering->sink, file);

	if (!text)
		return -1;
	template_fill(template, rendering->variables.list, text);
	return rendering->sink->close(rendering->sink, file);
}

int rendering_put_unit(struct rendering *rendering, const struct output *output, const char *name, bool wanted)
{
	struct sink *sink = rendering->sink;
	const struct file file = { .tree = TREE_UNITS, .directory = output->directory, .name = name, .mode = 0644 };

	if (rendering_put(rendering, output->template, &file) < 0)
		return -1;
	return wanted ? sink->link(sink, &file, output->wanted_by) : 0;
}

void rendering_done(struct rendering *rendering)
{
	variables_done(&rendering->variables);
	text_done(&rendering->name);
	text_done(&rendering->description);
	text_done(&rendering->reason);
	text_done(&rendering->arguments);
	text_done(&rendering->layers);
	text_done(&rendering->started);
	text_done(&rendering->groups);
}
