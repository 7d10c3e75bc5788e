#include "sink.h"

char *sink_path(const char *directory, const char *name)
{
	return xconcat(directory, *directory ? "/" : "", name);
}

struct text *sink_open_text(struct sink *sink, const struct file *file)
{
	(void) file;
	text_clear(&sink->text);
	return &sink->text;
}

int sink_ignore_link(struct sink *sink, const struct file *unit, const char *directory)
{
	(void) sink, (void) unit, (void) directory;
	return 0;
}
