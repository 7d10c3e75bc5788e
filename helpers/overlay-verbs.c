#include "overlay-verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "name.h"
#include "overlay-instance.h"
#include "overlay-mount.h"
#include "overlay-say.h"
#include "overlay-table.h"
#include "overlay-tree.h"

static bool is_mounted(const struct request *request, const struct instance_directory *instance)
{
	cleanup_close int merged = open_part(instance, "merged", false);

	return mounted_by_us(request->name, instance->root, instance->directory, merged);
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

/* Walks the directory that will be mounted, through its descriptor: the name may mean another one by now. */
static void check_upper(const struct request *request, const struct instance_directory *instance, int upper)
{
	cleanup_free char *path = xasprintf("%s/upper", instance->path);
	int fd = upper < 0 ? upper : open_beneath(upper, ".", O_RDONLY | O_DIRECTORY, 0);

	if (opened(fd, upper < 0, instance->path, "upper") >= 0)
		refuse_taint(fd, path, !request->dry_run);
}

static void print_mount(const struct request *request, const struct instance_directory *instance,
			const struct stack *stack)
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
		(void) printf("%s=%s/%s%s\n", parts[i].key, instance->path, parts[i].name,
			      parts[i].fd < 0 ? " (to be made)" : "");
	(void) printf("state=%s\n", is_mounted(request, instance) ? "mounted" : "not mounted");
}

/* What a dry run prints is all it does, so a full disk or a closed pipe is a failure. */
static void finish_printing(void)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		die(EXIT_FAILED, errno, "cannot write");
}

/* If somebody renamed merged after we opened it, the mount has landed elsewhere; then it is undone. */
static void confirm_mount(const struct instance_directory *instance, int mount)
{
	cleanup_close int merged = open_beneath(instance->directory, "merged", O_PATH | O_DIRECTORY, 0);

	if (merged >= 0 && mount_id(merged) == mount_id(mount))
		return;
	undo_mount(mount);
	die(EXIT_FAILED, 0, "'%s/merged' was replaced during the mount", instance->path);
}

static char *join_layers(const struct request *request)
{
	struct text list = TEXT_EMPTY;

	for (int i = 0; i < request->count; i++)
		text_printf(&list, "%s%s", i ? " " : "", request->layers[i]);
	return list.data;
}

static void mount_instance(const struct request *request, const struct instance_directory *instance)
{
	struct stack stack = { .name = request->name };
	cleanup_free char *merged = xasprintf("%s/merged", instance->path);
	cleanup_close int mount = -1;
	bool create = !request->dry_run;

	open_layers(request, instance->root, &stack);
	stack.upper = open_part(instance, "upper", create);
	stack.work = open_part(instance, "work", create);
	stack.merged = open_part(instance, "merged", create);
	check_upper(request, instance, stack.upper);
	if (request->dry_run) {
		print_mount(request, instance, &stack);
		return;
	}
	mount = mount_stack(&stack, merged);
	confirm_mount(instance, mount);
	say(MESSAGE_MOUNTED, "mounted '%s' from %d layers", merged, request->count);
}

void verb_mount(const struct request *request)
{
	cleanup_free char *layers = join_layers(request);
	cleanup(instance_done) struct instance_directory instance;

	say_about(request->name, layers);
	say_to_journal();
	open_instance(request->root, request->name, !request->dry_run, &instance);
	if (request->dry_run) {
		mount_instance(request, &instance);
		finish_printing();
		return;
	}
	lock_directory(instance.directory, instance.path);
	if (is_mounted(request, &instance))
		say(MESSAGE_UNCHANGED, "'%s/merged' is mounted already", instance.path);
	else
		mount_instance(request, &instance);
	say_about(NULL, NULL);
}

static void tidy_work(const struct instance_directory *instance)
{
	cleanup_free char *path = xasprintf("%s/work", instance->path);
	cleanup_close int work = open_part(instance, "work", false);

	if (work >= 0)
		remove_leftover(work, path);
}

static void unmount_instance(const struct request *request, const struct instance_directory *instance)
{
	bool mounted = is_mounted(request, instance);

	if (!mounted)
		say(MESSAGE_UNCHANGED, "nothing is mounted on '%s/merged'", instance->path);
	for (; mounted; mounted = is_mounted(request, instance)) {
		int r = unmount_merged(instance->directory);

		if (r < 0)
			die(EXIT_FAILED, -r, r == -EBUSY ? "cannot unmount '%s/merged', a process still uses it"
							 : "cannot unmount '%s/merged'", instance->path);
		say(MESSAGE_UNMOUNTED, "unmounted '%s/merged'", instance->path);
	}
	tidy_work(instance);
}

void verb_umount(const struct request *request)
{
	cleanup(instance_done) struct instance_directory instance;

	say_about(request->name, NULL);
	say_to_journal();
	open_instance(request->root, request->name, false, &instance);
	if (request->dry_run) {
		(void) printf("target=%s/merged\nstate=%s\n", instance.path,
			      is_mounted(request, &instance) ? "mounted" : "not mounted");
		finish_printing();
	} else if (instance.directory >= 0) {
		lock_directory(instance.directory, instance.path);
		unmount_instance(request, &instance);
	}
}
