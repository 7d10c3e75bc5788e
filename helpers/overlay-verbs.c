#include "overlay-verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "name.h"
#include "overlay-mount.h"
#include "overlay-place.h"
#include "overlay-say.h"
#include "overlay-table.h"
#include "overlay-tree.h"

static bool is_mounted(const struct request *request, const struct place *place)
{
	cleanup_close int merged = open_part(place, "merged", false);

	return mounted_by_us(request->name, place->root, place->instance, merged);
}

static char *layer_path(const char *layer)
{
	if (strcmp(layer, INSTALLATION) == 0)
		return xstrdup(layer);
	return xasprintf("overlays/%s", layer);
}

static void open_layers(const struct request *request, int root, struct stack *stack)
{
	for (int i = 0; i < request->count; i++) {
		cleanup_free char *path = layer_path(request->layers[i]);
		int fd = open_beneath(root, path, O_PATH | O_DIRECTORY, 0);

		if (fd == -ENOENT)
			die(EXIT_FAILED, ENOENT, "layer %s is missing: '%s/%s'", request->layers[i],
			    request->root, path);
		stack->layers[stack->count++] = opened(fd, false, request->root, path);
	}
}

/* Looks at the very directory that will be mounted, whatever the name means by then. */
static void check_upper(const struct place *place, int upper)
{
	cleanup_free char *path = xasprintf("%s/upper", place->path);
	int fd = upper < 0 ? upper : open_beneath(upper, ".", O_RDONLY | O_DIRECTORY, 0);

	if (opened(fd, upper < 0, place->path, "upper") >= 0)
		refuse_taint(fd, path);
}

static void print_mount(const struct request *request, const struct place *place, const struct stack *stack)
{
	const struct {
		const char *key, *name;
		int fd;
	} parts[] = {
		{ "upperdir", "upper", stack->upper },
		{ "workdir", "work", stack->work },
		{ "target", "merged", stack->merged },
	};

	(void) printf("source=" OVERLAY_SOURCE "%s\n", request->name);
	for (int i = 0; i < request->count; i++) {
		cleanup_free char *path = layer_path(request->layers[i]);

		(void) printf("lowerdir+=%s/%s\n", request->root, path);
	}
	for (size_t i = 0; i < ELEMENTS(parts); i++)
		(void) printf("%s=%s/%s%s\n", parts[i].key, place->path, parts[i].name,
			      parts[i].fd < 0 ? " (to be made)" : "");
	(void) printf("state=%s\n", is_mounted(request, place) ? "mounted" : "not mounted");
}

/* The answer of a dry run is its only effect, so a full disk or closed pipe is a failure. */
static void finish_printing(void)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		die(EXIT_FAILED, errno, "cannot write");
}

/* Whoever renames merged between our opening it and the mount gets the mount elsewhere; then it is taken back. */
static void confirm_mount(const struct place *place, int mount)
{
	cleanup_close int merged = open_beneath(place->instance, "merged", O_PATH | O_DIRECTORY, 0);

	if (merged >= 0 && mount_id(merged) == mount_id(mount))
		return;
	undo_mount(mount);
	die(EXIT_FAILED, 0, "'%s/merged' was replaced during the mount", place->path);
}

static char *join_layers(const struct request *request)
{
	struct text list = TEXT_EMPTY;

	for (int i = 0; i < request->count; i++)
		text_printf(&list, "%s%s", i ? " " : "", request->layers[i]);
	return list.data;
}

static void mount_instance(const struct request *request, const struct place *place)
{
	struct stack stack = { .name = request->name };
	cleanup_free char *merged = xasprintf("%s/merged", place->path);
	cleanup_close int mount = -1;
	bool create = !request->dry_run;

	open_layers(request, place->root, &stack);
	stack.upper = open_part(place, "upper", create);
	stack.work = open_part(place, "work", create);
	stack.merged = open_part(place, "merged", create);
	check_upper(place, stack.upper);
	if (request->dry_run) {
		print_mount(request, place, &stack);
		return;
	}
	mount = mount_stack(&stack, merged);
	confirm_mount(place, mount);
	say(MESSAGE_MOUNTED, "mounted '%s' from %d layers", merged, request->count);
}

void verb_mount(const struct request *request)
{
	cleanup_free char *layers = join_layers(request);
	cleanup(place_done) struct place place;

	say_about(request->name, layers);
	say_to_journal();
	open_place(request->root, request->name, !request->dry_run, &place);
	if (request->dry_run) {
		mount_instance(request, &place);
		finish_printing();
		return;
	}
	lock_directory(place.instance, place.path);
	if (is_mounted(request, &place))
		say(MESSAGE_UNCHANGED, "'%s/merged' is mounted already", place.path);
	else
		mount_instance(request, &place);
	say_about(NULL, NULL);
}

static void tidy_work(const struct place *place)
{
	cleanup_free char *path = xasprintf("%s/work", place->path);
	cleanup_close int work = open_part(place, "work", false);

	if (work >= 0)
		remove_leftover(work, path);
}

static void unmount_instance(const struct request *request, const struct place *place)
{
	bool mounted = is_mounted(request, place);

	if (!mounted)
		say(MESSAGE_UNCHANGED, "nothing is mounted on '%s/merged'", place->path);
	for (; mounted; mounted = is_mounted(request, place)) {
		int r = unmount_merged(place->instance);

		if (r < 0)
			die(EXIT_FAILED, -r, r == -EBUSY ? "cannot unmount '%s/merged', a process still uses it"
							 : "cannot unmount '%s/merged'", place->path);
		say(MESSAGE_UNMOUNTED, "unmounted '%s/merged'", place->path);
	}
	tidy_work(place);
}

void verb_umount(const struct request *request)
{
	cleanup(place_done) struct place place;

	say_about(request->name, NULL);
	say_to_journal();
	open_place(request->root, request->name, false, &place);
	if (request->dry_run) {
		(void) printf("target=%s/merged\nstate=%s\n", place.path,
			      is_mounted(request, &place) ? "mounted" : "not mounted");
		finish_printing();
	} else if (place.instance >= 0) {
		lock_directory(place.instance, place.path);
		unmount_instance(request, &place);
	}
}
