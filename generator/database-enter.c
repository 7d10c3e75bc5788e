#include "database.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "platform.h"

int database_refuse(struct database_error *ret_error, int error, const char *path, const char *what)
{
	struct stat st;

	ret_error->denied = error == EACCES || error == EPERM;
	if (ret_error->denied && stat(path, &st) == 0)
		ret_error->reason = xasprintf("user %u may not %s: it belongs to user %u and group %u with mode %04o; "
					      "chown or chmod it", (unsigned) geteuid(), what, (unsigned) st.st_uid,
					      (unsigned) st.st_gid, (unsigned) st.st_mode & 07777);
	else
		ret_error->reason = xstrdup(strerror(error));
	return -1;
}

static void limit_resource(int resource, rlim_t limit)
{
	(void) setrlimit(resource, &(struct rlimit){ limit, limit });
}

static void limit_resources(void)
{
#if !defined(__SANITIZE_ADDRESS__)     /* whose shadow memory alone is larger */
	limit_resource(RLIMIT_AS, 384UL * 1024 * 1024);
#endif
	limit_resource(RLIMIT_CPU, DATABASE_PATIENCE + 1);
}

/* The first directory on the way that this process may not enter. */
static int refuse_directory(char *directory, struct database_error *ret_error)
{
	for (char *end = strchr(directory + 1, '/'); end; end = strchr(end + 1, '/')) {
		cleanup_free char *what = NULL;

		*end = '\0';
		what = xasprintf("enter '%s'", directory);
		if (access(directory, X_OK) < 0)
			return database_refuse(ret_error, errno, directory, what);
		*end = '/';
	}
	ret_error->reason = xstrdup(strerror(EACCES));
	ret_error->denied = true;
	return -1;
}

/* From inside the directory, a rename above it makes no difference. */
static int enter_directory(const char *path, struct database_error *ret_error)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *directory = slash ? xasprintf("%.*s", (int) (slash - path) + 1, path) : NULL;

	if (!slash || chdir(directory) == 0)
		return 0;
	if (errno == EACCES)
		return refuse_directory(directory, ret_error);
	ret_error->reason = xstrdup(strerror(errno));
	return -1;
}

int database_enter(const char *path, uid_t uid, gid_t gid, struct database_error *ret_error)
{
	int r = 0;

	*ret_error = (struct database_error){ .reason = NULL };
	if (geteuid() == 0 && uid == 0) {
		ret_error->reason = xstrdup("is not read as root: [host] uid is 0");
		return -1;
	}
	limit_resources();
	if (geteuid() == 0)
		r = platform_become(uid, gid);
	platform_die_with_parent();    /* only now: a change of user clears it (PR_SET_PDEATHSIG in prctl(2)) */
	if (r == 0 && enter_directory(path, ret_error) < 0)
		return -1;
	if (r == 0)
		r = platform_confine();
	if (r < 0)
		ret_error->reason = xasprintf("is not read, since the reading process cannot give up its rights: %s",
					      strerror(-r));
	return r < 0 ? -1 : 0;
}
