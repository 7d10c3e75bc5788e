#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"

enum { PLACES = 2 };

/* A folder that this run has made, to be taken back with the rest. */
struct made {
	enum artifact_place place;
	const char *directory;
};

struct writer {
	const struct bundle *bundle;
	int base[PLACES];              /* -1: artifacts of that place are not written */
	const char *base_path[PLACES];
	const volatile sig_atomic_t *give_up;
	struct report *report;

	const char *directory;         /* the one `folder` is open on, below `place` */
	enum artifact_place place;
	int folder;

	struct made *made;
	size_t made_count;
	struct text text;
};

static char *artifact_path(const struct artifact *artifact)
{
	return xasprintf("%s%s%s", artifact->directory, *artifact->directory ? "/" : "", artifact->name);
}

static int fail(struct writer *writer, const struct artifact *artifact, int error)
{
	cleanup_free char *name = artifact_path(artifact);
	cleanup_free char *path = xasprintf("%s/%s", writer->base_path[artifact->place], name);

	report_problem(writer->report, path, "%s", error == EEXIST ? "exists already" : strerror(error));
	return -1;
}

/* Opens the artifact's folder, making it where it is missing. */
static int enter(struct writer *writer, const struct artifact *artifact)
{
	int base = writer->base[artifact->place];

	if (writer->directory && writer->place == artifact->place &&
	    strcmp(writer->directory, artifact->directory) == 0)
		return 0;
	closep(&writer->folder);
	writer->folder = -1;
	writer->directory = NULL;
	if (*artifact->directory) {
		if (mkdirat(base, artifact->directory, 0755) == 0) {
			writer->made = grow_array(writer->made, writer->made_count, sizeof(*writer->made));
			writer->made[writer->made_count++] = (struct made){ artifact->place, artifact->directory };
		} else if (errno != EEXIST)
			return fail(writer, artifact, errno);
	}
	writer->folder = openat(base, *artifact->directory ? artifact->directory : ".",
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (writer->folder < 0)
		return fail(writer, artifact, errno);
	writer->directory = artifact->directory;
	writer->place = artifact->place;
	return 0;
}

/* sudo passes over names with a dot in an @includedir. */
static char *temporary_name(const struct artifact *artifact)
{
	return xasprintf(".%s.new", artifact->name);
}

static int write_file(struct writer *writer, const struct artifact *artifact, const char *name)
{
	int fd = openat(writer->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, artifact->mode);
	int r;

	if (fd < 0)
		return fail(writer, artifact, errno);
	writer->text.fd = fd;
	artifact->write(artifact->maker, artifact, &writer->text);
	r = text_flush(&writer->text);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		return 0;
	(void) unlinkat(writer->folder, name, 0);
	return fail(writer, artifact, -r);
}

static int write_state_file(struct writer *writer, const struct artifact *artifact)
{
	cleanup_free char *name = temporary_name(artifact);

	(void) unlinkat(writer->folder, name, 0);      /* of a run that was ended here */
	return write_file(writer, artifact, name);
}

static bool is_kept(const struct writer *writer, const struct artifact *artifact)
{
	cleanup_free char *path = artifact->keep ? artifact_path(artifact) : NULL;

	return path && faccessat(writer->base[artifact->place], path, F_OK, 0) == 0;
}

static int write_link(struct writer *writer, const struct artifact *artifact)
{
	char target[300];

	(void) snprintf(target, sizeof(target), "../%s", artifact->name);
	return symlinkat(target, writer->folder, artifact->name) < 0 ? fail(writer, artifact, errno) : 0;
}

static int write_artifact(struct writer *writer, const struct artifact *artifact)
{
	if (*writer->give_up)
		return fail(writer, artifact, ETIMEDOUT);
	if (enter(writer, artifact) < 0)
		return -1;
	switch (artifact->kind) {
	case ARTIFACT_LINK:
		return write_link(writer, artifact);
	case ARTIFACT_DIRECTORY:
		if (mkdirat(writer->folder, artifact->name, artifact->mode) < 0 && errno != EEXIST)
			return fail(writer, artifact, errno);
		return 0;
	default:
		return artifact->place == PLACE_STATE ? write_state_file(writer, artifact)
						      : write_file(writer, artifact, artifact->name);
	}
}

/* Removes what the first `count` artifacts became; an empty folder that stays behind does no harm. */
static void take_back(struct writer *writer, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct artifact *artifact = &writer->bundle->artifacts[i];
		cleanup_free char *temporary = temporary_name(artifact);
		struct artifact written = *artifact;
		cleanup_free char *path = NULL;

		if (writer->base[artifact->place] < 0 || is_kept(writer, artifact))
			continue;
		if (artifact->place == PLACE_STATE)
			written.name = temporary;
		path = artifact_path(&written);
		(void) unlinkat(writer->base[artifact->place], path, 0);
	}
	while (writer->made_count > 0) {
		const struct made *made = &writer->made[--writer->made_count];

		(void) unlinkat(writer->base[made->place], made->directory, AT_REMOVEDIR);
	}
}

/* Nothing but renames is left: each file is the old one or the new one, at every moment. */
static int put_in_place(struct writer *writer)
{
	for (size_t i = 0; i < writer->bundle->count; i++) {
		const struct artifact *artifact = &writer->bundle->artifacts[i];
		cleanup_free char *temporary = NULL;

		if (artifact->place != PLACE_STATE || artifact->kind != ARTIFACT_FILE ||
		    writer->base[PLACE_STATE] < 0 || is_kept(writer, artifact))
			continue;
		if (enter(writer, artifact) < 0)
			return -1;
		temporary = temporary_name(artifact);
		if (renameat(writer->folder, temporary, writer->folder, artifact->name) < 0)
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
	if (writer->base[place] >= 0)
		return 0;
	report_problem(writer->report, path, "%s", strerror(errno));
	return -1;
}

static int write_all_artifacts(struct writer *writer)
{
	for (size_t i = 0; i < writer->bundle->count; i++) {
		const struct artifact *artifact = &writer->bundle->artifacts[i];

		if (writer->base[artifact->place] < 0 || is_kept(writer, artifact))
			continue;
		if (write_artifact(writer, artifact) < 0) {
			take_back(writer, i);
			return -1;
		}
	}
	return put_in_place(writer);
}

int sink_folders(const struct bundle *bundle, const char *units, const char *state,
		 const volatile sig_atomic_t *give_up, struct report *report)
{
	struct writer writer = {
		.bundle = bundle, .base = { -1, -1 }, .give_up = give_up, .report = report, .folder = -1,
		.text = TEXT_EMPTY,
	};
	int r = -1;

	if (open_base(&writer, PLACE_UNITS, units) == 0 && open_base(&writer, PLACE_STATE, state) == 0)
		r = write_all_artifacts(&writer);
	closep(&writer.folder);
	closep(&writer.base[PLACE_UNITS]);
	closep(&writer.base[PLACE_STATE]);
	writer.text.fd = -1;
	text_done(&writer.text);
	free(writer.made);
	return r;
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
		r = sink_folders(bundle, units, state, &never, report);
	while (r < 0 && made > 0) {
		cleanup_free char *path = xasprintf("%s%s", output, folders[--made]);

		(void) rmdir(path);
	}
	return r;
}
