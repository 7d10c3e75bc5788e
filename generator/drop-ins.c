#include "drop-ins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "name.h"
#include "started.h"

/*
 * In order of precedence. Not system.control, where `systemctl set-property` writes: what that takes, it applies to what
 * runs.
 */
static const char *const directories[] = {
	"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
};

enum { BEFORE_GENERATOR = 2 };         /* of these */

#define SUFFIX ".service.d"

/*
 * How near a directory of drop-ins is to a server, from 0, by the order that systemd 257 has been seen to keep: those for every
 * service come after all others, whichever directory they are in.
 */
enum { EVERY_SERVICE = 4, DISTANCES };

/*
 * Which servers a directory of drop-ins is for, and how near it is: one server or all of them, by the name of the unit or
 * by its first word alone (systemd.unit(5)), or all services.
 */
static bool for_servers(const char *directory, char **ret_instance, unsigned *ret_distance)
{
	static const char *const units[] = { SERVER_UNIT, "left4me-@" };
	const char *end = endswith(directory, SUFFIX);

	*ret_instance = NULL;
	*ret_distance = strcmp(directory, "service.d") == 0 ? EVERY_SERVICE : 3;
	if (*ret_distance == EVERY_SERVICE || strcmp(directory, "left4me-" SUFFIX) == 0)
		return true;
	for (unsigned i = 0; i < ELEMENTS(units); i++) {
		const char *instance = startswith(directory, units[i]);

		if (!instance || !end || end < instance)
			continue;
		*ret_distance = i + 1;
		if (end > instance) {
			*ret_instance = xasprintf("%.*s", (int) (end - instance), instance);
			*ret_distance = i;
		}
		return true;
	}
	return false;
}

/* 0 for a mask and for what cannot be read; never waits for a FIFO. */
static uint64_t hash_file(int directory, const char *name, bool *unseen)
{
	cleanup_close int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_text struct text text = TEXT_EMPTY;
	struct stat st;

	*unseen |= fd < 0 && errno == EACCES;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || text_read(&text, fd) < 0)
		return 0;
	return started_hash_settings(text_string(&text));
}

static bool is_drop_in(const char *name)
{
	return *name != '.' && endswith(name, ".conf");
}

static void read_directory(struct drop_ins *drop_ins, int parent, const char *name, const char *instance, unsigned rank)
{
	cleanup_closedir DIR *dir = opendirat(parent, name, 0);
	const struct dirent *entry;

	drop_ins->unseen |= !dir && errno == EACCES;
	while (dir && (entry = readdir(dir)) != NULL) {
		if (!is_drop_in(entry->d_name))
			continue;
		drop_ins->drop_ins = grow_array(drop_ins->drop_ins, drop_ins->count, sizeof(*drop_ins->drop_ins));
		drop_ins->drop_ins[drop_ins->count++] = (struct drop_in){
			.name = xstrdup(entry->d_name), .instance = instance ? xstrdup(instance) : NULL,
			.rank = rank, .hash = hash_file(dirfd(dir), entry->d_name, &drop_ins->unseen),
		};
	}
}

static int by_name(const void *a, const void *b)
{
	const struct drop_in *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

void drop_ins_read(const char *prefix, struct drop_ins *ret_drop_ins)
{
	struct drop_ins drop_ins = { NULL, 0, false };

	for (unsigned i = 0; i < ELEMENTS(directories); i++) {
		cleanup_free char *path = xconcat(prefix, directories[i], "");
		cleanup_closedir DIR *dir = opendir(path);
		const struct dirent *entry;

		while (dir && (entry = readdir(dir)) != NULL) {
			cleanup_free char *instance = NULL;
			unsigned distance;

			if (for_servers(entry->d_name, &instance, &distance))
				read_directory(&drop_ins, dirfd(dir), entry->d_name, instance,
					       distance == EVERY_SERVICE ? DISTANCES * ELEMENTS(directories) + i : DISTANCES * i + distance);
		}
	}
	if (drop_ins.count > 0)
		qsort(drop_ins.drop_ins, drop_ins.count, sizeof(*drop_ins.drop_ins), by_name);
	*ret_drop_ins = drop_ins;
}

/*
 * The generator's own drop-in gives way to one of its name in a directory that comes before the generator's, even to one that
 * masks it: the server starts without hardening then.
 */
static bool counts(const struct drop_in *drop_in)
{
	if (strcmp(drop_in->name, "10-hardening.conf") == 0)
		return drop_in->rank < DISTANCES * BEFORE_GENERATOR;
	return drop_in->hash != 0;
}

void drop_ins_put(const struct drop_ins *drop_ins, const char *instance, struct text *out)
{
	const char *last = "";

	for (size_t i = 0; drop_ins && i < drop_ins->count; i++) {
		const struct drop_in *drop_in = &drop_ins->drop_ins[i];

		if ((drop_in->instance && strcmp(drop_in->instance, instance) != 0) || strcmp(drop_in->name, last) == 0)
			continue;
		last = drop_in->name;
		if (counts(drop_in))
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
	*drop_ins = (struct drop_ins){ NULL, 0, false };
}
