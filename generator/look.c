#include "look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "name.h"
#include "platform.h"

/* An answer of that many bytes names some 100 000 directories. */
enum { ANSWER_MAX = 8 * 1024 * 1024, DEPTH_MAX = 100, COMMAND_LINE_MAX = 8192 };

/* --- the child ------------------------------------------------------------------------------------------- */

/* One line a thing, each written at once: what was found until time ends counts. */
static void tell(int answers, enum found_kind kind, const char *name, const struct stat *state, int64_t number)
{
	cleanup_free char *line = xasprintf("%c %s %" PRIu64 " %" PRIu64 " %" PRId64 "\n", (char) kind, name,
					    (uint64_t) state->st_dev, (uint64_t) state->st_ino, number);

	if (write_all(answers, line, strlen(line)) < 0)
		_exit(1);
}

static int open_directory(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* What the tree takes on disk, within one file system; -1 when not all of it can be seen. Closes the descriptor. */
static int64_t measure(int fd, dev_t device, int depth)
{
	DIR *dir = depth < DEPTH_MAX ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int64_t sum = 0;

	if (!dir) {
		closep(&fd);
		return -1;
	}
	while (sum >= 0 && (entry = readdir(dir))) {
		int64_t part = 0;
		struct stat st;

		if (strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != device)
			continue;
		if (S_ISDIR(st.st_mode) && strcmp(entry->d_name, ".") != 0)
			part = measure(open_directory(dirfd(dir), entry->d_name), device, depth + 1);
		else
			part = (int64_t) st.st_blocks * 512;
		sum = part < 0 ? -1 : sum + part;
	}
	(void) closedir(dir);
	return sum;
}

/* The directories below ROOT/NAME whose names are ours. False when they cannot be seen. */
static bool list(int root, const char *name, bool (*valid)(const char *), enum found_kind kind, int answers)
{
	int fd = open_directory(root, name);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct stat st;

	if (!dir) {
		closep(&fd);
		return errno == ENOENT;
	}
	while ((entry = readdir(dir)))
		if (valid(entry->d_name) && fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			tell(answers, kind, entry->d_name, &st, platform_birth_time(fd, entry->d_name));
	(void) closedir(dir);
	return true;
}

static void list_sizes(int root, const char *name, bool (*valid)(const char *), enum found_kind kind, int answers)
{
	int fd = open_directory(root, name);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int below = valid(entry->d_name) ? open_directory(fd, entry->d_name) : -1;
		struct stat st;
		int64_t size;

		if (below < 0 || fstat(below, &st) < 0) {
			closep(&below);
			continue;
		}
		size = measure(below, st.st_dev, 0);
		if (size >= 0)
			tell(answers, kind, entry->d_name, &st, size);
	}
	if (dir)
		(void) closedir(dir);
}

/* What follows the word "+hostport", digits only: a process can write its command line as it likes. */
static int64_t port_on_command_line(const char *line, size_t length)
{
	static const char option[] = "+hostport";
	const char *end = line + length;
	int64_t port;

	for (const char *word = line; word < end; word += strlen(word) + 1)
		if (strcmp(word, option) == 0 && word + sizeof(option) < end &&
		    parse_decimal(word + sizeof(option), 1, 65535, &port))
			return port;
	return -1;
}

static void read_port(pid_t pid, int answers)
{
	cleanup_free char *path = xasprintf("/proc/%ld/cmdline", (long) pid);
	cleanup_free char *name = xasprintf("%ld", (long) pid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char line[COMMAND_LINE_MAX + 1];
	ssize_t length = fd < 0 ? -1 : read(fd, line, COMMAND_LINE_MAX);
	int64_t port = -1;

	if (length > 0) {
		line[length] = '\0';
		port = port_on_command_line(line, (size_t) length);
	}
	if (port > 0)
		tell(answers, FOUND_PORT, name, &(struct stat){ .st_ino = 0 }, port);
}

/* The last line of the answer is "." where everything was seen. */
static _Noreturn void child(const struct look_request *request, int answers)
{
	uid_t uid = (uid_t) strtoul(request->uid, NULL, 10);
	gid_t gid = (gid_t) strtoul(request->gid, NULL, 10);
	struct stat st;
	bool complete;
	int root;

	if (geteuid() == 0 && (uid == 0 || platform_become(uid, gid) < 0))
		_exit(1);
	platform_die_with_parent();
	root = open(request->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	complete = root >= 0 && list(root, "overlays", valid_id, FOUND_OVERLAY, answers);
	complete = root >= 0 && list(root, "runtime", valid_name, FOUND_RUNTIME, answers) && complete;
	if (root >= 0 && fstatat(root, INSTALLATION, &st, AT_SYMLINK_NOFOLLOW) == 0)
		tell(answers, FOUND_INSTALLATION, INSTALLATION, &st, 0);
	if (complete)
		(void) write_all(answers, ".\n", 2);
	for (size_t i = 0; i < request->pid_count; i++)
		read_port(request->pids[i], answers);
	if (root >= 0 && request->sizes) {
		list_sizes(root, "runtime", valid_name, FOUND_RUNTIME_SIZE, answers);
		list_sizes(root, "overlays", valid_id, FOUND_OVERLAY_SIZE, answers);
	}
	_exit(0);
}

/* --- the parent ------------------------------------------------------------------------------------------ */

/* A line that is no whole one, as the last before time ended may be, counts for nothing. */
static void take_line(struct look *look, const char *line)
{
	unsigned long long device, inode;
	struct found found;
	long long number;
	char kind, name[80];

	if (strcmp(line, ".") == 0)
		look->complete = true;
	if (sscanf(line, "%c %79s %llu %llu %lld", &kind, name, &device, &inode, &number) != 5)
		return;
	found = (struct found){ .kind = (enum found_kind) kind, .name = xstrdup(name), .number = number };
	found.state.st_dev = (dev_t) device;
	found.state.st_ino = (ino_t) inode;
	look->found = grow_array(look->found, look->count, sizeof(found));
	look->found[look->count++] = found;
}

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int64_t id, other;

	if (x->kind != y->kind)
		return (x->kind > y->kind) - (x->kind < y->kind);
	if (strchr("oO", x->kind) && parse_id(x->name, &id) && parse_id(y->name, &other))
		return (id > other) - (id < other);
	return strcmp(x->name, y->name);
}

static void take_answer(struct look *look, char *answer)
{
	for (char *line = answer, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		take_line(look, line);
	}
	sort_array(look->found, look->count, sizeof(*look->found), compare_found);
}

void look(const struct look_request *request, struct look *ret_look)
{
	cleanup_text struct text answer = TEXT_EMPTY;
	cleanup_free char *lines = NULL;
	struct timespec deadline;
	int ends[2];
	pid_t pid;

	*ret_look = (struct look){ NULL, 0, false };
	if (pipe(ends) < 0)
		return;
	child_deadline(request->sizes ? LOOK_SIZES_PATIENCE : LOOK_PATIENCE, &deadline);
	pid = fork();
	if (pid == 0) {
		(void) close(ends[0]);
		child(request, ends[1]);
	}
	(void) close(ends[1]);
	if (pid > 0) {
		(void) child_read(ends[0], &deadline, ANSWER_MAX, &answer);
		(void) child_end(pid);
	}
	(void) close(ends[0]);
	lines = xstrdup(text_string(&answer));
	take_answer(ret_look, lines);
}

const struct found *look_find(const struct look *look, enum found_kind kind, const char *name)
{
	const struct found key = { .kind = kind, .name = (char *) name };

	return look->count > 0 ? bsearch(&key, look->found, look->count, sizeof(key), compare_found) : NULL;
}

bool look_is_inherited(const struct look *look, const char *name, int64_t created)
{
	const struct found *directory = look_find(look, FOUND_RUNTIME, name);

	return directory && directory->number > 0 && directory->number < created && created <= time(NULL);
}

void look_see_layers(const struct look *look, struct started *started)
{
	for (size_t i = 0; i < started->count; i++) {
		cleanup_free char *id = xstrdup(started->items[i].value);
		const struct found *found = NULL;

		if (strcmp(started->items[i].key, STARTED_LAYER) == 0)
			found = look_find(look, strcmp(id, INSTALLATION) == 0 ? FOUND_INSTALLATION : FOUND_OVERLAY, id);
		if (found)
			started_see_layer(started, id, &found->state);
	}
}

void look_done(struct look *look)
{
	for (size_t i = 0; i < look->count; i++)
		free(look->found[i].name);
	free(look->found);
	*look = (struct look){ NULL, 0, false };
}
