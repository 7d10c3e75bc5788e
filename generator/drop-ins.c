#include "drop-ins.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "name.h"
#include "started.h"

/*
 * In order of precedence. Not system.control, where `systemctl set-property` writes: what that takes, it applies to what
 * runs.
 */
static const char *const directories[] = {
	"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
};

#define SUFFIX ".service.d"

/*
 * Which servers a directory of drop-ins is for, and how near it is: 0 for one, 1 for the template, 2 for all units whose
 * name begins so (systemd.unit(5)), 3 for all services, which comes after the others of all directories.
 */
static bool for_servers(const char *directory, char **ret_instance, unsigned *ret_distance)
{
	static const char *const shared[] = { SERVER_UNIT SUFFIX, "left4me-" SUFFIX, "service.d" };
	size_t length = strlen(directory), prefix = strlen(SERVER_UNIT), suffix = strlen(SUFFIX);

	*ret_instance = NULL;
	for (unsigned i = 0; i < ELEMENTS(shared); i++)
		if (strcmp(directory, shared[i]) == 0) {
			*ret_distance = i + 1;
			return true;
		}
	if (length <= prefix + suffix || strncmp(directory, SERVER_UNIT, prefix) != 0 ||
	    strcmp(directory + length - suffix, SUFFIX) != 0)
		return false;
	*ret_instance = xasprintf("%.*s", (int) (length - prefix - suffix), directory + prefix);
	*ret_distance = 0;
	return true;
}

/* 0 for a mask and for what cannot be read; never waits for a FIFO. */
static uint64_t hash_file(int directory, const char *name)
{
	cleanup_close int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_text struct text text = TEXT_EMPTY;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || text_read(&text, fd) < 0)
		return 0;
	return started_hash_settings(text_string(&text));
}

static bool is_drop_in(const char *name)
{
	size_t length = strlen(name), suffix = strlen(".conf");

	return *name != '.' && length > suffix && strcmp(name + length - suffix, ".conf") == 0;
}

static void read_directory(struct drop_ins *drop_ins, int parent, const char *name, const char *instance, unsigned rank)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir && fd >= 0)
		(void) close(fd);
	while (dir && (entry = readdir(dir)) != NULL) {
		if (!is_drop_in(entry->d_name))
			continue;
		drop_ins->drop_ins = grow_array(drop_ins->drop_ins, drop_ins->count, sizeof(*drop_ins->drop_ins));
		drop_ins->drop_ins[drop_ins->count++] = (struct drop_in){
			.name = xstrdup(entry->d_name), .instance = instance ? xstrdup(instance) : NULL,
			.rank = rank, .hash = hash_file(fd, entry->d_name),
		};
	}
	if (dir)
		(void) closedir(dir);
}

static int by_name(const void *a, const void *b)
{
	const struct drop_in *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

void drop_ins_read(const char *prefix, struct drop_ins *ret_drop_ins)
{
	struct drop_ins drop_ins = { NULL, 0 };

	for (unsigned i = 0; i < ELEMENTS(directories); i++) {
		cleanup_free char *path = xconcat(prefix, directories[i], "");
		DIR *dir = opendir(path);
		const struct dirent *entry;

		while (dir && (entry = readdir(dir)) != NULL) {
			cleanup_free char *instance = NULL;
			unsigned distance;

			if (for_servers(entry->d_name, &instance, &distance))
				read_directory(&drop_ins, dirfd(dir), entry->d_name, instance, distance == 3 ? 100 + i : i * 3 + distance);
		}
		if (dir)
			(void) closedir(dir);
	}
	if (drop_ins.count > 0)
		qsort(drop_ins.drop_ins, drop_ins.count, sizeof(*drop_ins.drop_ins), by_name);
	*ret_drop_ins = drop_ins;
}

void drop_ins_put(const struct drop_ins *drop_ins, const char *instance, struct text *out)
{
	const char *last = "";

	for (size_t i = 0; i < drop_ins->count; i++) {
		const struct drop_in *drop_in = &drop_ins->drop_ins[i];

		if ((drop_in->instance && strcmp(drop_in->instance, instance) != 0) || strcmp(drop_in->name, last) == 0)
			continue;
		last = drop_in->name;
		if (drop_in->hash)
			started_put_drop_in(out, drop_in->name, drop_in->hash);
	}
}

void drop_ins_done(struct drop_ins *drop_ins)
{
	for (size_t i = 0; i < drop_ins->count; i++) {
		free(drop_ins->drop_ins[i].name);
		free(drop_ins->drop_ins[i].instance);
	}
	free(drop_ins->drop_ins);
	*drop_ins = (struct drop_ins){ NULL, 0 };
}
