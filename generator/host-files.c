#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host-needs.h"
#include "name.h"

/* --- what is there --------------------------------------------------------------------------------------- */

static bool is_state(const struct need *need)
{
	return need->kind == NEED_STATE || need->kind == NEED_BOUND_STATE;
}

static bool is_script(const struct need *need)
{
	return need->kind == NEED_SCRIPT || need->kind == NEED_UPDATE_SCRIPT;
}

/* Bits of access(2). */
static int access_of(const struct need *need)
{
	if (need->kind == NEED_DATABASE)
		return R_OK | W_OK;
	if (need->kind == NEED_READABLE)
		return R_OK;
	return need->kind == NEED_PROGRAM || need->kind == NEED_DIRECTORY || is_script(need) ? X_OK : 0;
}

static void ask(const struct needs *needs, const struct model *model, struct look *ret_look)
{
	const struct config *config = needs->config;
	struct look_file *files = xcalloc(needs->count, sizeof(*files));
	const struct look_request request = {
		.root = config->host.root, .uid = config->host.uid, .gid = config->host.gid,
		.files = files, .file_count = needs->count, .game = host_enabled_servers(model) > 0,
	};

	for (size_t i = 0; i < needs->count; i++)
		files[i] = (struct look_file){
			.path = needs->list[i].path, .access = access_of(&needs->list[i]),
			.is_no_link = is_state(&needs->list[i]) || needs->list[i].kind == NEED_DATABASE,
			.is_program = is_script(&needs->list[i]),
		};
	look(&request, ret_look);
	free(files);
}

/*
 * Why it is not what has to be there, and what helps; both owned by the caller. False where nothing is wrong with it. Root types
 * what helps, while the user may put a link there: so it follows none, or has that user's rights.
 */
static bool is_unfit(const struct needs *needs, const struct need *need, const struct found *found, char **ret_reason,
		     char **ret_remedy)
{
	const struct stat *st = &found->state;
	const char *uid = needs->config->host.uid;
	bool directory = is_state(need) || need->kind == NEED_DIRECTORY;
	char *reason = NULL, *remedy = NULL;

	if (st->st_mode == 0)
		reason = xstrdup(strerror((int) found->number));
	else if (S_ISLNK(st->st_mode)) {
		reason = xstrdup("is a symbolic link, which is not followed");
		remedy = xstrdup("put the directory itself there, or mount it");
	} else if (directory != S_ISDIR(st->st_mode))
		reason = xstrdup(directory ? "is no directory" : "is a directory");
	else if (is_state(need) && st->st_uid != strtoul(uid, NULL, 10)) {
		reason = xasprintf("is owned by uid %u, not by %s ([host] uid)", (unsigned) st->st_uid, uid);
		remedy = xasprintf("chown -h %s:%s %s", needs->config->host.user, needs->config->host.group, need->path);
	} else if (found->number != 0 && needs->as_user && S_ISREG(st->st_mode) && (st->st_mode & 0111) == 0111)
		reason = xstrdup("lies on a file system that is mounted noexec");
	else if (found->number != 0 && needs->as_user)
		reason = xasprintf("user %s may not %s it", uid, directory ? "enter" : "execute");
	else
		return false;
	*ret_reason = reason;
	*ret_remedy = remedy ? remedy : xstrdup(need->remedy);
	return true;
}

static void judge_root(struct needs *needs, const struct need *need, const struct found *found, struct report *report)
{
	cleanup_free char *owner = xasprintf("%u:%u", (unsigned) found->state.st_uid, (unsigned) found->state.st_gid);
	cleanup_free char *expected = xasprintf("%s:%s", needs->config->host.uid, needs->config->host.gid);

	needs->root_is_missing = found->state.st_mode == 0;
	if (needs->root_is_missing)
		report_problem(report, need->path, "%s", strerror((int) found->number));
	else if (strcmp(owner, expected) != 0)
		report_problem(report, need->path, "is owned by %s, not by %s ([host] uid and gid)", owner, expected);
}

/* That the rows cannot be read has been said; this is about who writes. To left4me-check.service all file systems are read-only. */
static void judge_database(const struct needs *needs, const struct need *need, const struct found *found,
			   struct report *report)
{
	const struct config *config = needs->config;
	unsigned uid = (unsigned) found->state.st_uid;
	cleanup_free char *remedy = xasprintf("chown -h %s:%s %s", config->host.user, config->host.group, need->path);

	if (!S_ISREG(found->state.st_mode) || uid == strtoul(config->host.uid, NULL, 10))
		return;
	if (config->web_enabled && needs->as_user && found->number != 0 && found->number != EROFS)
		report_problem(report, need->path, "is owned by uid %u, not by %s ([host] uid): the web application cannot write it; %s",
			       uid, config->host.uid, remedy);
	else
		report_warning(report, need->path, "is owned by uid %u, not by %s ([host] uid), which may keep the web application "
			       "from writing; %s", uid, config->host.uid, remedy);
}

