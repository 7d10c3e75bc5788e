#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "name.h"

#ifndef EXAMPLES
#define EXAMPLES "/usr/local/share/left4me/examples"
#endif

/*
 * What must be there for what is to run: for enabled rows, for builds and for the web service, where there are any. A child
 * looks (look.h); what follows from it is judged here.
 */
enum need_kind {
	NEED_ROOT,                     /* a directory of the user's, whatever links lead there */
	NEED_STATE,                    /* one below it, which is no link: left4me-overlay insists on that */
	NEED_BOUND_STATE,              /* and which the units bind */
	NEED_DIRECTORY,
	NEED_FILE,                     /* that root reads */
	NEED_BOUND_FILE,
	NEED_PROGRAM,
	NEED_SCRIPT,                   /* or a program */
	NEED_DATABASE,                 /* or what lies beside it: may be missing */
	NEED_PLACE,                    /* where it really is counts, and nothing else */
	NEED_WAY,                      /* the same of a directory that nobody binds, on the way to one that is */
};

struct need {
	enum need_kind kind;
	char *path;
	const char *consequence, *remedy;
};

struct needs {
	const struct config *config;
	struct need *of;
	size_t count;
	bool as_user;                  /* what the child may not do the units may not do either */
	bool root_is_missing, state_is_unfit;  /* then what lies below is no news */
};

static const char no_server[] = "no server starts", no_build[] = "no build starts";
static const char no_web[] = "the web service does not start", no_refresh[] = "the workshop refresh does not start";
static const char no_update[] = "no update of the game starts";
static const char from_tmpfiles[] = "systemd-tmpfiles --create makes it (tmpfiles.d/left4me.conf)";

/* --- what is needed -------------------------------------------------------------------------------------- */

static void need(struct needs *needs, enum need_kind kind, char *path, const char *consequence, const char *remedy)
{
	needs->of = grow_array(needs->of, needs->count, sizeof(*needs->of));
	needs->of[needs->count++] = (struct need){ kind, path, consequence, remedy };
}

static size_t enabled_servers(const struct model *model)
{
	size_t count = 0;

	for (size_t i = 0; i < model->instance_count; i++)
		count += instance_is_to_start(&model->instances[i]);
	return count;
}

static size_t builds(const struct model *model)
{
	size_t count = 0;

	for (size_t i = 0; i < model->overlay_count; i++)
		count += model->overlays[i].has_script && !model->overlays[i].refused;
	return count;
}

/* As server-hardening.conf binds them; runtime is where left4me-overlay makes what it mounts. */
static void need_state(struct needs *needs, bool servers)
{
	static const char *const bound[] = { INSTALLATION, "workshop_cache", ".steam", "steam" };
	const char *root = needs->config->host.root;

	need(needs, servers ? NEED_BOUND_STATE : NEED_STATE, xconcat(root, "/", "overlays"), servers ? no_server : no_build,
	     from_tmpfiles);
	for (size_t i = 0; servers && i < ELEMENTS(bound); i++)
		need(needs, NEED_BOUND_STATE, xconcat(root, "/", bound[i]), no_server, from_tmpfiles);
	if (servers)
		need(needs, NEED_STATE, xconcat(root, "/", "runtime"), no_server, from_tmpfiles);
}

static void need_mask(struct needs *needs, const char *path)
{
	if (path_mask(path))
		need(needs, NEED_WAY, xstrdup(path_mask(path)), NULL, NULL);
}

static void need_helper(struct needs *needs, const char *name, const char *consequence)
{
	need(needs, NEED_PROGRAM, xconcat(needs->config->host.helpers, "/", name), consequence,
	     "[host] helpers names the directory where it is installed");
}

/* Owned by the caller. */
static char *directory_of(const char *path)
{
	return xasprintf("%.*s", (int) (strrchr(path, '/') - path), path);
}

/* The word that is the program; owned by the caller. */
static char *first_word(const char *words)
{
	return xasprintf("%.*s", (int) strcspn(words, " "), words);
}

/* Of the web service, or of the refresh alone. */
static void need_web(struct needs *needs, const char *program, const char *consequence)
{
	const struct config *config = needs->config;

	need(needs, NEED_PLACE, xstrdup(config->web.venv), NULL, NULL);
	need(needs, NEED_PLACE, directory_of(config->host.database), NULL, NULL);
	need(needs, NEED_DIRECTORY, xstrdup(config->host.source), consequence, "put the application there, or set [host] source");
	need(needs, NEED_SCRIPT, xasprintf("%s/bin/%s", config->web.venv, program), consequence,
	     "make the virtual environment, or set [web] venv");
	need(needs, NEED_FILE, xstrdup("/etc/left4me/host.env"), consequence, from_tmpfiles);
	need(needs, NEED_FILE, xstrdup("/etc/left4me/web.env"), consequence,
	     EXAMPLES "/web.env is one to begin with; or set [web] enabled = no");
}

