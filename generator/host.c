#include "host.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "name.h"

#define GENERATOR_DIRECTORY "/run/systemd/generator"

/* --- other programs -------------------------------------------------------------------------------------- */

/* Runs a program of systemd's without a shell; its exit status, or -1. What it prints is appended to *out. */
static int run(const char *const arguments[], struct text *out)
{
	static char *const environment[] = { "LC_ALL=C", "PATH=/usr/bin:/bin", "SYSTEMD_PAGER=", NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], status, r;
	pid_t pid;

	if (pipe(ends) < 0)
		return -1;
	(void) posix_spawn_file_actions_init(&actions);
	(void) posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void) posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	(void) posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	(void) posix_spawn_file_actions_addclose(&actions, ends[0]);
	(void) posix_spawn_file_actions_addclose(&actions, ends[1]);
	r = posix_spawn(&pid, arguments[0], &actions, NULL, (char *const *) arguments, environment);
	(void) posix_spawn_file_actions_destroy(&actions);
	(void) close(ends[1]);
	if (r == 0)
		(void) text_read(out, ends[0]);
	(void) close(ends[0]);
	if (r != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- hardening that systemd has loaded ------------------------------------------------------------- */

/* A unit of that kind, with any instance: what systemd has for one it has for all. */
static void check_loaded(const char *kind, const char *instance, struct report *report)
{
	static const char file[] = "/10-hardening.conf";
	cleanup_free char *unit = xasprintf("%s%s.service", kind, instance);
	const char *const command[] = { "/usr/bin/systemctl", "show", "--property=DropInPaths", "--value", "--", unit, NULL };
	cleanup_free char *ours = xasprintf(GENERATOR_DIRECTORY "/%s.service.d%s", kind, file);
	cleanup_text struct text out = TEXT_EMPTY;
	cleanup_free char *paths = NULL;
	const char *other = NULL;
	char *rest = NULL;

	if (run(command, &out) != 0) {
		report->blind = true;
		report_problem(report, unit, "systemctl show does not answer");
		return;
	}
	paths = text_take(&out);
	for (char *word = strtok_r(paths, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		size_t length = strlen(word);

		if (strcmp(word, ours) == 0)
			return;
		if (length >= sizeof(file) && strcmp(word + length - sizeof(file) + 1, file) == 0)
			other = word;
	}
	if (other)
		report_problem(report, unit, "%s replaces %s: give it another name", other, ours);
	else
		report_problem(report, unit, "%s is not loaded: systemctl daemon-reload", ours);
}

/* --- the rest -------------------------------------------------------------------------------------------- */

/* systemd loads it by name and goes without when it is missing: then no socket or interface filter is set. */
static void check_libbpf(struct report *report)
{
	void *library = dlopen("libbpf.so.1", RTLD_LAZY | RTLD_LOCAL);

	if (library)
		(void) dlclose(library);
	else
		report_problem(report, "libbpf.so.1", "is not installed: RestrictNetworkInterfaces= and strict_ports "
			       "are ignored without it (package libbpf1)");
}

static void check_calendar(const struct config *config, struct report *report)
{
	const char *const command[] = { "/usr/bin/systemd-analyze", "calendar", "--", config->workshop.refresh, NULL };
	cleanup_text struct text out = TEXT_EMPTY;

	if (*config->workshop.refresh && run(command, &out) == 1)
		report_problem(report, "[workshop] refresh", "'%s' is no calendar expression to systemd",
			       config->workshop.refresh);
}

static void check_root(const struct config *config, struct report *report)
{
	cleanup_free char *owner = NULL;
	cleanup_free char *expected = xasprintf("%s:%s", config->host.uid, config->host.gid);
	struct stat st;

	if (stat(config->host.root, &st) < 0) {
		report_problem(report, config->host.root, "%s", strerror(errno));
		return;
	}
	owner = xasprintf("%u:%u", (unsigned) st.st_uid, (unsigned) st.st_gid);
	if (strcmp(owner, expected) != 0)
		report_problem(report, config->host.root, "is owned by %s, not by %s ([host] uid and gid)", owner, expected);
}

/* The shells of accounts that nobody logs in to. */
static bool is_no_shell(const char *shell)
{
	const char *slash = strrchr(shell, '/'), *name = slash ? slash + 1 : shell;

	return strcmp(name, "nologin") == 0 || strcmp(name, "false") == 0;
}

/* Both are warnings: who uses an account of his own has reasons, and the home can only be changed while nothing runs. */
static void judge_account(const struct config *config, const char *home, const char *shell, struct report *report)
{
	const char *user = config->host.user;

	if (!is_no_shell(shell))
		report_warning(report, user, "has the login shell %s, but user@%s.service is masked: who logs in as %s has no "
			       "user manager; give [host] user an account of its own", *shell ? shell : "/bin/sh",
			       config->host.uid, user);
	if (path_below(home, config->host.root))
		report_warning(report, user, "has its home in %s, where the web application can leave keys for sshd; once "
			       "nothing of it runs: usermod --home /nonexistent %s", config->host.root, user);
}

/* Reads passwd(5) itself: a name service would load plugins and might wait for the network. */
static void check_account(const struct config *config, struct report *report)
{
	FILE *passwd = fopen("/etc/passwd", "re");
	cleanup_free char *line = NULL;
	size_t size = 0;

	while (passwd && getline(&line, &size, passwd) > 0) {
		char *fields[7], *rest = line;
		size_t count = 0;

		line[strcspn(line, "\n")] = '\0';
		while (rest && count < ELEMENTS(fields)) {
			fields[count++] = rest;
			rest = strchr(rest, ':');
			if (rest)
				*rest++ = '\0';
		}
		if (count == ELEMENTS(fields) && strcmp(fields[0], config->host.user) == 0)
			judge_account(config, fields[5], fields[6], report);
	}
	if (passwd)
		(void) fclose(passwd);
}

bool host_is_running(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

void host_check_loaded(const struct config *config, struct report *report)
{
	if (config->web_enabled)
		check_loaded("left4me-web", "", report);
	if (*config->workshop.refresh)
		check_loaded("left4me-workshop-refresh", "", report);
	check_loaded(SERVER_UNIT, "any", report);
	check_loaded(BUILD_UNIT, "0", report);
}

void host_check_needs(const struct config *config, struct report *report)
{
	check_libbpf(report);
	check_calendar(config, report);
	check_root(config, report);
	check_account(config, report);
}
