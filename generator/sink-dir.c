#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform.h"
#include "sink.h"

/* A file or link that this run has written. What replaces a file has a second name until the end. */
struct written {
	enum tree tree;
	bool is_replacement;
	size_t path, second;           /* where these paths below the tree begin in `paths` */
};

/* A directory that this run writes to. */
struct directory {
	enum tree tree;
	const char *path;              /* below the tree; borrowed */
	bool made;                     /* by this run, which so takes it back */
};

struct directory_sink {
	struct sink sink;              /* first, so that one pointer is the other */
	int base[TREE_COUNT];          /* -1: files of that tree are not written */
	char *base_path[TREE_COUNT];
	const volatile sig_atomic_t *give_up;
	struct report *report;

	struct written *written;
	size_t written_count;
	struct text paths;             /* of what was written, each ended by a NUL */
	size_t settled, settled_directories;   /* so many of them stay */
	size_t bytes;                  /* of what was written since then */
	struct directory *directories;
	size_t directory_count;

	/* the file that is open */
	struct text text;
	bool is_skipped;               /* its text goes nowhere */
	bool is_named;                 /* it could not be made without a name */
};

/* --- paths ----------------------------------------------------------------------------------------------- */

/* Adds a path and returns where it begins. sudo passes over names with a dot in an @includedir. */
static size_t add_path(struct directory_sink *sink, const char *directory, const char *name, bool second)
{
	size_t start = sink->paths.length;

	if (*directory) {
		text_puts(&sink->paths, directory);
		text_putc(&sink->paths, '/');
	}
	if (second)
		text_putc(&sink->paths, '.');
	text_puts(&sink->paths, name);
	if (second)
		text_puts(&sink->paths, ".new");
	text_putc(&sink->paths, '\0');
	return start;
}

static const char *path_of(const struct directory_sink *sink, const struct written *written)
{
	return sink->paths.data + written->path;
}

/* Where it is until the end. */
static const char *first_path_of(const struct directory_sink *sink, const struct written *written)
{
	return sink->paths.data + (written->is_replacement ? written->second : written->path);
}

static int fail(struct directory_sink *sink, enum tree tree, const char *path, int error)
{
	cleanup_free char *whole = xasprintf("%s/%s", sink->base_path[tree], path);

	if (error == EDQUOT)
		report_problem(sink->report, whole, "does not fit: the files of all rows would take more than %d MiB",
			       SINK_BUDGET / 1024 / 1024);
	else
		report_problem(sink->report, whole, "%s", error == EEXIST ? "exists already" : strerror(error));
	return -1;
}

static int fail_to_write(struct directory_sink *sink, const struct written *written, int error)
{
	return fail(sink, written->tree, path_of(sink, written), error);
}

/* --- directories ----------------------------------------------------------------------------------------- */

static int make_directory(struct directory_sink *sink, enum tree tree, const char *path)
{
	struct directory directory = { tree, path, true };

	if (!*path)
		return 0;
	for (size_t i = sink->directory_count; i > 0; i--)
		if (sink->directories[i - 1].tree == tree && strcmp(sink->directories[i - 1].path, path) == 0)
			return 0;
	/* room before the directory: without memory there is nothing to take back */
	sink->directories = grow_array(sink->directories, sink->directory_count, sizeof(directory));
	if (mkdirat(sink->base[tree], path, 0755) < 0) {
		if (errno != EEXIST)
			return fail(sink, tree, path, errno);
		directory.made = false;
	}
	sink->directories[sink->directory_count++] = directory;
	return 0;
}

/* What comes before each file, link and directory. */
static int prepare(struct directory_sink *sink, enum tree tree, const char *directory)
{
	if (*sink->give_up)
		return fail(sink, tree, directory, ETIMEDOUT);
	return make_directory(sink, tree, directory);
}

/* --- files ----------------------------------------------------------------------------------------------- */

/* To be called before there is a file of that name: should the program end in between, it is taken back. */
static const struct written *remember(struct directory_sink *sink, enum tree tree, const char *directory,
				      const char *name)
{
	struct written written = { .tree = tree, .is_replacement = tree == TREE_STATE };

	written.path = add_path(sink, directory, name, false);
	if (written.is_replacement)
		written.second = add_path(sink, directory, name, true);
	sink->written = grow_array(sink->written, sink->written_count, sizeof(written));
	sink->written[sink->written_count] = written;
	return &sink->written[sink->written_count++];
}

