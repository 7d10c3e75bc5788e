#include "advice.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "name.h"
#include "value.h"

/* An infinite memory_high is none. */
static void advise_memory(const struct config *config, struct report *report)
{
	double high, max;

	if (value_size(config->game.memory_high, &high) && value_size(config->game.memory_max, &max) && high > max && high < HUGE_VAL)
		report_problem(report, "[game] memory_high", "%s is above memory_max, which is %s: a server is killed before it is "
			       "slowed down; set memory_high to less, or memory_max to more",
			       config->game.memory_high, config->game.memory_max);
}

static void advise_instance(const struct instance *instance, struct report *report, char *reason)
{
	const struct refusal place = {
		.view = views[VIEW_INSTANCES].name, .column = views[VIEW_INSTANCES].columns[INSTANCE_ARGUMENTS].name,
		.row = instance->row, .instance = instance->name, .reason = reason,
	};

	report_row(report, &place);
}

/* Whether the word, of `length` bytes, sets an address or port, which the unit does already. The game takes capitals for small letters. */
static bool sets_address(const char *word, size_t length)
{
	switch (length) {
	case 3:
		return strncasecmp(word, "-ip", length) == 0 || strncasecmp(word, "+ip", length) == 0;
	case 5:
		return strncasecmp(word, "-port", length) == 0 || strncasecmp(word, "+port", length) == 0;
	case 9:
		return strncasecmp(word, "+hostport", length) == 0;
	default:
		return false;
	}
}

static void advise_arguments(const struct instance *instance, struct report *report)
{
	static char quoted[] = "a quote is part of its word and holds no words together, since arguments are separated by blanks: "
			       "what has a blank belongs in a file of the server's cfg directory";

	for (const char *word = instance->arguments; *word;) {
		size_t length = strcspn(word, " ");

		if (sets_address(word, length)) {
			cleanup_free char *reason = xasprintf("%.*s competes with +ip 0.0.0.0 +hostport %s, which each server is "
							      "given for its row: remove it",
							      (int) length, word, instance->port_text);

			advise_instance(instance, report, reason);
		}
		word += length + (word[length] == ' ');
	}
	if (strchr(instance->arguments, '"'))
		advise_instance(instance, report, quoted);
}

/* One warning for all: +clientport and tv_port of every game on the host, whatever its own port is. */
static void advise_ports(const struct model *model, struct report *report)
{
	for (size_t i = 0; i < model->instance_count; i++) {
		const struct instance *instance = &model->instances[i];

		if (instance->refused || (instance->port != 27005 && instance->port != 27020))
			continue;
		report_warning(report, views[VIEW_INSTANCES].name, "instance '%s' has port %s, which games take besides their own: "
			       "27005 as client port, 27020 for SourceTV; give it another", instance->name, instance->port_text);
		return;
	}
}

/* One warning for all: the view makes them alike. */
static void advise_created(const struct model *model, struct report *report)
{
	for (size_t i = 0; i < model->instance_count; i++) {
		if (model->instances[i].created >= 0)
			continue;
		report_warning(report, views[VIEW_INSTANCES].name, "created of instance '%s' is no number of seconds since 1970: "
			       "unixepoch() in the view makes one of a time in UTC", model->instances[i].name);
		return;
	}
}

/* The web application's directories too: it has a /tmp of its own, as servers, builds and the check have, and a generator. */
static void advise_places(const struct config *config, struct report *report)
{
	bool web = config->web_enabled || *config->workshop.refresh;
	const struct {
		const char *key, *path;
		bool counts;
	} places[] = {
		{ "[host] root", config->host.root, true },
		{ "[host] database", config->host.database, true },
		{ "[host] source", config->host.source, web },
		{ "[web] venv", config->web.venv, web },
		{ "[host] helpers", config->host.helpers, true },
	};

	for (size_t i = 0; i < ELEMENTS(places); i++)
		if (places[i].counts && path_is_private(places[i].path) &&
		    (i == 0 || !path_below(places[i].path, config->host.root)))
			report_problem(report, places[i].key, "%s lies where units have directories of their own: move it elsewhere",
				       places[i].path);
}

static void advise_update(const struct config *config, struct report *report)
{
	if (value_is_yes(config->update.web_may_start) && !*config->update.command)
		report_warning(report, "[update] web_may_start", "allows nothing without command: set what updates the game");
}

void advice_give(const struct config *config, const struct model *model, struct report *report)
{
	advise_places(config, report);
	advise_memory(config, report);
	advise_update(config, report);
	for (size_t i = 0; i < model->instance_count; i++)
		if (!model->instances[i].refused)
			advise_arguments(&model->instances[i], report);
	advise_ports(model, report);
	advise_created(model, report);
}
