#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"

struct compare_sink {
	struct sink sink;              /* first, so that one pointer is the other */
	const char *const *directories;
	struct report *report;
	struct text theirs;
};

/* The settings of a unit, each as "[Section]Key=Value", by section and key; [Install] and comments left out. */
struct settings {
	char **lines;
	size_t count;
};

static void settings_done(struct settings *settings)
{
	for (size_t i = 0; i < settings->count; i++)
		free(settings->lines[i]);
	free(settings->lines);
}

/* Values of one key keep their order, keys do not: configuration management may sort them. */
static void insert_setting(struct settings *settings, char *line)
{
	size_t key = strcspn(line, "="), i = settings->count;

	settings->lines = grow_array(settings->lines, settings->count, sizeof(*settings->lines));
	for (; i > 0 && strncmp(settings->lines[i - 1], line, key + 1) > 0; i--)
		settings->lines[i] = settings->lines[i - 1];
	settings->lines[i] = line;
	settings->count++;
}

static struct settings parse_settings(const struct text *unit)
{
	cleanup_free char *copy = xstrdup(text_string(unit));
	struct settings settings = { NULL, 0 };
	const char *section = "";
	char *rest = NULL;

	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		line += strspn(line, " \t");
		if (*line == '[')
			section = line;
		else if (*line && !strchr("#;", *line) && strcmp(section, "[Install]") != 0)
			insert_setting(&settings, xasprintf("%s%s", section, line));
	}
	return settings;
}

static bool same_settings(const struct text *a, const struct text *b)
{
	cleanup(settings_done) struct settings x = parse_settings(a);
	cleanup(settings_done) struct settings y = parse_settings(b);
	bool same = x.count == y.count;

	for (size_t i = 0; same && i < x.count; i++)
		same = strcmp(x.lines[i], y.lines[i]) == 0;
	return same;
}

/* False where there is no such file, or a mask, which says clearly what it wants. */
static bool read_file(const char *path, struct text *text)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	text_clear(text);
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && text_read(text, fd) == 0;
}

static int compare_close(struct sink *sink, const struct file *file)
{
	struct compare_sink *compare = (struct compare_sink *) sink;
	cleanup_free char *unit = sink_path(file->directory, file->name);

	for (const char *const *directory = compare->directories; *directory && file->tree == TREE_UNITS; directory++) {
		cleanup_free char *path = xconcat(*directory, "/", unit);

		if (read_file(path, &compare->theirs) && !same_settings(&compare->sink.text, &compare->theirs))
			report_problem(compare->report, path, "differs from the generator's %s", file->name);
	}
	return 0;
}

static int compare_finish(struct sink *sink, bool good)
{
	struct compare_sink *compare = (struct compare_sink *) sink;

	text_done(&compare->sink.text);
	text_done(&compare->theirs);
	free(compare);
	return good ? 0 : -1;
}

struct sink *sink_compare(const char *const *directories, struct report *report)
{
	struct compare_sink *compare = xcalloc(1, sizeof(*compare));

	*compare = (struct compare_sink){
		.sink = { .open = sink_open_text, .close = compare_close, .link = sink_ignore_link, .finish = compare_finish,
			  .text = TEXT_EMPTY },
		.directories = directories, .report = report, .theirs = TEXT_EMPTY,
	};
	return &compare->sink;
}