/* What was not written after all is somebody else's. */
static void forget_last(struct directory_sink *sink)
{
	sink->paths.length = sink->written[--sink->written_count].path;
}

/* A file that has the second name of a replacement already was left by a run that was killed. */
static int open_named(const struct directory_sink *sink, const struct written *written, mode_t mode)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	const char *path = first_path_of(sink, written);
	int base = sink->base[written->tree], fd = openat(base, path, flags, mode);

	if (fd < 0 && errno == EEXIST && written->is_replacement) {
		(void) unlinkat(base, path, 0);
		fd = openat(base, path, flags, mode);
	}
	return fd;
}

static int give_name(const struct directory_sink *sink, const struct written *written)
{
	const char *path = first_path_of(sink, written);
	int base = sink->base[written->tree], r = platform_give_name(sink->text.fd, base, path);

	if (r == -EEXIST && written->is_replacement) {
		(void) unlinkat(base, path, 0);
		r = platform_give_name(sink->text.fd, base, path);
	}
	return r;
}

/* Whether the file fits into the budget; -EDQUOT otherwise. */
static int count_bytes(struct directory_sink *sink, size_t bytes)
{
	const size_t page = 4096;

	if (sink->settled > 0)
		sink->bytes += (bytes + page - 1) / page * page;
	return sink->bytes > SINK_BUDGET ? -EDQUOT : 0;
}

static bool is_kept(const struct directory_sink *sink, const struct file *file)
{
	cleanup_free char *path = sink_path(file->directory, file->name);

	return faccessat(sink->base[file->tree], path, F_OK, 0) == 0;
}

/*
 * A file gets its name when it is whole, where the system can do that: a run may be killed at any moment, and half a
 * unit is worse than none, for which there is the fallback template. Should two runs meet, neither renames what the
 * other has just begun.
 */
static struct text *directory_open(struct sink *base, const struct file *file)
{
	struct directory_sink *sink = (struct directory_sink *) base;
	const struct written *written;

	text_clear(&sink->text);
	sink->is_skipped = sink->base[file->tree] < 0 || (file->keep && is_kept(sink, file));
	if (sink->is_skipped)
		return &sink->text;
	if (prepare(sink, file->tree, file->directory) < 0)
		return NULL;
	written = remember(sink, file->tree, file->directory, file->name);
	sink->text.fd = platform_open_unnamed(sink->base[file->tree], file->mode);
	sink->is_named = sink->text.fd < 0;
	if (sink->is_named)
		sink->text.fd = open_named(sink, written, file->mode);
	if (sink->text.fd >= 0)
		return &sink->text;
	(void) fail_to_write(sink, written, errno);
	forget_last(sink);
	return NULL;
}

static int directory_close(struct sink *base, const struct file *file)
{
	struct directory_sink *sink = (struct directory_sink *) base;
	const struct written *written;
	int r;

	(void) file;
	if (sink->is_skipped)
		return 0;
	written = &sink->written[sink->written_count - 1];
	r = count_bytes(sink, sink->text.spilled + sink->text.length);
	if (r == 0)
		r = text_flush(&sink->text);
	if (r == 0 && !sink->is_named) {
		r = give_name(sink, written);
		sink->is_named = r == 0;
	}
	if (close(sink->text.fd) < 0 && r == 0)
		r = -errno;
	sink->text.fd = -1;
	if (r == 0)
		return 0;
	(void) fail_to_write(sink, written, -r);
	if (!sink->is_named)
		forget_last(sink);
	return -1;
}

static int make_link(struct directory_sink *sink, const struct file *file, const char *directory, const char *target)
{
	const struct written *written;

	if (sink->base[file->tree] < 0)
		return 0;
	if (prepare(sink, file->tree, directory) < 0)
		return -1;
	written = remember(sink, file->tree, directory, file->name);
	if (symlinkat(target, sink->base[file->tree], path_of(sink, written)) == 0)
		return 0;
	(void) fail_to_write(sink, written, errno);
	forget_last(sink);
	return -1;
}

static int directory_link(struct sink *base, const struct file *unit, const char *directory)
{
	struct directory_sink *sink = (struct directory_sink *) base;

	text_clear(&sink->text);
	text_puts(&sink->text, "../");
	text_puts(&sink->text, unit->target ? unit->target : unit->name);
	return make_link(sink, unit, directory, sink->text.data);
}