/* As update-hardening.conf binds it. Directories are those that servers need as well. */
static void need_update(struct needs *needs, bool servers)
{
	const char *root = needs->config->host.root;

	if (!servers) {
		need(needs, NEED_STATE, xconcat(root, "/", INSTALLATION), no_update, from_tmpfiles);
		need(needs, NEED_BOUND_STATE, xconcat(root, "/", "steam"), no_update, from_tmpfiles);
	}
	need(needs, NEED_SCRIPT, first_word(needs->config->update.command), no_update,
	     "[update] command names a program in /usr or in steam below [host] root");
}

static void need_database(struct needs *needs)
{
	static const char *const names[] = { "", "-journal", "-wal", "-shm" };

	for (size_t i = 0; i < ELEMENTS(names); i++)
		need(needs, NEED_DATABASE, xconcat(needs->config->host.database, names[i], ""), NULL, NULL);
}

static void needs_list(const struct model *model, struct needs *needs)
{
	const struct config *config = needs->config;
	bool servers = enabled_servers(model) > 0, scripts = builds(model) > 0, refresh = *config->workshop.refresh;
	bool update = *config->update.command;
	cleanup_free char *command = first_word(config->workshop.command);

	need(needs, NEED_ROOT, xstrdup(config->host.root), NULL, NULL);
	if (servers) {
		need_mask(needs, config->host.root);
		need_mask(needs, config->host.helpers);
	}
	need_database(needs);
	if (servers || scripts || update) {
		need(needs, NEED_PLACE, xstrdup(config->host.helpers), NULL, NULL);
		need(needs, NEED_WAY, directory_of(config->host.helpers), NULL, NULL);
		need_helper(needs, "left4me-overlay", servers ? "no server and no build starts" : scripts ? no_build : no_update);
	}
	if (servers || scripts)
		need_state(needs, servers);
	if (update)
		need_update(needs, servers);
	if (scripts) {
		need_helper(needs, "left4me-fetch-script", no_build);
		need(needs, NEED_BOUND_FILE, xstrdup(config->build.resolv_conf), no_build,
		     "[build] resolv_conf names a file with public resolvers");
	}
	if (config->web_enabled)
		need_web(needs, "gunicorn", no_web);
	else if (refresh)
		need_web(needs, command, no_refresh);
	if (config->web_enabled && refresh)
		need(needs, NEED_SCRIPT, xasprintf("%s/bin/%s", config->web.venv, command), no_refresh,
		     "install it there, or set [workshop] command, or refresh to nothing");
}

static void needs_done(struct needs *needs)
{
	for (size_t i = 0; i < needs->count; i++)
		free(needs->of[i].path);
	free(needs->of);
}

/* --- what is there --------------------------------------------------------------------------------------- */

static bool is_state(const struct need *need)
{
	return need->kind == NEED_STATE || need->kind == NEED_BOUND_STATE;
}

/* Bits of access(2). */
static int access_of(const struct need *need)
{
	if (need->kind == NEED_DATABASE)
		return R_OK | W_OK;
	return need->kind == NEED_PROGRAM || need->kind == NEED_SCRIPT || need->kind == NEED_DIRECTORY ? X_OK : 0;
}

static void ask(const struct needs *needs, const struct model *model, struct look *ret_look)
{
	const struct config *config = needs->config;
	struct look_file *files = xcalloc(needs->count, sizeof(*files));
	const struct look_request request = {
		.root = config->host.root, .uid = config->host.uid, .gid = config->host.gid,
		.files = files, .file_count = needs->count, .game = enabled_servers(model) > 0,
	};

	for (size_t i = 0; i < needs->count; i++)
		files[i] = (struct look_file){
			.path = needs->of[i].path, .access = access_of(&needs->of[i]),
			.is_no_link = is_state(&needs->of[i]) || needs->of[i].kind == NEED_DATABASE,
			.is_program = needs->of[i].kind == NEED_SCRIPT,
		};
	look(&request, ret_look);
	free(files);
}

/* Why it is not what has to be there, and what helps; both owned by the caller. False where nothing is wrong with it. */
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
		remedy = xasprintf("chown %s:%s %s", needs->config->host.user, needs->config->host.group, need->path);
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

/* That the rows cannot be read has been said; this is about who writes. */
static void judge_database(const struct needs *needs, const struct need *need, const struct found *found,
			   struct report *report)
{
	const struct config *config = needs->config;
	unsigned uid = (unsigned) found->state.st_uid;
	cleanup_free char *remedy = xasprintf("chown %s:%s %s", config->host.user, config->host.group, need->path);

