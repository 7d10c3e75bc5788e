/*
 * left4me-overlay mounts and unmounts the overlay of one server instance, builds layers in generations, and checks in a unit
 * what it sees; see left4me-overlay(8). This file has the clean start and the command line, overlay-verbs.c the verbs, overlay-mount.c
 * what needs privilege, overlay-enter.c the verb that has none.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/resource.h>

#include "name.h"
#include "overlay-build.h"
#include "overlay-enter.h"
#include "overlay-say.h"
#include "overlay-stopped.h"
#include "overlay-verbs.h"
#include "privileged.h"

static const char usage[] =
	"usage: left4me-overlay [--root=DIR] [--dry-run] mount [--started=LIST] NAME\n"
	"                       LAYER...\n"
	"       left4me-overlay [--root=DIR] [--dry-run] umount NAME\n"
	"       left4me-overlay [--root=DIR] build|commit|discard ID|installation\n"
	"       left4me-overlay [--root=DIR] collect|umount-stopped\n"
	"       left4me-overlay enter [--chdir=DIR] UNIT -- COMMAND [ARGUMENT...]\n"
	"\n"
	"LAYER is the id of an overlay, topmost first; the last one is the word\n"
	"installation.\n"
	"\n"
	"  --root=DIR  instead of " DEFAULT_ROOT "\n"
	"  --dry-run   print what would be done, change nothing\n"
	"  --started=KEY=VALUE[,KEY=VALUE...]\n"
	"              what else to record in /run/left4me/mounted/NAME\n"
	"  --chdir=DIR  where the command begins, if that is there\n"
	"  --help, --version\n";

/* There is a descriptor for each layer, and the soft limit may be lower than 500. */
static void allow_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void) setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void check_layers(const struct request *request)
{
	int last = request->count - 1;

	if (request->count < 1)
		die(EXIT_USAGE, 0, "no layer given for '%s'", request->name);
	if (request->count > LAYERS_MAX)
		die(EXIT_USAGE, 0, "%d layers given for '%s', the limit is %d", request->count, request->name,
		    LAYERS_MAX);
	if (strcmp(request->layers[last], INSTALLATION) != 0)
		die(EXIT_USAGE, 0, "the last layer is '%s', not '" INSTALLATION "'", request->layers[last]);
	for (int i = 0; i < last; i++) {
		if (!valid_id(request->layers[i]))
			die(EXIT_USAGE, 0, "'%s' is not the id of an overlay", request->layers[i]);
		for (int j = 0; j < i; j++)
			if (strcmp(request->layers[i], request->layers[j]) == 0)
				die(EXIT_USAGE, 0, "overlay %s is given twice", request->layers[i]);
	}
}

/* Sets root and dry_run of the request; returns the index in argv of the first word that is no option. */
static int parse_options(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{ "root", required_argument, NULL, 'r' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (option) {
		case 'r':
			request->root = optarg;
			break;
		case 'n':
			request->dry_run = true;
			break;
		case 'h':
			print_and_exit(PROGRAM, usage);
		case 'v':
			print_and_exit(PROGRAM, PROGRAM " " VERSION "\n");
		default:
			die(EXIT_USAGE, 0, "'%s' is not an option, or lacks its value; see --help",
			    argv[optind - 1]);
		}
	return optind;
}

/* A verb of those that run with privilege, and what comes after it. */
static const struct verb {
	const char *name;
	enum { INSTANCE, OVERLAY, NOTHING } of;         /* what its argument names */
	void (*run)(const struct request *request);
	int failure;            /* its exit status when it fails */
} verbs[] = {
	{ "mount", INSTANCE, verb_mount, EXIT_FAILED },
	{ "umount", INSTANCE, verb_umount, EXIT_FAILED },
	{ "umount-stopped", NOTHING, verb_umount_stopped, EXIT_FAILED },
	{ "build", OVERLAY, verb_build, EXIT_BUILD },
	{ "commit", OVERLAY, verb_commit, EXIT_COMMIT },
	{ "discard", OVERLAY, verb_discard, EXIT_DISCARD },
	{ "collect", NOTHING, verb_collect, EXIT_FAILED },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	die(EXIT_USAGE, 0, "'%s' is not a verb; see --help", name);
}

/* Whether it is a list KEY=VALUE,KEY=VALUE of printable characters without a blank. */
static bool valid_started(const char *started)
{
	for (const char *item = started; *item;) {
		size_t length = strcspn(item, ","), key = strcspn(item, "=");

		if (key == 0 || key >= length)
			return false;
		for (size_t i = 0; i < length; i++)
			if (item[i] <= ' ' || item[i] > '~')
				return false;
		item += length + (item[length] == ',');
	}
	return *started;
}

/* Takes the option of mount, the first of the words, if it is there; returns how many words that is. */
static int take_started(char **words, struct request *request)
{
	request->started = words[0] ? startswith(words[0], "--started=") : NULL;
	if (!request->started)
		return 0;
	if (!valid_started(request->started))
		die(EXIT_USAGE, 0, "'%s' is no list KEY=VALUE,KEY=VALUE", request->started);
	return 1;
}

static void check_name(const struct verb *verb, const char *name)
{
	if (verb->of == OVERLAY && strcmp(name, INSTALLATION) != 0 && !valid_id(name))
		die(EXIT_USAGE, 0, "'%s' is not the id of an overlay", name);
	if (verb->of == INSTANCE && !valid_name(name))
		die(EXIT_USAGE, 0, "'%s' is not the name of an instance", name);
}

/* Sets the rest of the request from the words after the options. */
static const struct verb *parse_words(int count, char **words, struct request *request)
{
	const struct verb *verb;
	int taken = 1;

	if (count < 1)
		die(EXIT_USAGE, 0, "a verb and its argument are needed; see --help");
	verb = find_verb(words[0]);
	if (verb->run == verb_mount)
		taken += take_started(words + 1, request);
	if (verb->of != NOTHING && count <= taken)
		die(EXIT_USAGE, 0, "a verb and its argument are needed; see --help");
	if (verb->of != NOTHING)
		check_name(verb, request->name = words[taken++]);
	request->layers = words + taken;
	request->count = count - taken;
	if (verb->run == verb_mount)
		check_layers(request);
	else if (request->count > 0)
		die(EXIT_USAGE, 0, "%s takes %s", verb->name, verb->of == NOTHING ? "no argument" : "one argument");
	if (verb->of != INSTANCE && request->dry_run)
		die(EXIT_USAGE, 0, "%s has no dry run", verb->name);
	return verb;
}

int main(int argc, char **argv)
{
	struct request request = { .root = DEFAULT_ROOT };
	const struct verb *verb;
	int words, r;

	if (is_enter(argc, argv))
		verb_enter(argc, argv);
	r = start_clean();
	if (r < 0)
		die(EXIT_FAILED, -r, "cannot leave behind what the caller has open");
	allow_descriptors();
	words = parse_options(argc, argv, &request);
	if (!valid_path(request.root))
		die(EXIT_USAGE, 0, "'%s' is not an absolute, normalised path", request.root);
	verb = parse_words(argc - words, argv + words, &request);
	fail_with(verb->failure);
	r = enter_host();
	if (r < 0)
		die(EXIT_FAILED, -r, "cannot enter PID 1's mount namespace");
	verb->run(&request);
	return 0;
}
