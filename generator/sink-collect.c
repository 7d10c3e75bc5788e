#include <string.h>

#include "sink.h"

struct collect_sink {
	struct sink sink;              /* first, so that one pointer is the other */
	struct collection *collection;
};

void collection_add(struct collection *collection, const char *directory, const char *name, char *text)
{
	collection->files = grow_array(collection->files, collection->count, sizeof(*collection->files));
	collection->files[collection->count++] = (struct collected){ sink_path(directory, name), text };
}

static int by_path(const void *a, const void *b)
{
	const struct collected *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void collection_sort(struct collection *collection)
{
	if (collection->count > 0)
		qsort(collection->files, collection->count, sizeof(*collection->files), by_path);
}

const char *collection_text(const struct collection *collection, const char *path)
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

bool collection_wants(const struct collection *collection, const char *target, const char *unit)
{
	cleanup_free char *link = xasprintf("%s.wants/%s", target, unit);

	return collection_text(collection, link) != NULL;
}

bool collections_next(const struct collection *old, const struct collection *new, struct collected_pair *pair)
{
	const struct collected *was = pair->old_next < old->count ? &old->files[pair->old_next] : NULL;
	const struct collected *is = pair->new_next < new->count ? &new->files[pair->new_next] : NULL;
	int order = !was ? 1 : !is ? -1 : strcmp(was->path, is->path);

	if (!was && !is)
		return false;
	pair->path = order <= 0 ? was->path : is->path;
	pair->old = order <= 0 ? was->text : NULL;
	pair->new = order >= 0 ? is->text : NULL;
	pair->old_next += order <= 0;
	pair->new_next += order >= 0;
	return true;
}

void collection_done(struct collection *collection)
{
	for (size_t i = 0; i < collection->count; i++) {
		free(collection->files[i].path);
		free(collection->files[i].text);
	}
	free(collection->files);
	*collection = COLLECTION_EMPTY;
}

static int collect_close(struct sink *sink, const struct file *file)
{
	struct collect_sink *collect = (struct collect_sink *) sink;

	if (file->tree == TREE_UNITS)
		collection_add(collect->collection, file->directory, file->name, xstrdup(text_string(&collect->sink.text)));
	return 0;
}

static int collect_link(struct sink *sink, const struct file *unit, const char *directory)
{
	struct collect_sink *collect = (struct collect_sink *) sink;

	collection_add(collect->collection, directory, unit->name, xstrdup(""));
	return 0;
}

static int collect_mask(struct sink *sink, const struct file *unit)
{
	return collect_link(sink, unit, unit->directory);
}

static int collect_finish(struct sink *sink, bool good)
{
	struct collect_sink *collect = (struct collect_sink *) sink;

	collection_sort(collect->collection);
	text_done(&collect->sink.text);
	free(collect);
	return good ? 0 : -1;
}

struct sink *sink_collect(struct collection *collection)
{
	struct collect_sink *collect = xcalloc(1, sizeof(*collect));

	*collect = (struct collect_sink){
		.sink = { .open = sink_open_text, .close = collect_close, .link = collect_link, .mask = collect_mask,
			  .finish = collect_finish, .text = TEXT_EMPTY },
		.collection = collection,
	};
	return &collect->sink;
}
