#include "host.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNIT_FOLDER "/run/systemd/generator"

/* --- other programs -------------------------------------------------------------------------------------- */

static void read_to_end(int fd, struct text *out)
{
	char buffer[4096];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			text_append(out, buffer, (size_t) n);
}

/* Runs a program of systemd's without a shell; its exit status, or -1. What it prints is appended to *out. */
static int run(const char *const arguments[], struct text *out)
{
	static char *const environment[] = { "LC_ALL=C", "PATH=/usr/bin:/bin", "SYSTEMD_PAGER=", NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], status, r;
	pid_t pid;

	text_puts(out, "");
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
		read_to_end(ends[0], out);
	(void) close(ends[0]);
	if (r != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- hardening that systemd has loaded (F15) ------------------------------------------------------------- */

static void check_loaded(const char *unit, const char *folder, struct report *report)
{
	static const char file[] = "/10-hardening.conf";
	const char *const command[] = { "/usr/bin/systemctl", "show", "--property=DropInPaths", "--value", "--", unit, NULL };
	cleanup_free char *ours = xasprintf(UNIT_FOLDER "/%s%s", folder, file);
	cleanup_text struct text out = TEXT_EMPTY;
	const char *other = NULL;
	char *rest = NULL;

	if (run(command, &out) != 0) {
		report->blind = true;
		report_problem(report, unit, "systemctl show does not answer");
		return;
	}
	for (char *word = strtok_r(out.data, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
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

/* --- units of the same name elsewhere -------------------------------------------------------------------- */

/* The settings of a unit, one a line as "[Section]Key=Value", by section and key; [Install] and comments left out. */
struct settings {
	char **lines;
	size_t count;
};

static void cleanup_settings(struct settings *settings)
{
	for (size_t i = 0; i < settings->count; i++)
		free(settings->lines[i]);
	free(settings->lines);
}

/* Values of one key keep their order, keys do not: configuration management may sort them. */
static void insert_setting(struct settings *settings, char *line)
{
	size_t key = strcspn(line, "="), i = settings->count;

	settings->lines = grow_array(settings->lines, settings->count, sizeof(*settings->lines));
	for (; i > 0 && strncmp(settings->lines[i - 1], line, key + 1) > 0; i--)
		settings->lines[i] = settings->lines[i - 1];
	settings->lines[i] = line;
	settings->count++;
}

static struct settings parse_settings(char *text)
{
	struct settings settings = { NULL, 0 };
	const char *section = "";
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		line += strspn(line, " \t");
		if (*line == '[')
			section = line;
		else if (*line && !strchr("#;", *line) && strcmp(section, "[Install]") != 0)
			insert_setting(&settings, xasprintf("%s%s", section, line));
	}
	return settings;
}

static bool same_settings(const struct settings *a, const struct settings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->lines[i], b->lines[i]) != 0)
			return false;
	return true;
}

static void compare_unit(const char *path, const struct artifact *artifact, struct report *report)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_text struct text theirs_text = TEXT_EMPTY, ours_text = TEXT_EMPTY;
	cleanup(cleanup_settings) struct settings ours = { NULL, 0 }, theirs = { NULL, 0 };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;        /* none, or a mask, which says clearly what it wants */
	text_puts(&theirs_text, "");
	read_to_end(fd, &theirs_text);
	artifact->write(artifact->maker, artifact, &ours_text);
	ours = parse_settings(ours_text.data);
	theirs = parse_settings(theirs_text.data);
	if (!same_settings(&ours, &theirs))
		report_problem(report, path, "differs from the generator's %s", artifact->name);
}

/* A copy in /etc wins over the generator's unit, those elsewhere lose; either is out of date when it differs. */
static void compare_units(const struct bundle *bundle, struct report *report)
{
	static const char *const folders[] = { "/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system" };

	for (size_t i = 0; i < bundle->count; i++) {
		const struct artifact *artifact = &bundle->artifacts[i];

		if (!artifact->per_host || artifact->kind != ARTIFACT_FILE)
			continue;
		for (size_t k = 0; k < ELEMENTS(folders); k++) {
			cleanup_free char *path = xasprintf("%s/%s%s%s", folders[k], artifact->directory,
							    *artifact->directory ? "/" : "", artifact->name);

			compare_unit(path, artifact, report);
		}
	}
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

void host_check(const struct config *config, const struct bundle *bundle, struct report *report)
{
	if (access("/run/systemd/system", F_OK) != 0)
		return;
	if (config->web_enabled)
		check_loaded("left4me-web.service", "left4me-web.service.d", report);
	check_loaded("left4me-server@any.service", "left4me-server@.service.d", report);
	check_loaded("build-overlay@0.service", "build-overlay@.service.d", report);
	compare_units(bundle, report);
	check_libbpf(report);
	check_calendar(config, report);
	check_root(config, report);
}
