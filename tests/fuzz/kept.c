#include "kept.h"

#include "fuzz.h"

static struct kept *add(struct kept_sink *kept, enum kept_kind kind, const struct file *file, const char *directory)
{
	EXPECT(!kept->is_open && !kept->is_finished, "%s inside of another, or behind the end", file->name);
	EXPECT(file->tree < TREE_COUNT && *file->name && !strchr(file->name, '/'), "the name %s", file->name);
	kept->all = grow_array(kept->all, kept->count, sizeof(*kept->all));
	kept->all[kept->count] = (struct kept){
		.kind = kind, .tree = file->tree, .directory = xstrdup(directory), .name = xstrdup(file->name),
		.mode = file->mode, .keep = file->keep, .text = TEXT_EMPTY,
	};
	return &kept->all[kept->count++];
}

static struct text *kept_open(struct sink *sink, const struct file *file)
{
	struct kept_sink *kept = (struct kept_sink *) sink;
	struct kept *item = add(kept, KEPT_FILE, file, file->directory);

	kept->is_open = true;
	return &item->text;
}

static int kept_close(struct sink *sink, const struct file *file)
{
	struct kept_sink *kept = (struct kept_sink *) sink;
	const struct kept *item = &kept->all[kept->count - 1];

	EXPECT(kept->is_open && strcmp(item->name, file->name) == 0 && strcmp(item->directory, file->directory) == 0,
	       "%s is closed, and was not open", file->name);
	EXPECT(strlen(text_string(&item->text)) == item->text.length, "a NUL in %s", item->name);
	kept->is_open = false;
	return 0;
}

static int kept_link(struct sink *sink, const struct file *unit, const char *directory)
{
	(void) add((struct kept_sink *) sink, KEPT_LINK, unit, directory);
	return 0;
}

static int kept_directory(struct sink *sink, const struct file *directory)
{
	(void) add((struct kept_sink *) sink, KEPT_DIRECTORY, directory, directory->directory);
	return 0;
}

static int kept_finish(struct sink *sink, bool good)
{
	struct kept_sink *kept = (struct kept_sink *) sink;

	EXPECT(!kept->is_open && !kept->is_finished, "the end inside of a file, or twice");
	kept->is_finished = true;
	return good ? 0 : -1;
}

void kept_start(struct kept_sink *ret_kept)
{
	*ret_kept = (struct kept_sink){
		.sink = {
			.open = kept_open, .close = kept_close, .link = kept_link, .directory = kept_directory,
			.finish = kept_finish,
		},
	};
}

void kept_done(struct kept_sink *kept)
{
	for (size_t i = 0; i < kept->count; i++) {
		free(kept->all[i].directory);
		free(kept->all[i].name);
		text_done(&kept->all[i].text);
	}
	free(kept->all);
	*kept = (struct kept_sink){ .count = 0 };
}

char *kept_path(const struct kept *item)
{
	return xasprintf("%s%s%s", item->directory, *item->directory ? "/" : "", item->name);
}
