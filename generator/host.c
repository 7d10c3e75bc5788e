#include "host.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "name.h"
#include "units.h"

static const char systemd_program[] = "/usr/lib/systemd/systemd";

/* --- what systemd has loaded ------------------------------------------------------------------------------ */

/* A unit of each kind, with any instance: what systemd has for one it has for all. */
enum { ANY_SERVER, ANY_BUILD, UPDATE, WEB, REFRESH, KINDS };
static const struct kind {
	const char *drop_in;           /* X of X.service.d */
	const char *unit;
} kinds[] = {
	[ANY_SERVER] = { SERVER_UNIT, SERVER_UNIT "any.service" },
	[ANY_BUILD] = { BUILD_UNIT, BUILD_UNIT "0.service" },
	[UPDATE] = { UPDATE_UNIT, UPDATE_UNIT ".service" },
	[WEB] = { "left4me-web", "left4me-web.service" },
	[REFRESH] = { "left4me-workshop-refresh", "left4me-workshop-refresh.service" },
};

/* Whether the generator's hardening is in force there; reports what is instead. */
static bool check_hardening(const struct kind *kind, const char *loaded, struct report *report)
{
	static const char file[] = "/10-hardening.conf";
	cleanup_free char *ours = xasprintf(GENERATOR_DIRECTORY "/%s.service.d%s", kind->drop_in, file);
	cleanup_free char *paths = xstrdup(loaded);
	const char *other = NULL;
	char *rest = NULL;

	for (char *word = strtok_r(paths, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (strcmp(word, ours) == 0)
			return true;
		if (endswith(word, file))
			other = word;
	}
	if (other)
		report_problem(report, kind->unit, "%s replaces %s: give it another name", other, ours);
	else
		report_problem(report, kind->unit, "%s is not loaded: systemctl daemon-reload", ours);
	return false;
}

/*
 * Settings that keep servers and builds, the update among them, apart, with values that older versions of systemd do not know.
 * Such a version has the setting as yes or no alone and ignores our line, `ignored`; or it has no such setting at all, which
 * sink_known() reports: then `ignored` is NULL.
 */
static const struct expected {
	const char *property, *server, *build, *ignored;
} expectations[] = {
	{ "PrivatePIDs", "yes", "yes", NULL },
	{ "PrivateUsersEx", "self", "self", NULL },
	{ "PrivateTmpEx", "disconnected", "disconnected", "PrivateTmp=disconnected" },
	{ "ProtectControlGroupsEx", "yes", "strict", "ProtectControlGroups=strict" },
	{ "BindLogSockets", "no", "no", NULL },
	{ "MemoryPressureWatch", NULL, "no", NULL },
};

/* The names of all properties that the check looks at, owned by the caller. */
static char *list_properties(void)
{
	struct text names = TEXT_EMPTY;

	text_puts(&names, "DropInPaths,LoadState");
	for (size_t i = 0; i < ELEMENTS(expectations); i++)
		text_join(&names, ",", "%s", expectations[i].property);
	return text_take(&names);
}

/* Another value than ours is a drop-in's of the operator, who may have reasons. */
static void check_value(const struct expected *expected, const char *value, size_t kind, const char *systemd, struct report *report)
{
	const char *unit = kinds[kind].unit;
	const char *ours = kind == ANY_SERVER ? expected->server : expected->build;

	if (!value && expected->ignored && kind == ANY_BUILD)
		report_problem(report, unit, "%s is ignored: %s does not know it", expected->ignored, systemd);
	else if (value && ours && strcmp(value, ours) != 0)
		report_warning(report, unit, "%s=%s is in force instead of %s, by a drop-in: systemctl cat %s",
			       expected->property, value, ours, unit);
}

/* --- the rest -------------------------------------------------------------------------------------------- */

/* systemd loads them by name; where they are missing it goes on without them and without a word. */
static bool check_library(const char *name, const char *package, const char *consequence, struct report *report)
{
	void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);

	if (library)
		(void) dlclose(library);
	else
		report_problem(report, name, "is not installed: %s (package %s)", consequence, package);
	return library != NULL;
}

/* Whether systemd has loaded it: it does not look again for what it has looked for in vain. True where only root may see that. */
static bool has_loaded(const char *name)
{
	cleanup_fclose FILE *maps = fopen("/proc/1/maps", "re");
	cleanup_free char *line = NULL;
	size_t size = 0;
	bool found = !maps;

	while (!found && getline(&line, &size, maps) > 0)
		found = strstr(line, name) != NULL;
	return found;
}