	if (!S_ISREG(found->state.st_mode) || uid == strtoul(config->host.uid, NULL, 10))
		return;
	if (config->web_enabled && needs->as_user && found->number != 0)
		report_problem(report, need->path, "is owned by uid %u, not by %s ([host] uid): the web application cannot write it; %s",
			       uid, config->host.uid, remedy);
	else
		report_warning(report, need->path, "is owned by uid %u, not by %s ([host] uid), which may keep the web application "
			       "from writing; %s", uid, config->host.uid, remedy);
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
	if (!is_unfit(needs, need, found, &reason, &remedy))
		return;
	needs->state_is_unfit |= is_state(need);
	report_problem(report, need->path, "%s: %s%s; %s", reason, need->consequence,
		       bound && found->state.st_mode == 0 ? " (226/NAMESPACE)" : "", remedy);
}

static void judge(struct needs *needs, const struct need *need, const struct found *found, struct report *report)
{
	/* Root reads it, whoever may not come near; and another user than the units' cannot tell what they may. */
	if (found->state.st_mode == 0 && found->number == EACCES && (need->kind == NEED_FILE || !needs->as_user))
		report->blind = true;
	else if (need->kind == NEED_ROOT)
		judge_root(needs, need, found, report);
	else if (need->kind == NEED_DATABASE)
		judge_database(needs, need, found, report);
	else if (need->kind != NEED_PLACE && need->kind != NEED_WAY)
		judge_need(needs, need, found, report);
}

/* --- links to where units see nothing -------------------------------------------------------------------- */

/* Where a path that is among the needs really is; "" where that is not known. */
static const char *real_path(const struct needs *needs, const struct look *look, const char *path)
{
	for (size_t i = 0; i < needs->count; i++) {
		cleanup_free char *number = xasprintf("%zu", i);
		const struct found *found = strcmp(needs->of[i].path, path) == 0 ? look_find(look, FOUND_FILE, number) : NULL;

		if (found)
			return found->real;
	}
	return "";
}

/* The units bind what lies in the homes by its name. What lies below ROOT comes with it, unless it is a link itself. */
static void check_place(const struct needs *needs, const struct look *look, const char *key, const char *path,
			struct report *report)
{
	const char *root = needs->config->host.root;
	const char *real = real_path(needs, look, path), *real_root = real_path(needs, look, root);
	bool is_below = path != root && path_below(path, root);
	bool comes_along = is_below && *real && *real_root && path_below(real, real_root);

	if (comes_along || (path_in_homes(path) && !is_below) || path_is_private(path))
		return;
	if (path_in_homes(real))
		report_problem(report, path, "leads to %s, which is hidden from units by that name: name it itself, %s = %s",
			       real, key, real);
	else if (path_is_private(real))
		report_problem(report, path, "leads to %s, where units have directories of their own: move it elsewhere, and set %s",
			       real, key);
}

/* Units see the directory of the helpers and /usr. */
static void check_helper(const struct needs *needs, const struct look *look, const char *name, struct report *report)
{
	const char *helpers = needs->config->host.helpers;
	cleanup_free char *path = xconcat(helpers, "/", name);
	const char *real = real_path(needs, look, path), *place = real_path(needs, look, helpers);
	cleanup_free char *directory = *real ? directory_of(real) : NULL;

	if (directory && *place && strcmp(directory, place) != 0 && !path_below(real, "/usr"))
		report_problem(report, path, "leads to %s, which units do not see: [host] helpers = %s", real, directory);
}

/* Whether it comes with what is bound, by where both really are. */
static bool is_bound(const struct needs *needs, const struct look *look, const char *real)
{
	for (size_t i = 0; i < needs->count; i++) {
		const struct need *need = &needs->of[i];
		const char *place = real_path(needs, look, need->path);

		if ((need->kind == NEED_ROOT || need->kind == NEED_PLACE || need->kind == NEED_DIRECTORY) && *place &&
		    path_below(real, place))
			return true;
	}
	return false;
}

/* The update sees /usr and its HOME. */
static bool is_seen_by_update(const struct needs *needs, const struct look *look, const char *real)
{
	cleanup_free char *steam = xconcat(needs->config->host.root, "/", "steam");
	const char *home = real_path(needs, look, steam);

	return path_below(real, "/usr") || (*home && path_below(real, home));
}

