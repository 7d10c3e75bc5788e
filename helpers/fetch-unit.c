/*
 * The system calls made as root, in their order, and why each is safe; those of enter_host() and open_beneath()
 * are in privileged.c.
 *
 *   pidfd_open, setns    Into PID 1's mount namespace; in the unit's own there is no database.
 *   socket, sendto       In fetch-probe.c, to the host's own addresses, of which the kernel tells.
 *   openat2              The unit's runtime directory, below / and through no link. Only its descriptor is used.
 *   lstat                The database's owner. Nothing is opened.
 *   setgid, setuid       In platform.c: to the owner of that directory, never to root. The database is opened, and
 *                        the script created, with no more rights than the build will have.
 */
#include "fetch-unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "fetch-probe.h"
#include "platform.h"
#include "privileged.h"

static int fail(char **ret_reason, int error, const char *what, const char *path)
{
	*ret_reason = xasprintf("%s%s%s%s: %s", what, path ? " '" : "", path ? path : "", path ? "'" : "",
				strerror(error));
	return -1;
}

static int refuse_reachable_host(char **ret_reason)
{
	cleanup_free char *address = NULL;
	int r = probe_own_addresses(&address);

	if (r < 0)
		return fail(ret_reason, -r, "cannot list the host's addresses", NULL);
	if (r == 0)
		return 0;
	*ret_reason = xasprintf("the build could reach the host itself at %s: the unit's address or interface filter "
				"is not enforced (is libbpf1 installed?)", address);
	return -1;
}

static int open_directory(const char *path)
{
	cleanup_close int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return top < 0 ? -errno : open_beneath(top, path + 1, O_PATH | O_DIRECTORY, 0);
}

/*
 * The unit's User= owns its runtime directory, and the database: then neither reading nor writing needs a right
 * that the build has not. A root-owned database is read with the same rights, or not at all.
 */
static int check_owners(const char *path, const struct stat *builder, const char *database, char **ret_reason)
{
	struct stat file;

	if (builder->st_uid == 0 || (builder->st_mode & 0022) != 0)
		*ret_reason = xasprintf("'%s' belongs to root, or others may write in it", path);
	else if (lstat(database, &file) < 0)
		return fail(ret_reason, errno, "cannot look at", database);
	else if (file.st_uid != 0 && file.st_uid != builder->st_uid)
		*ret_reason = xasprintf("'%s' belongs to user %u, but '%s' to user %u", database, file.st_uid, path,
					builder->st_uid);
	return *ret_reason ? -1 : 0;
}

int become_builder(const char *runtime_directory, const char *database, int *ret_directory, char **ret_reason)
{
	struct stat builder;
	int directory, r = enter_host();

	if (r < 0)
		return fail(ret_reason, -r, "cannot enter PID 1's mount namespace", NULL);
	if (refuse_reachable_host(ret_reason) < 0)
		return -1;
	directory = open_directory(runtime_directory);
	if (directory < 0 || fstat(directory, &builder) < 0)
		return fail(ret_reason, directory < 0 ? -directory : errno, "cannot open", runtime_directory);
	if (check_owners(runtime_directory, &builder, database, ret_reason) < 0)
		return -1;
	r = platform_become(builder.st_uid, builder.st_gid);
	if (r < 0)
		return fail(ret_reason, -r, "cannot give up root for the owner of", runtime_directory);
	*ret_directory = directory;
	return 0;
}
