#include "look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "child.h"
#include "name.h"
#include "platform.h"

/* An answer of that many bytes names some 100 000 directories. */
enum { ANSWER_MAX = 8 * 1024 * 1024, DEPTH_MAX = 100, COMMAND_LINE_MAX = 8192, FIRST_LINE_MAX = 255 };

/* --- the child ------------------------------------------------------------------------------------------- */

/* One line a thing, each written at once: what was found until time ends counts. */
static void PRINTF_LIKE(2, 3) say(int answers, const char *format, ...)
{
	va_list arguments;
	cleanup_free char *line = NULL;

	va_start(arguments, format);
	line = xvasprintf(format, arguments);
	va_end(arguments);
	if (write_all(answers, line, strlen(line)) < 0)
		_exit(1);
}

static void tell_at(int answers, enum found_kind kind, const char *name, const struct stat *state, int64_t number,
		    const char *real)
{
	say(answers, "%c %s %" PRIu64 " %" PRIu64 " %" PRId64 " %u %u %u %s\n", (char) kind, name, (uint64_t) state->st_dev,
	    (uint64_t) state->st_ino, number, (unsigned) state->st_mode, (unsigned) state->st_uid, (unsigned) state->st_gid, real);
}

static void tell(int answers, enum found_kind kind, const char *name, const struct stat *state, int64_t number)
{
	tell_at(answers, kind, name, state, number, "");
}