static void check_interpreter(const struct needs *needs, const struct look *look, size_t at, struct report *report)
{
	cleanup_free char *number = xasprintf("%zu", at);
	const struct found *found = look_find(look, FOUND_INTERPRETER, number);
	const struct need *need = &needs->of[at];
	bool is_hidden;

	if (!found || (found->number == EACCES && !needs->as_user))
		return;
	is_hidden = need->consequence == no_update ? !is_seen_by_update(needs, look, found->real)
		: (path_in_homes(found->real) || path_is_private(found->real)) && !is_bound(needs, look, found->real);
	if (found->number != 0)
		report_problem(report, need->path, "is run by %s: %s: %s; %s", found->real, strerror((int) found->number),
			       need->consequence, need->remedy);
	else if (is_hidden)
		report_problem(report, need->path, "is run by %s, which units do not see: %s; %s", found->real,
			       need->consequence, need->remedy);
}

/* Of a link both ends have to be there. */
static void check_update(const struct needs *needs, const struct look *look, struct report *report)
{
	cleanup_free char *path = first_word(needs->config->update.command);
	cleanup_free char *steam = xconcat(needs->config->host.root, "/", "steam");
	const char *real = real_path(needs, look, path);
	bool is_named = path_in_usr(path) || path_below(path, steam);

	if (*real && (!is_named || !is_seen_by_update(needs, look, real)))
		report_problem(report, path, "is neither in /usr nor in %s%s%s, and nothing else is seen by an update: %s; put it "
			       "there, and set [update] command", steam,
			       strcmp(path, real) != 0 ? ", but leads to " : "", strcmp(path, real) != 0 ? real : "", no_update);
}

/*
 * A server sees only what is bound, by its name, below directories that the unit makes anew. So a link in these does not matter,
 * and one in their place does.
 */
static bool is_masked(const struct needs *needs, const struct look *look, const char *path)
{
	const char *mask = path_mask(path);

	return mask && strcmp(real_path(needs, look, mask), mask) == 0;
}

/*
 * The helpers are bound by their name, wherever they are: what leads there in the unit, too, is followed, but not what lies in a
 * directory that the unit makes anew. Of builds and updates nothing is there but what is bound, /usr and no other link.
 */
static bool is_followed(const struct needs *needs, const struct look *look, const char *path, bool by_server)
{
	cleanup_free char *directory = directory_of(path);
	const char *way = real_path(needs, look, directory);
	bool is_in_homes = path_in_homes(way);

	if (by_server)
		return !is_masked(needs, look, path) && (is_in_homes || !path_mask(way));
	return path_in_usr(path) && (!*way || is_in_homes || path_below(way, "/usr"));
}

/* Where homes are closed, nothing can be bound that a link leads there. */
static void check_helpers(const struct needs *needs, const struct model *model, const struct look *look, struct report *report)
{
	const struct config *config = needs->config;
	const char *path = config->host.helpers, *real = real_path(needs, look, path);
	bool servers = enabled_servers(model) > 0, others = builds(model) > 0 || *config->update.command;

	if (config_opens_homes(config) || !path_in_homes(real))
		return;
	if ((servers && is_followed(needs, look, path, true)) || (others && is_followed(needs, look, path, false)))
		report_problem(report, path, "leads to %s, which is hidden from units by that name: name it itself, [host] helpers = %s",
			       real, real);
}

static void check_places(const struct needs *needs, const struct model *model, const struct look *look,
			 struct report *report)
{
	const struct config *config = needs->config;
	bool web = config->web_enabled || *config->workshop.refresh;
	cleanup_free char *database = directory_of(config->host.database);

	if (web || (enabled_servers(model) > 0 && !is_masked(needs, look, config->host.root)))
		check_place(needs, look, "[host] root", config->host.root, report);
	if (web) {
		check_place(needs, look, "the directory of [host] database", database, report);
		check_place(needs, look, "[host] source", config->host.source, report);
		check_place(needs, look, "[web] venv", config->web.venv, report);
	}
	if (*config->update.command)
		check_update(needs, look, report);
	for (size_t i = 0; i < needs->count; i++)
		check_interpreter(needs, look, i, report);
	check_helpers(needs, model, look, report);
	if (enabled_servers(model) > 0 || builds(model) > 0 || *config->update.command) {
		check_helper(needs, look, "left4me-overlay", report);
		check_helper(needs, look, "left4me-fetch-script", report);
	}
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

	needs_list(model, &needs);
	ask(&needs, model, ret_look);
	for (size_t i = 0; i < needs.count; i++) {
		cleanup_free char *number = xasprintf("%zu", i);
		const struct found *found = look_find(ret_look, FOUND_FILE, number);

		if (found)
			judge(&needs, &needs.of[i], found, report);
	}
	check_places(&needs, model, ret_look, report);
	check_unseen(config, ret_look, enabled_servers(model) > 0 && !needs.state_is_unfit, report);
	if (ret_look->complete && !needs.state_is_unfit)       /* what could not be seen is no proof of anything */
		host_check_stacks(config, model, ret_look, report);
	needs_done(&needs);
}
