#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform.h"
#include "sink.h"

enum { PLACES = 2, OPEN_FILES_MAX = 64 };

/* A folder that files were written to, and whether this run has made it and so has to take it back. */
struct folder {
	enum artifact_place place;
	const char *directory;
	bool made;
};

struct writer {
	const struct bundle *bundle;
	int base[PLACES];              /* -1: artifacts of that place are not written */
	const char *base_path[PLACES];
	const volatile sig_atomic_t *give_up;
	struct report *report;
	bool can_name;                 /* a file that has none yet: to be tried */
	bool is_last;                  /* the program ends behind it */

	size_t done;                   /* so many artifacts; what is left unfinished takes them back */
	struct folder *folders;
	size_t folder_count;
	struct text text, path, target;        /* used again for each artifact */

	int open[OPEN_FILES_MAX];      /* what the end of the program closes, 0: none */
	size_t open_count;
};

/*
 * The artifact's path below its place, whose folders belong to root and to this run; good until the next call.
 * What is replaced by rename has a second name first: sudo passes over names with a dot in an @includedir.
 */
static const char *artifact_path(struct writer *writer, const struct artifact *artifact, bool temporary)
{
	struct text *path = &writer->path;

	path->length = 0;
	if (*artifact->directory) {
		text_puts(path, artifact->directory);
		text_putc(path, '/');
	}
	if (temporary)
		text_putc(path, '.');
	text_puts(path, artifact->name);
	if (temporary)
		text_puts(path, ".new");
	return path->data;
}

static bool is_replaced(const struct artifact *artifact)
{
	return artifact->place == PLACE_STATE && artifact->kind == ARTIFACT_FILE;
}

static int fail(struct writer *writer, const struct artifact *artifact, int error)
{
	cleanup_free char *path = xconcat(writer->base_path[artifact->place], "/",
					  artifact_path(writer, artifact, false));

	report_problem(writer->report, path, "%s", error == EEXIST ? "exists already" : strerror(error));
	return -1;
}

/* Makes the artifact's folder where it is missing. */
static int make_folder(struct writer *writer, const struct artifact *artifact)
{
	struct folder folder = { artifact->place, artifact->directory, true };

	if (!*artifact->directory)
		return 0;
	for (size_t i = writer->folder_count; i > 0; i--) {
		const struct folder *known = &writer->folders[i - 1];

		if (known->place == folder.place && strcmp(known->directory, folder.directory) == 0)
			return 0;
	}
	/* before there is something to take back */
	writer->folders = grow_array(writer->folders, writer->folder_count, sizeof(folder));
	if (mkdirat(writer->base[artifact->place], artifact->directory, 0755) < 0) {
		if (errno != EEXIST)
			return fail(writer, artifact, errno);
		folder.made = false;
	}
	writer->folders[writer->folder_count++] = folder;
	return 0;
}

static int open_named(int base, const char *path, const struct artifact *artifact)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(base, path, flags, artifact->mode);

	if (fd < 0 && errno == EEXIST && is_replaced(artifact)) {      /* left by a run that was ended here */
		(void) unlinkat(base, path, 0);
		fd = openat(base, path, flags, artifact->mode);
	}
	return fd;
}

static int give_name(int fd, int base, const char *path, const struct artifact *artifact)
{
	int r = platform_give_name(fd, base, path);

	if (r == -EEXIST && is_replaced(artifact)) {
		(void) unlinkat(base, path, 0);
		r = platform_give_name(fd, base, path);
	}
	return r;
}

/* The end of a program closes its files for nothing, and of a run for a few units a tenth of the system calls is that. */
static int close_file(struct writer *writer, int fd)
{
	int *oldest = &writer->open[writer->open_count % OPEN_FILES_MAX];
	int closed = writer->is_last ? *oldest : fd;

	if (writer->is_last) {
		*oldest = fd;
		writer->open_count++;
	}
	return closed > 0 && close(closed) < 0 ? -errno : 0;
}

/*
 * A file gets its name when it is whole, where the system can do that: a run may be killed at any moment, and half a
 * unit is worse than none, for which there is the template. And should two runs meet, none renames what the other has
 * just begun.
 */
static int write_file(struct writer *writer, const struct artifact *artifact, const char *path)
{
	int base = writer->base[artifact->place];
	int fd = writer->can_name ? platform_open_unnamed(base, artifact->mode) : -1;
	bool named = fd < 0;
	int r;

	if (named)
		fd = open_named(base, path, artifact);
	if (fd < 0)
		return fail(writer, artifact, errno);
	writer->text.fd = fd;
	artifact->write(artifact->maker, artifact, &writer->text);
	r = text_flush(&writer->text);
	if (r == 0 && !named) {
		r = give_name(fd, base, path, artifact);
		named = r == 0;
		writer->can_name = r != -ENOENT;
	}
	if (r == 0)
		r = close_file(writer, fd);
	else
		(void) close(fd);
	if (r == 0)
		return 0;
	if (named)
		(void) unlinkat(base, path, 0);
	else if (!writer->can_name)
		return write_file(writer, artifact, path);
	return fail(writer, artifact, -r);
}

static bool is_kept(struct writer *writer, const struct artifact *artifact)
{
	return artifact->keep &&
	       faccessat(writer->base[artifact->place], artifact_path(writer, artifact, false), F_OK, 0) == 0;
}

static int write_link(struct writer *writer, const struct artifact *artifact, const char *path)
{
	writer->target.length = 0;
	text_puts(&writer->target, "../");
	text_puts(&writer->target, artifact->name);
	if (symlinkat(writer->target.data, writer->base[artifact->place], path) < 0)
		return fail(writer, artifact, errno);
	return 0;
}