static int open_directory(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* What the tree takes on disk, within one file system; -1 when not all of it can be seen. Closes the descriptor. */
static int64_t measure(int fd, dev_t device, int depth)
{
	cleanup_closedir DIR *dir = depth < DEPTH_MAX ? fdopendir(fd) : NULL;
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
	return sum;
}

/* Says what is looked at next, which is where the time has ended if nothing follows. */
static void begin(int answers, const char *directory, const char *name)
{
	say(answers, "> %s%s%s\n", directory, *name ? "/" : "", name);
}

/* Says that it cannot be seen; false. */
static bool failed(int answers, int error)
{
	say(answers, "! %d\n", error);
	return false;
}

static bool has_group(gid_t group)
{
	int count = getgroups(0, NULL);
	gid_t *groups = xcalloc((size_t) count + 1, sizeof(*groups));
	bool found = false;

	count = getgroups(count, groups);
	for (int i = 0; i < count; i++)
		found |= groups[i] == group;
	free(groups);
	return found;
}

/*
 * 0 or the errno of what left4me-overlay asks before it mounts a layer. It asks with the rights of uid and gid alone; a caller that
 * is this user may have more groups, and where the layer is one of these its mode has to do. What another user may do says nothing.
 */
static int mount_error(const struct look_request *request, int parent, const char *name, const struct stat *st)
{
	if (geteuid() != strtoul(request->uid, NULL, 10))
		return 0;
	if (st->st_uid != geteuid() && st->st_gid != strtoul(request->gid, NULL, 10) && has_group(st->st_gid))
		return (st->st_mode & (S_IROTH | S_IXOTH)) == (S_IROTH | S_IXOTH) ? 0 : EACCES;
	return faccessat(parent, name, R_OK | X_OK, 0) < 0 ? errno : 0;
}

/* The directories below ROOT/NAME whose names are ours. False when they cannot be seen. */
static bool list(const struct look_request *request, int root, const char *name, bool (*valid)(const char *),
		 enum found_kind kind, int answers)
{
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;
	struct stat st;

	begin(answers, request->root, name);
	dir = opendirat(root, name, O_NOFOLLOW);
	if (!dir)
		return errno == ENOENT || failed(answers, errno);
	while ((errno = 0, entry = readdir(dir)))
		if (valid(entry->d_name) && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			tell(answers, kind, entry->d_name, &st,
			     kind == FOUND_RUNTIME ? platform_birth_time(dirfd(dir), entry->d_name)
						   : mount_error(request, dirfd(dir), entry->d_name, &st));
	return errno == 0 || failed(answers, errno);
}

static void list_sizes(int root, const char *name, bool (*valid)(const char *), enum found_kind kind, int answers)
{
	cleanup_closedir DIR *dir = opendirat(root, name, O_NOFOLLOW);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int below = valid(entry->d_name) ? open_directory(dirfd(dir), entry->d_name) : -1;
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

/* What the kernel makes of a first line, in place; NULL when it is no script's. */
static const char *interpreter_in(char *line)
{
	char *name = line + 2;

	if (strncmp(line, "#!", 2) != 0)
		return NULL;
	name += strspn(name, " \t");
	name[strcspn(name, " \t\n")] = '\0';
	return *name && valid_text(name, strlen(name)) ? name : NULL;
}

static void look_at_interpreter(const char *path, const char *number, int answers)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char line[FIRST_LINE_MAX + 1];
	ssize_t length = fd < 0 ? -1 : read(fd, line, FIRST_LINE_MAX);
	cleanup_free char *real = NULL;
	struct stat st = { .st_mode = 0 };
	const char *name;
	int error = 0;

	line[length > 0 ? length : 0] = '\0';
	name = interpreter_in(line);
	if (!name)
		return;
	if (stat(name, &st) < 0 || access(name, X_OK) < 0)
		error = errno;
	real = error == 0 ? platform_real_path(name) : NULL;
	tell_at(answers, FOUND_INTERPRETER, number, &st, error, real && valid_text(real, strlen(real)) ? real : name);
}

/* But for a program, nothing is opened: no FIFO and no device keeps it waiting. */
static void look_at_file(const struct look_file *file, size_t number, int answers)
{
	cleanup_free char *name = xasprintf("%zu", number), *real = NULL;
	struct stat st = { .st_mode = 0 };

	if ((file->is_no_link ? lstat(file->path, &st) : stat(file->path, &st)) < 0) {
		tell(answers, FOUND_FILE, name, &st, errno);
		return;
	}
	real = platform_real_path(file->path);
	tell_at(answers, FOUND_FILE, name, &st, file->access != 0 && access(file->path, file->access) < 0 ? errno : 0,
		real && valid_text(real, strlen(real)) ? real : "");
	if (file->is_program && S_ISREG(st.st_mode))
		look_at_interpreter(file->path, name, answers);
}

/* By its mode, not by access(2): that a layer is mounted noexec does not count in the overlay above it. */
static bool is_executable(const struct stat *st)
{
	mode_t bit = st->st_uid == geteuid() ? S_IXUSR : st->st_gid == getegid() ? S_IXGRP : S_IXOTH;

	return S_ISREG(st->st_mode) && (st->st_mode & bit);
}

/* Whether one could be executed; of a link the rest of the stack decides. */
static bool tell_game(int parent, const char *directory, const char *name, int answers)
{
	cleanup_free char *path = xconcat(directory, "/", "srcds_run");
	struct stat st;

	if (fstatat(parent, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !(S_ISLNK(st.st_mode) || is_executable(&st)))
		return false;
	tell(answers, FOUND_GAME, name, &st, 0);
	return true;
}

static void look_for_game(const struct look_request *request, int root, int answers)
{
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;

	begin(answers, request->root, INSTALLATION "/srcds_run");
	if (tell_game(root, INSTALLATION, INSTALLATION, answers))
		return;
	begin(answers, request->root, "overlays");
	dir = opendirat(root, "overlays", O_NOFOLLOW);
	while (dir && (entry = readdir(dir)))
		if (valid_id(entry->d_name))
			(void) tell_game(dirfd(dir), entry->d_name, entry->d_name, answers);
}

/* False when not all of it can be seen. */
static bool look_below(const struct look_request *request, int root, int answers)
{
	bool complete = list(request, root, "overlays", valid_id, FOUND_OVERLAY, answers);
	struct stat st;

	complete = list(request, root, "runtime", valid_name, FOUND_RUNTIME, answers) && complete;
	begin(answers, request->root, INSTALLATION);
	if (fstatat(root, INSTALLATION, &st, AT_SYMLINK_NOFOLLOW) == 0)
		tell(answers, FOUND_INSTALLATION, INSTALLATION, &st, mount_error(request, root, INSTALLATION, &st));
	if (request->game)
		look_for_game(request, root, answers);
	return complete;
}

/* The last line of the answer but for ports and sizes is "." where everything was seen. */
static _Noreturn void child(const struct look_request *request, int answers)
{
	uid_t uid = (uid_t) strtoul(request->uid, NULL, 10);
	gid_t gid = (gid_t) strtoul(request->gid, NULL, 10);
	int root, r = 0;

	begin(answers, request->root, "");
	if (geteuid() == 0)
		r = uid == 0 ? -EPERM : platform_become(uid, gid);
	if (r < 0) {
		(void) failed(answers, -r);
		_exit(1);
	}
	platform_die_with_parent();
	for (size_t i = 0; i < request->file_count; i++) {
		begin(answers, request->files[i].path, "");
		look_at_file(&request->files[i], i, answers);
	}
	begin(answers, request->root, "");
	root = open(request->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 ? failed(answers, errno) : look_below(request, root, answers))
		say(answers, ".\n");
	for (size_t i = 0; i < request->pid_count; i++)
		read_port(request->pids[i], answers);
	if (root >= 0 && request->sizes) {
		list_sizes(root, "runtime", valid_name, FOUND_RUNTIME_SIZE, answers);
		list_sizes(root, "overlays", valid_id, FOUND_OVERLAY_SIZE, answers);
	}
	_exit(0);
}

/* --- the parent ------------------------------------------------------------------------------------------ */

/* How far the child has come: the first failure stays, and what was begun last is what took too long. */
static void take_progress(struct look *look, const char *line)
{
	if (strcmp(line, ".") == 0) {
		look->complete = true;
		freep(&look->unseen);
	} else if (line[0] == '>' && look->error == 0) {
		free(look->unseen);
		look->unseen = xstrdup(line + 2);
	} else if (line[0] == '!' && look->error == 0)
		look->error = (int) strtol(line + 2, NULL, 10);
}

/* A line that is no whole one, as the last before time ended may be, counts for nothing. */
static void take_line(struct look *look, const char *line)
{
	unsigned long long device, inode;
	unsigned mode, uid, gid;
	struct found found;
	long long number;
	char kind, name[80];
	int end = 0;

	take_progress(look, line);
	if (sscanf(line, "%c %79s %llu %llu %lld %u %u %u%n", &kind, name, &device, &inode, &number, &mode, &uid, &gid,
		   &end) != 8 || line[end] != ' ')
		return;
	found = (struct found){ .kind = (enum found_kind) kind, .name = xstrdup(name), .number = number };
	found.real = xstrdup(line + end + 1);
	found.state.st_dev = (dev_t) device;
	found.state.st_ino = (ino_t) inode;
	found.state.st_mode = (mode_t) mode;
	found.state.st_uid = (uid_t) uid;
	found.state.st_gid = (gid_t) gid;
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
	int64_t deadline;
	int ends[2];
	pid_t pid;

	*ret_look = LOOK_EMPTY;
	if (pipe(ends) < 0)
		return;
	deadline = time_now(CLOCK_MONOTONIC) + (request->sizes ? LOOK_SIZES_PATIENCE : LOOK_PATIENCE) * USEC_PER_SEC;
	pid = fork();
	if (pid == 0) {
		(void) close(ends[0]);
		child_leave_output(ends[1]);
		child(request, ends[1]);
	}
	(void) close(ends[1]);
	if (pid > 0) {
		(void) child_read(ends[0], deadline, ANSWER_MAX, &answer);
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
	for (size_t i = 0; i < look->count; i++) {
		free(look->found[i].name);
		free(look->found[i].real);
	}
	free(look->found);
	free(look->unseen);
	*look = LOOK_EMPTY;
}