/* The check of that user itself has said so, and cannot go by what it has not read. */
static void judge_readable(const struct needs *needs, const struct need *need, const struct found *found, struct report *report)
{
	if (geteuid() == 0 && found->number == EACCES)
		report_warning(report, need->path, "user %s may not read it, or not enter a directory above it, so that "
			       "left4me-check.service fails; chgrp to a group of that user, and chmod g+rX", needs->config->host.uid);
}

static void judge_need(struct needs *needs, const struct need *need, const struct found *found, struct report *report)
{
	cleanup_free char *reason = NULL, *remedy = NULL;
	bool bound = need->kind == NEED_BOUND_STATE || need->kind == NEED_BOUND_FILE;

	if (needs->root_is_missing && path_below(need->path, needs->config->host.root))
		return;
	/* Units have a /home of their own, where what lies in a closed home is bound into an open one. */
	if (found->state.st_mode == 0 && found->number == EACCES && path_below(need->path, "/home"))
		return;
	/* A shell sees another one than left4me-check.service; what must not be there at all is said elsewhere. */
	if (path_is_private(need->path))
		return;
	if (!is_unfit(needs, need, found, &reason, &remedy))
		return;
	needs->state_is_unfit |= is_state(need);
	report_problem(report, need->path, "%s: %s%s; %s", reason, need->consequence,
		       bound && found->state.st_mode == 0 ? " (226/NAMESPACE)" : "", remedy);
}

/*
 * A directory above it is closed. Another user than the units' cannot tell what they may; root reads or binds it, whoever may
 * not come near. What lies in /etc/left4me it has read by now; the resolvers of builds may be below ROOT, where it does not look.
 */
static void judge_closed(const struct needs *needs, const struct need *need, struct report *report)
{
	if (needs->as_user && need->kind == NEED_BOUND_FILE)
		report_warning(report, need->path, "user %s may not enter a directory above it: it has not been looked at, and "
			       "only a build tells whether it is there", needs->config->host.uid);
	else if (geteuid() != 0 || access(need->path, F_OK) < 0)
		report->blind = true;
}

static void judge(struct needs *needs, const struct need *need, const struct found *found, struct report *report)
{
	bool by_root = need->kind == NEED_FILE || need->kind == NEED_BOUND_FILE;

	if (need->kind == NEED_READABLE)
		judge_readable(needs, need, found, report);
	else if (found->state.st_mode == 0 && found->number == EACCES && (by_root || !needs->as_user))
		judge_closed(needs, need, report);
	else if (need->kind == NEED_ROOT)
		judge_root(needs, need, found, report);
	else if (need->kind == NEED_DATABASE)
		judge_database(needs, need, found, report);
	else if (need->kind != NEED_PLACE && need->kind != NEED_WAY)
		judge_need(needs, need, found, report);
}

/* --- all of them ----------------------------------------------------------------------------------------- */

/* `is_needed`: by a server, and what is wrong below ROOT has not been said yet. */
static void check_unseen(const struct config *config, const struct look *look, bool is_needed, struct report *report)
{
	const char *where = look->unseen ? look->unseen : config->host.root;
	bool is_said = strcmp(where, config->host.root) == 0 && look_find(look, FOUND_FILE, "0");

	if (look->complete || (look->error != 0 && (!is_needed || is_said)))
		return;
	report->blind = true;
	if (look->error != 0)
		report_problem(report, where, "%s: what is there has not been looked at", strerror(look->error));
	else
		report_problem(report, where, "no answer within %d s: neither this nor what comes after it has been looked at, and "
			       "units may wait there, too", LOOK_PATIENCE);
}

void host_check_files(const struct config *config, const struct model *model, struct report *report, struct look *ret_look)
{
	struct needs needs = {
		.config = config, .as_user = geteuid() == 0 || geteuid() == strtoul(config->host.uid, NULL, 10),
	};

	host_needs_list(model, &needs);
	ask(&needs, model, ret_look);
	for (size_t i = 0; i < needs.count; i++) {
		cleanup_free char *number = xasprintf("%zu", i);
		const struct found *found = look_find(ret_look, FOUND_FILE, number);

		if (found)
			judge(&needs, &needs.list[i], found, report);
	}
	host_check_places(&needs, model, ret_look, report);
	check_unseen(config, ret_look, host_enabled_servers(model) > 0 && !needs.state_is_unfit, report);
	if (ret_look->complete && !needs.state_is_unfit)       /* what could not be seen is no proof of anything */
		host_check_stacks(config, model, ret_look, report);
	host_needs_done(&needs);
}
