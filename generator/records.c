#include "records.h"

#include "name.h"

static void add_record(struct records *records, const char *directory, const char *name)
{
	struct record record = { .port = 0 };

	if (!started_read_record(directory, name, &record.started))
		return;
	record.name = xstrdup(name);
	record.port = started_port(&record.started);
	records->records = grow_array(records->records, records->count, sizeof(*records->records));
	records->records[records->count++] = record;
}

static int compare_records(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void records_read(const char *prefix, struct records *ret_records)
{
	cleanup_free char *path = xconcat(prefix, STARTED_RECORDS, "");
	cleanup_closedir DIR *directory = opendir(path);
	const struct dirent *entry;

	*ret_records = RECORDS_NONE;
	while (directory && (entry = readdir(directory)))
		if (valid_name(entry->d_name))
			add_record(ret_records, path, entry->d_name);
	sort_array(ret_records->records, ret_records->count, sizeof(*ret_records->records), compare_records);
}

const struct record *records_find(const struct records *records, const char *name)
{
	const struct record key = { .name = (char *) name };

	return records->count > 0 ? bsearch(&key, records->records, records->count, sizeof(key), compare_records) : NULL;
}

const struct record *records_find_start(const struct records *records, const char *name)
{
	const struct record *record = records_find(records, name);

	return record && record->port > 0 ? record : NULL;
}

void records_done(struct records *records)
{
	for (size_t i = 0; i < records->count; i++) {
		free(records->records[i].name);
		started_done(&records->records[i].started);
	}
	free(records->records);
	*records = RECORDS_NONE;
}
