#include "overlay-record.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "name.h"
#include "overlay-anchor.h"
#include "overlay-directory.h"
#include "overlay-say.h"
#include "overlay-state.h"
#include "privileged.h"
#include "started.h"

static void add_given(struct text *record, const char *started)
{
	if (!started)
		return;
	text_puts(record, started);
	text_putc(record, '\n');
	for (char *comma = record->data; (comma = strchr(comma, ',')) != NULL;)
		*comma = '\n';
}

static void add_layer(struct text *record, const char *layer, int fd)
{
	struct stat state;

	if (fstat(fd, &state) < 0)
		die(EXIT_FAILED, errno, "cannot look at layer %s", layer);
	started_put_layer(record, layer, &state);
}

/* What systemd will read for the server's environment; it may be missing. */
static void add_host_env(struct text *record)
{
	struct stat state = { 0 };

	if (stat(HOST_ENV, &state) < 0 && errno != ENOENT)
		die(EXIT_FAILED, errno, "cannot look at '" HOST_ENV "'");
	started_put_host_env(record, &state);
}

void write_record(const char *name, const char *started, char *const *layers, const int *descriptors, size_t count)
{
	cleanup_text struct text record = TEXT_EMPTY;

	add_given(&record, started);
	for (size_t i = 0; i < count; i++)
		add_layer(&record, layers[i], descriptors[i]);
	add_host_env(&record);
	write_state(STARTED_DIRECTORY, name, &record);
}

void renew_record(const char *name, const char *started)
{
	cleanup_free char *path = xasprintf(STARTED_RECORDS "/%s", name), *line = NULL;
	cleanup_text struct text record = TEXT_EMPTY;
	cleanup_fclose FILE *old = fopen(path, "re");
	size_t size = 0;

	if (!old && errno != ENOENT)
		die(EXIT_FAILED, errno, "cannot open '%s'", path);
	add_given(&record, started);
	while (old && getline(&line, &size, old) > 0)
		if (startswith(line, STARTED_LAYER "="))
			text_puts(&record, line);
	add_host_env(&record);
	write_state(STARTED_DIRECTORY, name, &record);
}

/* Whether its record says which unit has started. */
static bool names_unit(const char *name)
{
	cleanup(started_done) struct started started = STARTED_EMPTY;

	return started_read_record(STARTED_RECORDS, name, &started) && started_value(&started, STARTED_UNIT);
}

struct text recorded_instances(void)
{
	cleanup_close int run = open_run_directory();
	cleanup_close int records = open_own_directory(run, RUN_DIRECTORY, STARTED_DIRECTORY, 0755);
	cleanup_closedir DIR *directory = directory_open(records);
	struct text names = TEXT_EMPTY;
	const struct dirent *entry;

	while (directory && (entry = directory_next(directory)))
		if (valid_name(entry->d_name) && names_unit(entry->d_name))
			text_append(&names, entry->d_name, strlen(entry->d_name) + 1);
	if (!directory || errno)
		die(EXIT_FAILED, errno, "cannot read '" STARTED_RECORDS "'");
	return names;
}

void remove_record(const char *name)
{
	remove_state(STARTED_DIRECTORY, name);
}
