#include <string.h>

#include "sink.h"

struct known_sink {
	struct sink sink;              /* first, so that one pointer is the other */
	const char *items, *program;
	struct report *report;
	struct text named;             /* the settings reported so far, each between line breaks */
};

/* Whether the section has the setting, "Key=" with `length` bytes. */
static bool is_known(const char *items, const char *section, const char *key, size_t length)
{
	const char *line = strstr(items, section);

	if (line)
		line = strchr(line, '\n');
	for (; line && line[1] != '['; line = strchr(line + 1, '\n'))
		if (strncmp(line + 1, key, length) == 0)
			return true;
	return false;
}

static void report_once(struct known_sink *known, const struct file *file, const char *key, size_t length)
{
	cleanup_free char *entry = xasprintf("\n%.*s\n", (int) length, key);
	cleanup_free char *where = sink_path(file->directory, file->name);

	if (strstr(text_string(&known->named), entry))
		return;
	text_puts(&known->named, entry);
	report_problem(known->report, where, "%.*s is ignored: %s does not know it", (int) length, key, known->program);
}

static int known_close(struct sink *sink, const struct file *file)
{
	struct known_sink *known = (struct known_sink *) sink;
	cleanup_free char *copy = xstrdup(text_string(&known->sink.text));
	char *rest = NULL;
	const char *section = "";

	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		size_t length = strcspn(line, "=") + 1;

		if (*line == '[')
			section = line;
		else if (!strchr("#;", *line) && file->tree == TREE_UNITS && !is_known(known->items, section, line, length))
			report_once(known, file, line, length);
	}
	return 0;
}

static int known_finish(struct sink *sink, bool good)
{
	struct known_sink *known = (struct known_sink *) sink;

	text_done(&known->sink.text);
	text_done(&known->named);
	free(known);
	return good ? 0 : -1;
}

struct sink *sink_known(const char *items, const char *program, struct report *report)
{
	struct known_sink *known = xcalloc(1, sizeof(*known));

	*known = (struct known_sink){
		.sink = { .open = sink_open_text, .close = known_close, .link = sink_ignore_link, .finish = known_finish,
			  .text = TEXT_EMPTY },
		.items = items, .program = program, .report = report, .named = TEXT_EMPTY,
	};
	return &known->sink;
}
