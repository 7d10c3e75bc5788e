/*
 * Any command line of left4me-overlay: what gets past it is what left4me-overlay(8) allows, everything else ends with
 * status 2 before anything was touched. The input has one argument a line.
 */
#include <setjmp.h>
#include <stdlib.h>

#include "fuzz.h"

static jmp_buf end;
static int status;
static bool acted;
static enum { MOUNT, UMOUNT, BUILD, COMMIT, DISCARD } verb_asked;

static _Noreturn void leave(int code)
{
	status = code;
	longjmp(end, 1);
}

#define main overlay_main
#define exit leave
#include "../../helpers/left4me-overlay.c"
#undef main
#undef exit

int overlay_main(int argc, char **argv);

/* What the command line asks for, once it is past main(): a second look at all of it. */
static void check(const struct request *request)
{
	size_t length = strlen(request->name);

	acted = true;
	if (verb_asked == BUILD || verb_asked == COMMIT || verb_asked == DISCARD)
		EXPECT(((*request->name >= '1' && strspn(request->name, "0123456789") == length && length <= 19) ||
			strcmp(request->name, "installation") == 0) && !request->dry_run, "id '%s'", request->name);
	EXPECT(length >= 1 && length <= 64 && !strchr("_-", *request->name) &&
	       strspn(request->name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length, "name '%s'", request->name);
	EXPECT(request->root[0] == '/' && request->root[1] && !strstr(request->root, "//"), "root '%s'", request->root);
	for (const char *c = strchr(request->root, '/'); c; c = strchr(c + 1, '/'))
		EXPECT(c[1] && strcmp(c, "/.") != 0 && strcmp(c, "/..") != 0 && strncmp(c, "/./", 3) != 0 &&
		       strncmp(c, "/../", 4) != 0, "root '%s'", request->root);
	for (const char *c = request->started; c && *c; c++)
		EXPECT(*c > ' ' && *c < 127, "started '%s'", request->started);
	EXPECT(!request->started || (verb_asked == MOUNT && strchr(request->started, '=')), "started '%s'", request->started);
	EXPECT(verb_asked == MOUNT ? request->count >= 1 && request->count <= 500 : request->count == 0, "%d layers", request->count);
	for (int i = 0; i < request->count; i++) {
		const char *layer = request->layers[i];

		EXPECT((i + 1 == request->count) == (strcmp(layer, "installation") == 0), "layer %d is '%s'", i, layer);
		if (i + 1 == request->count)
			break;
		length = strlen(layer);
		EXPECT(*layer >= '1' && strspn(layer, "0123456789") == length &&
		       (length < 19 || (length == 19 && strcmp(layer, "9223372036854775807") <= 0)), "layer '%s'", layer);
		for (int j = 0; j < i; j++)
			EXPECT(strcmp(layer, request->layers[j]) != 0, "layer %s twice", layer);
	}
}

/* --- in place of overlay-verbs.c, overlay-stopped.c, overlay-build.c, overlay-enter.c, overlay-say.c and privileged.c ---------------------- */

void verb_mount(const struct request *request)
{
	verb_asked = MOUNT;
	check(request);
}

void verb_umount(const struct request *request)
{
	verb_asked = UMOUNT;
	check(request);
}

void verb_build(const struct request *request)
{
	verb_asked = BUILD;
	check(request);
}

void verb_commit(const struct request *request)
{
	verb_asked = COMMIT;
	check(request);
}

/* These have no argument. */
void verb_collect(const struct request *request)
{
	acted = true;
	EXPECT(!request->name && request->count == 0 && !request->dry_run && !request->started, "no argument, but %s", request->name);
}

void verb_umount_stopped(const struct request *request)
{
	verb_collect(request);
}

void verb_discard(const struct request *request)
{
	verb_asked = DISCARD;
	check(request);
}

void fail_with(int code)
{
	EXPECT(code == EXIT_FAILED || (code >= 251 && code <= 253), "status %d", code);
}

/* Without privilege, and no part of this: overlay-enter.t. */
bool is_enter(int argc, char **argv)
{
	(void) argc, (void) argv;
	return false;
}

_Noreturn void verb_enter(int argc, char **argv)
{
	(void) argc, (void) argv;
	leave(0);
}

int start_clean(void)
{
	return 0;
}

int enter_host(void)
{
	return 0;
}

void print_and_exit(const char *program, const char *text)
{
	(void) program, (void) text;
	leave(0);
}

_Noreturn void die(int code, int error, const char *format, ...)
{
	cleanup_free char *message = NULL;
	va_list arguments;

	(void) error;
	va_start(arguments, format);
	message = xvasprintf(format, arguments);
	va_end(arguments);
	EXPECT(*message, "it says nothing");
	freep(&message);
	leave(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *input = xcalloc(size + 1, 1);
	char *arguments[700] = { (char *) "left4me-overlay" };
	int count = 1;

	memcpy(input, data, size);
	for (char *line = input; line && count < 698; line = line ? line + 1 : NULL) {
		arguments[count++] = line;
		line = strchr(line, '\n');
		if (line)
			*line = '\0';
	}
	acted = false;
	status = 0;
	optind = 0;            /* getopt(3): glibc starts anew */
	if (setjmp(end) == 0)
		status = overlay_main(count, arguments);
	EXPECT(acted ? status == 0 : status == 2 || status == 0, "status %d", status);
	return 0;
}