static int write_artifact(struct writer *writer, const struct artifact *artifact)
{
	int base = writer->base[artifact->place];
	const char *path;

	if (*writer->give_up)
		return fail(writer, artifact, ETIMEDOUT);
	if (make_folder(writer, artifact) < 0)
		return -1;
	path = artifact_path(writer, artifact, is_replaced(artifact));
	switch (artifact->kind) {
	case ARTIFACT_LINK:
		return write_link(writer, artifact, path);
	case ARTIFACT_DIRECTORY:
		return mkdirat(base, path, artifact->mode) < 0 && errno != EEXIST ? fail(writer, artifact, errno) : 0;
	default:
		return write_file(writer, artifact, path);
	}
}

/* Removes what was written; an empty folder that stays behind does no harm. */
static void take_back(struct writer *writer)
{
	for (size_t i = 0; i < writer->done; i++) {
		const struct artifact *artifact = &writer->bundle->artifacts[i];
		if (writer->base[artifact->place] >= 0 && !is_kept(writer, artifact))
			(void) unlinkat(writer->base[artifact->place],
					artifact_path(writer, artifact, is_replaced(artifact)), 0);
	}
	for (size_t i = writer->folder_count; i > 0; i--)
		if (writer->folders[i - 1].made)
			(void) unlinkat(writer->base[writer->folders[i - 1].place], writer->folders[i - 1].directory,
					AT_REMOVEDIR);
}

/* Nothing but renames is left: each file is the old one or the new one, at every moment. */
static int put_in_place(struct writer *writer)
{
	int base = writer->base[PLACE_STATE];

	for (size_t i = 0; base >= 0 && i < writer->bundle->count; i++) {
		const struct artifact *artifact = &writer->bundle->artifacts[i];
		cleanup_free char *from = NULL;

		if (!is_replaced(artifact) || is_kept(writer, artifact))
			continue;
		from = xstrdup(artifact_path(writer, artifact, true));
		if (renameat(base, from, base, artifact_path(writer, artifact, false)) < 0)
			return fail(writer, artifact, errno);
	}
	return 0;
}

static int open_base(struct writer *writer, enum artifact_place place, const char *path)
{
	writer->base_path[place] = path;
	writer->base[place] = -1;
	if (!path)
		return 0;
	writer->base[place] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writer->base[place] < 0 && errno == ENOENT && place == PLACE_STATE && mkdir(path, 0755) == 0)
		writer->base[place] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writer->base[place] >= 0)
		return 0;
	report_problem(writer->report, path, "%s", strerror(errno));
	return -1;
}

static int write_all_artifacts(struct writer *writer)
{
	for (; writer->done < writer->bundle->count; writer->done++) {
		const struct artifact *artifact = &writer->bundle->artifacts[writer->done];

		if (writer->base[artifact->place] < 0 || is_kept(writer, artifact))
			continue;
		if (write_artifact(writer, artifact) < 0)
			return -1;
	}
	return put_in_place(writer);
}

/* The one at work, for a way out that is not a return: out_of_memory() calls exit(). */
static struct writer *unfinished;

static void take_back_unfinished(void)
{
	struct writer *writer = unfinished;

	unfinished = NULL;
	if (writer)
		take_back(writer);
}

static int write_bundle(struct writer *writer, const char *units, const char *state)
{
	int r = -1;

	if (open_base(writer, PLACE_UNITS, units) == 0 && open_base(writer, PLACE_STATE, state) == 0) {
		unfinished = writer;
		(void) atexit(take_back_unfinished);
		r = write_all_artifacts(writer);
		if (r == 0)
			unfinished = NULL;
		take_back_unfinished();
	}
	writer->text.fd = -1;
	text_done(&writer->text);
	text_done(&writer->path);
	text_done(&writer->target);
	free(writer->folders);
	return r;
}

int sink_folders(const struct bundle *bundle, const char *units, const char *state,
		 const volatile sig_atomic_t *give_up, struct report *report)
{
	struct writer writer = {
		.bundle = bundle, .base = { -1, -1 }, .give_up = give_up, .report = report,
		.can_name = true, .is_last = true,
		.text = TEXT_EMPTY, .path = TEXT_EMPTY, .target = TEXT_EMPTY,
	};

	return write_bundle(&writer, units, state);
}

static bool is_empty_folder(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = dir != NULL;

	while (empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (dir)
		(void) closedir(dir);
	return empty;
}

int sink_tree(const struct bundle *bundle, const char *output, struct report *report)
{
	static const volatile sig_atomic_t never = 0;
	struct writer writer = {
		.bundle = bundle, .base = { -1, -1 }, .give_up = &never, .report = report,
		.text = TEXT_EMPTY, .path = TEXT_EMPTY, .target = TEXT_EMPTY,
	};
	static const char *const folders[] = { "", "/systemd", "/systemd/generator", "/left4me" };
	cleanup_free char *units = xasprintf("%s/systemd/generator", output);
	cleanup_free char *state = xasprintf("%s/left4me", output);
	size_t made = 0;
	int r = 0;

	if (access(output, F_OK) == 0) {
		if (!is_empty_folder(output)) {
			report_problem(report, output, "is not an empty directory");
			return -1;
		}
		made = 1;
	}
	for (; r == 0 && made < ELEMENTS(folders); made++) {
		cleanup_free char *path = xasprintf("%s%s", output, folders[made]);

		r = mkdir(path, 0755);
		if (r < 0) {
			report_problem(report, path, "%s", strerror(errno));
			break;
		}
	}
	if (r == 0)
		r = write_bundle(&writer, units, state);
	closep(&writer.base[PLACE_UNITS]);
	closep(&writer.base[PLACE_STATE]);
	while (r < 0 && made > 0) {
		cleanup_free char *path = xasprintf("%s%s", output, folders[--made]);

		(void) rmdir(path);
	}
	return r;
}