static int directory_mask(struct sink *base, const struct file *unit)
{
	return make_link((struct directory_sink *) base, unit, unit->directory, "/dev/null");
}

static int directory_directory(struct sink *base, const struct file *directory)
{
	struct directory_sink *sink = (struct directory_sink *) base;

	return sink->base[directory->tree] < 0 ? 0 : prepare(sink, directory->tree, directory->name);
}

/* --- the end --------------------------------------------------------------------------------------------- */

/* Nothing but renames is left: each file is the old one or the new one at every moment. */
static int put_in_place(struct directory_sink *sink)
{
	for (size_t i = 0; i < sink->written_count; i++) {
		const struct written *written = &sink->written[i];
		int base = sink->base[written->tree];

		if (written->is_replacement &&
		    renameat(base, first_path_of(sink, written), base, path_of(sink, written)) < 0)
			return fail_to_write(sink, written, errno);
	}
	return 0;
}

/* An empty directory that stays behind does no harm. */
static void take_back(struct directory_sink *sink)
{
	while (sink->written_count > sink->settled) {
		const struct written *last = &sink->written[sink->written_count - 1];

		(void) unlinkat(sink->base[last->tree], first_path_of(sink, last), 0);
		forget_last(sink);
	}
	while (sink->directory_count > sink->settled_directories) {
		const struct directory *last = &sink->directories[--sink->directory_count];

		if (last->made)
			(void) unlinkat(sink->base[last->tree], last->path, AT_REMOVEDIR);
	}
}

static void directory_settle(struct sink *base)
{
	struct directory_sink *sink = (struct directory_sink *) base;

	sink->settled = sink->written_count;
	sink->settled_directories = sink->directory_count;
}

static void directory_retract(struct sink *base)
{
	struct directory_sink *sink = (struct directory_sink *) base;

	take_back(sink);
	sink->bytes = 0;
}

/* The one at work, for an end of the program that is no return: out of memory it calls exit(). */
static struct directory_sink *unfinished;

static void take_back_unfinished(void)
{
	if (unfinished)
		take_back(unfinished);
}

static void directory_free(struct directory_sink *sink)
{
	closep(&sink->text.fd);
	text_done(&sink->text);
	for (enum tree tree = 0; tree < TREE_COUNT; tree++) {
		closep(&sink->base[tree]);
		free(sink->base_path[tree]);
	}
	text_done(&sink->paths);
	free(sink->written);
	free(sink->directories);
	free(sink);
}

static int directory_finish(struct sink *base, bool good)
{
	struct directory_sink *sink = (struct directory_sink *) base;
	int r = good ? put_in_place(sink) : -1;

	unfinished = NULL;
	if (r < 0)
		take_back(sink);
	directory_free(sink);
	return r;
}

/* --- the beginning --------------------------------------------------------------------------------------- */

static int open_base(struct directory_sink *sink, enum tree tree, const char *path)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	if (!path)
		return 0;
	sink->base_path[tree] = xstrdup(path);
	sink->base[tree] = open(path, flags);
	if (sink->base[tree] < 0 && errno == ENOENT && tree == TREE_STATE && mkdir(path, 0755) == 0)
		sink->base[tree] = open(path, flags);
	if (sink->base[tree] >= 0)
		return 0;
	report_problem(sink->report, path, "%s", strerror(errno));
	return -1;
}

struct sink *sink_directories(const char *units, const char *state, const volatile sig_atomic_t *give_up,
			      struct report *report)
{
	struct directory_sink *sink = xcalloc(1, sizeof(*sink));

	*sink = (struct directory_sink){
		.sink = {
			.open = directory_open, .close = directory_close, .link = directory_link, .mask = directory_mask,
			.directory = directory_directory, .settle = directory_settle, .retract = directory_retract,
			.finish = directory_finish,
		},
		.base = { -1, -1 }, .give_up = give_up, .report = report,
		.text = TEXT_EMPTY, .paths = TEXT_EMPTY,
	};
	if (open_base(sink, TREE_UNITS, units) < 0 || open_base(sink, TREE_STATE, state) < 0) {
		(void) directory_finish(&sink->sink, false);
		return NULL;
	}
	unfinished = sink;
	(void) atexit(take_back_unfinished);
	return &sink->sink;
}