/* What systemd was built without, no package brings back. */
static void check_features(const char *features, const char *systemd, struct report *report)
{
	static const char bpf[] = "RestrictNetworkInterfaces= and strict_ports are ignored without it, and no build starts";
	static const char seccomp[] = "SystemCallFilter= and what else filters system calls is ignored without it";

	if (strstr(features, "-BPF_FRAMEWORK"))
		report_problem(report, systemd, "is built without BPF_FRAMEWORK: %s", bpf);
	else if (check_library("libbpf.so.1", "libbpf1", bpf, report) && !has_loaded("/libbpf.so.1"))
		report_problem(report, systemd, "has not loaded libbpf.so.1, which is installed: %s; systemctl daemon-reexec", bpf);
	if (strstr(features, "-SECCOMP"))
		report_problem(report, systemd, "is built without SECCOMP: %s", seccomp);
	else
		(void) check_library("libseccomp.so.2", "libseccomp2", seccomp, report);
}

bool host_is_running(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

void host_ask(const struct config *config, struct host_questions *ret_questions)
{
	cleanup_free char *properties = list_properties();
	const char *units[KINDS + 1] = { NULL };
	const char *const calendar[] = { "/usr/bin/systemd-analyze", "calendar", "--", config->workshop.refresh, NULL };

	for (size_t i = 0; i < KINDS; i++)
		units[i] = kinds[i].unit;
	*ret_questions = HOST_QUESTIONS_NONE;
	sockets_read(config->port_first, config->port_last, &ret_questions->sockets);
	ret_questions->units_error = units_ask(false, &ret_questions->units);
	if (*config->workshop.refresh)
		manager_ask(calendar, &ret_questions->calendar);
	if (ret_questions->units_error < 0)
		return;
	manager_ask_show("Version,Features", (const char *const[]){ NULL }, &ret_questions->manager);
	manager_ask_show(properties, units, &ret_questions->loaded);
	manager_ask((const char *const[]){ systemd_program, "--dump-configuration-items", NULL }, &ret_questions->settings);
}

void host_questions_done(struct host_questions *questions)
{
	question_done(&questions->manager);
	question_done(&questions->settings);
	question_done(&questions->loaded);
	question_done(&questions->calendar);
	units_done(&questions->units);
	sockets_done(&questions->sockets);
}

char *host_settings(struct host_questions *questions, struct report *report)
{
	cleanup_text struct text items = TEXT_EMPTY;

	if (manager_answer(&questions->settings, &items) == 0)
		return text_take(&items);
	report_problem(report, systemd_program, "does not say which settings it knows");
	return NULL;
}

char *host_check_systemd(struct host_questions *questions, struct report *report)
{
	cleanup(shown_done) struct shown manager = SHOWN_EMPTY;
	cleanup_free char *silence = NULL;
	char *systemd;

	if (manager_answer_show(&questions->manager, &manager) < 0 || manager.count != 1 || questions->units_error < 0) {
		silence = manager_silence(-questions->units_error);
		report->blind = true;
		report_problem(report, "systemd", "%s", silence);
		return NULL;
	}
	if (!manager_has_bus())
		report_problem(report, "the system bus", "does not answer, by which the check and the web application ask systemd: "
			       START_BUS);
	systemd = xasprintf("systemd %s", shown_value(&manager, 0, "Version"));
	check_features(shown_value(&manager, 0, "Features"), systemd, report);
	return systemd;
}

void host_check_loaded(const struct config *config, const char *systemd, struct host_questions *questions, struct report *report)
{
	const bool wanted[KINDS] = {
		[ANY_SERVER] = true, [ANY_BUILD] = true, [UPDATE] = *config->update.command, [WEB] = config->web_enabled,
		[REFRESH] = *config->workshop.refresh,
	};
	cleanup(shown_done) struct shown shown = SHOWN_EMPTY;

	if (manager_answer_show(&questions->loaded, &shown) < 0 || shown.count != KINDS) {
		report->blind = true;
		report_problem(report, kinds[ANY_SERVER].unit, "systemctl show does not answer");
		return;
	}
	for (size_t i = 0; i < KINDS; i++) {
		/* a mask, which has no drop-ins, says clearly what it wants */
		bool is_masked = strcmp(shown_value(&shown, i, "LoadState"), "masked") == 0;

		if (!wanted[i] || is_masked || !check_hardening(&kinds[i], shown_value(&shown, i, "DropInPaths"), report) || i > UPDATE)
			continue;
		for (size_t e = 0; e < ELEMENTS(expectations); e++)
			check_value(&expectations[e], shown_value(&shown, i, expectations[e].property), i, systemd, report);
	}
}

void host_check_calendar(const struct config *config, struct host_questions *questions, struct report *report)
{
	cleanup_text struct text out = TEXT_EMPTY;

	if (*config->workshop.refresh && manager_answer(&questions->calendar, &out) == 1)
		report_problem(report, "[workshop] refresh", "'%s' is no calendar expression to systemd",
			       config->workshop.refresh);
}
