#include "overlay-verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "name.h"
#include "overlay-anchor.h"
#include "overlay-generation.h"
#include "overlay-instance.h"
#include "overlay-mount.h"
#include "overlay-owner.h"
#include "overlay-record.h"
#include "overlay-say.h"
#include "overlay-table.h"
#include "overlay-tree.h"
#include "overlay-view.h"

/* Takes over `merged`, which open_merged() returned. */
static bool is_mounted(const struct request *request, int anchor, int merged)
{
	bool mounted = merged >= 0 && mounted_by_us(OVERLAY_SOURCE, request->name, anchor, merged);

	closep(&merged);
	return mounted;
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
			die(EXIT_FAILED, 0, "layer %s is missing: '%s/%s'; left4me-generator check says what helps",
			    request->layers[i], request->root, path);
		stack->layers[stack->count++] = opened(fd, false, request->root, path);
	}
}

/*
 * The mount is made with root's rights, and shows what is in a layer whatever the layer's own mode says: what its user may not enter,
 * such as the directory of old generations under another name, is none.
 */
static void check_layers(const struct request *request, const struct instance_directory *instance, const struct stack *stack)
{
	size_t i = 0;

	use_rights_of(instance->runtime, 0);
	while (i < stack->count && faccessat(stack->layers[i], ".", R_OK | X_OK, AT_EACCESS) == 0)
		i++;
	use_own_rights();
	if (i < stack->count) {
		cleanup_free char *path = layer_path(request->layers[i]);

		die(EXIT_FAILED, 0, "layer %s is closed to its user: '%s/%s'; left4me-generator check says what helps", request->layers[i],
		    request->root, path);
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
	const char *to_be_made[] = { "", " (to be made)" };

	(void) printf("source=" OVERLAY_SOURCE "%s\n", request->name);
	for (int i = 0; i < request->count; i++) {
		cleanup_free char *path = layer_path(request->layers[i]);

		(void) printf("lowerdir+=%s/%s\n", request->root, path);
	}
	(void) printf("upperdir=%s/upper%s\n", instance->path, to_be_made[stack->upper < 0]);
	(void) printf("workdir=%s/work%s\n", instance->path, to_be_made[stack->work < 0]);
}

/* What a dry run prints is all it does, so a full disk or a closed pipe is a failure. */
static void print_state(const struct request *request)
{
	cleanup_free char *merged = merged_path(ANCHOR_SERVER, request->name);
	cleanup_close int anchor = find_anchor(ANCHOR_SERVER, request->name);
	bool mounted = is_mounted(request, anchor, open_merged(anchor, false));

	(void) printf("target=%s\nstate=%s\n", merged, mounted ? "mounted" : "not mounted");
	if (fflush(stdout) == EOF || ferror(stdout))
		die(EXIT_FAILED, errno, "cannot write to standard output");
}

static char *join_layers(const struct request *request)
{
	struct text list = TEXT_EMPTY;

	for (int i = 0; i < request->count; i++)
		text_printf(&list, "%s%s", i ? " " : "", request->layers[i]);
	return list.data;
}

/* Unmounts what is mounted on `path`, an absolute one as the mount table has it, if it is that mount. Returns 0 or -errno. */
static int unmount_there(const char *path, uint64_t id)
{
	const char *name = strrchr(path, '/') + 1;
	cleanup_free char *above = xasprintf(".%.*s", (int) (name - path), path);
	cleanup_close int top = open_root("/");
	cleanup_close int parent = open_beneath(top, above, O_PATH | O_DIRECTORY, 0);
	int mount = parent < 0 ? parent : open_beneath(parent, name, O_PATH | O_DIRECTORY, 0);
	bool same = mount >= 0 && mount_id(mount) == id;

	closep(&mount);
	if (mount < 0)
		return mount;
	return same ? unmount_in(parent, name) : -EBUSY;
}

/*
 * Unmounts what an earlier version of this program mounted on ROOT/runtime/NAME/merged, wherever that was moved. Whoever
 * moves it meanwhile makes this fail, and leads it nowhere.
 */
static void unmount_elsewhere(const char *instance)
{
	cleanup_free char *merged = merged_path(ANCHOR_SERVER, instance), *path = NULL;
	uint64_t id;

	while ((path = find_elsewhere(instance, merged, &id))) {
		int r = unmount_there(path, id);

		if (r < 0)
			die(EXIT_FAILED, -r, "the upper directory of %s is in use by the mount on '%s', which cannot be "
			    "unmounted", instance, path);
		say(MESSAGE_UNMOUNTED, "unmounted '%s'", path);
		freep(&path);
	}
}

static char *merged_in_unit(const struct request *request)
{
	return xasprintf("%s/runtime/%s/merged", request->root, request->name);
}

/* What the server's unit is to see; `overlay` is the root of its mount. */
static void note_view(const struct request *request, int root, int overlay)
{
	static const char *const shared[] = { SHARED_DIRECTORIES };
	cleanup_free char *unit = xasprintf(SERVER_UNIT "%s", request->name), *merged = merged_in_unit(request);
	cleanup_text struct text view = TEXT_EMPTY;

	for (size_t i = 0; i < ELEMENTS(shared); i++) {
		cleanup_free char *path = xasprintf("%s/%s", request->root, shared[i]);
		cleanup_close int fd = open_beneath(root, shared[i], O_PATH | O_DIRECTORY, 0);

		view_add(&view, opened(fd, true, request->root, shared[i]), path);
	}
	view_add(&view, overlay, merged);
	write_view(unit, &view);
}

static void mount_instance(const struct request *request, const struct instance_directory *instance, int anchor)
{
	cleanup_free char *source = xasprintf(OVERLAY_SOURCE "%s", request->name);
	struct stack stack = { .source = source, .owner = instance->runtime };
	cleanup_free char *path = merged_path(ANCHOR_SERVER, request->name);
	cleanup_close int mount = -1, merged = -1, lock = -1;
	bool create = !request->dry_run;

	stack.upper = open_part(instance, "upper", create);
	stack.work = open_part(instance, "work", create);
	check_upper(request, instance, stack.upper);
	if (create)
		lock = lock_layers(false);
	open_layers(request, instance->root, &stack);
	check_layers(request, instance, &stack);
	if (request->dry_run) {
		print_mount(request, instance, &stack);
		return;
	}
	merged = open_merged(anchor, true);
	mount = make_overlay(&stack, path);
	note_view(request, instance->root, mount);
	write_record(request->name, request->started, request->layers, stack.layers, stack.count);
	attach_overlay(mount, merged, path);
	say(MESSAGE_MOUNTED, "mounted '%s' from %d layers", path, request->count);
}

/* The mount of an instance has one anchor, so there is one of each name on a host, below whatever root. */
static void check_root(const struct request *request)
{
	cleanup_free char *unit = xasprintf(SERVER_UNIT "%s", request->name), *merged = merged_in_unit(request);
	cleanup_free char *path = merged_path(ANCHOR_SERVER, request->name);

	if (!view_may_have(unit, merged))
		die(EXIT_FAILED, 0, "'%s' is mounted already, for another root than '%s'", path, request->root);
}

/* Who mounts by hand what its unit has mounted changes nothing of the record. */
static void keep_mount(const struct request *request, int root, int overlay)
{
	cleanup_free char *path = merged_path(ANCHOR_SERVER, request->name);

	note_view(request, root, overlay);
	if (request->started)
		renew_record(request->name, request->started);
	say(MESSAGE_UNCHANGED, "'%s' is mounted already", path);
}

/* Returns 0, also where nothing is mounted, or -errno. */
static int unmount_from(const struct request *request, int anchor)
{
	cleanup_free char *path = merged_path(ANCHOR_SERVER, request->name);
	int r = 0;

	while (r == 0 && is_mounted(request, anchor, open_merged(anchor, false))) {
		r = unmount_in(anchor, MERGED);
		if (r == 0)
			say(MESSAGE_UNMOUNTED, "unmounted '%s'", path);
	}
	return r;
}

/* What a unit's start finds is left of a stop. It goes, unless somebody uses it. */
static void unmount_leftover(const struct request *request, int anchor)
{
	if (!is_mounted(request, anchor, open_merged(anchor, false)))
		return;
	check_root(request);
	if (request->started)
		(void) unmount_from(request, anchor);
}

void verb_mount(const struct request *request)
{
	cleanup_free char *layers = join_layers(request);
	cleanup(instance_done) struct instance_directory instance;
	cleanup_close int merged = -1;
	int anchor = -ENOENT;

	say_about(request->name, layers);
	say_to_journal();
	if (!request->dry_run)
		anchor = lock_anchor(ANCHOR_SERVER, request->name);
	open_instance(request->root, request->name, !request->dry_run, &instance);
	if (request->dry_run) {
		mount_instance(request, &instance, anchor);
		print_state(request);
		return;
	}
	unmount_elsewhere(request->name);
	unmount_leftover(request, anchor);
	merged = open_merged(anchor, false);
	if (merged >= 0 && mounted_by_us(OVERLAY_SOURCE, request->name, anchor, merged))
		keep_mount(request, instance.root, merged);
	else
		mount_instance(request, &instance, anchor);
	say_about(NULL, NULL);
}

static void tidy_work(const struct instance_directory *instance)
{
	cleanup_free char *path = xasprintf("%s/work", instance->path);
	cleanup_close int work = open_part(instance, "work", false);

	if (work >= 0)
		remove_leftover(work, path);
}

_Noreturn static void die_busy(const char *path)
{
	cleanup_free char *nested = find_nested(path);

	if (nested)
		die(EXIT_FAILED, 0, "cannot unmount '%s': there is another mount in it, '%s', to be unmounted first", path,
		    nested);
	die(EXIT_FAILED, 0, "cannot unmount '%s': a process still uses it, which fuser -vm '%s' names", path, path);
}

static void unmount_anchor(const struct request *request, int anchor)
{
	cleanup_free char *path = merged_path(ANCHOR_SERVER, request->name);
	int r;

	if (!is_mounted(request, anchor, open_merged(anchor, false)))
		say(MESSAGE_UNCHANGED, "nothing is mounted on '%s'", path);
	r = unmount_from(request, anchor);
	if (r == -EBUSY)
		die_busy(path);
	if (r < 0)
		die(EXIT_FAILED, -r, "cannot unmount '%s'", path);
}

/* The mount comes first: whatever its owner has done to ROOT, nothing stays mounted. */
void unmount_instance(const struct request *request, int anchor)
{
	cleanup_free char *unit = xasprintf(SERVER_UNIT "%s", request->name);
	cleanup(instance_done) struct instance_directory instance;

	unmount_anchor(request, anchor);
	remove_view(unit);
	remove_record(request->name);
	unmount_elsewhere(request->name);
	open_instance(request->root, request->name, false, &instance);
	tidy_work(&instance);
}

void verb_umount(const struct request *request)
{
	say_about(request->name, NULL);
	say_to_journal();
	if (request->dry_run)
		print_state(request);
	else
		unmount_instance(request, lock_anchor(ANCHOR_SERVER, request->name));
}
