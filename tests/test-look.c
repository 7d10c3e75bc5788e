/* look.h: what is found below ROOT, by whom, and what is not followed. */
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "scratch.h"

/* "KIND NAME NUMBER" of each, a line each; of a size whether the file is in it: what a directory takes differs, and when it was made. */
static char *found(const struct look *look)
{
	struct text text = TEXT_EMPTY;

	for (size_t i = 0; i < look->count; i++)
		text_printf(&text, "%c %s %d\n", (char) look->found[i].kind, look->found[i].name,
			    strchr("OR", (char) look->found[i].kind) && look->found[i].number >= 20000);
	text_printf(&text, "%s\n", look->complete ? "complete" : "incomplete");
	return text_take(&text);
}

static void is_found(const struct look_request *request, const char *expected, const char *name)
{
	struct look seen;
	cleanup_free char *text = NULL;

	look(request, &seen);
	text = found(&seen);
	is_str(text, expected, "%s", name);
	look_done(&seen);
}

/* Below the working directory, as the user that the child becomes. */
static void make_root(void)
{
	cleanup_free char *bytes = xcalloc(1, 20001);

	memset(bytes, 'x', 20000);
	(void) mkdir("overlays", 0755);
	(void) mkdir("overlays/10", 0755);
	(void) mkdir("overlays/9", 0755);
	(void) mkdir("overlays/9.new", 0755);
	(void) mkdir("overlays/10/deep", 0755);
	(void) mkdir("runtime", 0755);
	(void) mkdir("runtime/alpha", 0755);
	(void) mkdir("runtime/lost+found", 0755);
	(void) mkdir("installation", 0755);
	write_file("overlays/10/deep/file", bytes);
	write_file("overlays/11", "no directory");
	(void) !symlink("/", "overlays/12");
	(void) !symlink("/", "runtime/link");
	(void) !symlink("/etc", "overlays/9/link");
}

static void test_found(const struct look_request *plain)
{
	struct look_request sizes = *plain;

	sizes.sizes = true;
	is_found(plain, "i installation 0\no 9 0\no 10 0\nr alpha 0\ncomplete\n", "directories whose names are ours");
	is_found(&sizes, "O 9 0\nO 10 1\nR alpha 0\ni installation 0\no 9 0\no 10 0\nr alpha 0\ncomplete\n", "sizes");
}

/* What was there before the row was made is another's. */
static void test_inherited(const struct look_request *request)
{
	time_t now = time(NULL);
	struct look seen;
	const struct found *alpha;

	look(request, &seen);
	alpha = look_find(&seen, FOUND_RUNTIME, "alpha");
	if (ok(alpha && (alpha->number == 0 || (alpha->number > now - 100 && alpha->number <= now)), "when a directory was made")) {
		seen.found[alpha - seen.found].number = now;   /* where the file system does not know */
		ok(!look_is_inherited(&seen, "alpha", alpha->number), "a row of the same second");
		ok(!look_is_inherited(&seen, "alpha", alpha->number - 9), "an older row");
		ok(!look_is_inherited(&seen, "alpha", 0), "a row that does not say");
		ok(!look_is_inherited(&seen, "alpha", now + 1000), "a row of a time to come");
		ok(!look_is_inherited(&seen, "beta", now), "no directory");
		seen.found[alpha - seen.found].number -= 9;
		ok(look_is_inherited(&seen, "alpha", now), "a newer row");
		seen.found[alpha - seen.found].number = 0;
		ok(!look_is_inherited(&seen, "alpha", now), "a file system that does not know");
	}
	look_done(&seen);
}

/* A process with that command line stands for a server. */
static void test_port(struct look_request request, const char *option, const char *port, long long expected)
{
	pid_t pid = fork();
	struct look seen;

	if (pid == 0) {
		(void) execl("/bin/sh", "sh", "-c", "kill -STOP $$", "srcds_run", option, port, (char *) NULL);
		_exit(1);
	}
	(void) waitpid(pid, NULL, WUNTRACED);
	request.pids = &pid;
	request.pid_count = 1;
	look(&request, &seen);
	is_int(seen.count > 0 && seen.found[seen.count - 2].kind == FOUND_PORT ? seen.found[seen.count - 2].number : 0, expected,
	       "%s %s", option, port);
	look_done(&seen);
	(void) kill(pid, SIGKILL);
	(void) waitpid(pid, NULL, 0);
}

/* Files that are asked for: how each is, what is denied, and where a link leads. */
static void test_files(struct look_request request)
{
	cleanup_free char *program = xasprintf("%s/installation/srcds_run", request.root);
	cleanup_free char *link = xasprintf("%s/overlays/12", request.root);
	const struct look_file files[] = {
		{ "/nonexistent/x", 0, false, false }, { program, 0, false, false }, { program, X_OK, false, false },
		{ link, 0, true, false }, { link, X_OK, false, false }, { "/dev/null", R_OK, false, true },
	};
	static const char *const expected[] = { "2 0 ", "0 100000 =", "13 100000 =", "0 120000 /", "0 40000 /", "0 20000 =" };
	struct look seen;

	write_file("installation/srcds_run", "#!/bin/sh");
	request.files = files;
	request.file_count = ELEMENTS(files);
	look(&request, &seen);
	for (size_t i = 0; i < ELEMENTS(files); i++) {
		cleanup_free char *number = xasprintf("%zu", i), *text = NULL;
		const struct found *file = look_find(&seen, FOUND_FILE, number);

		text = file ? xasprintf("%d %o %s", (int) file->number, (unsigned) (file->state.st_mode & S_IFMT),
					strcmp(file->real, files[i].path) == 0 ? "=" : file->real) : NULL;
		is_str(text, expected[i], "file %zu: errno, kind, where it really is", i);
	}
	look_done(&seen);
}

/* What a script is run by: why not, and where it really is. */
static void test_interpreter(struct look_request request, const char *first_line, int error, const char *expected)
{
	cleanup_free char *program = xasprintf("%s/installation/srcds_run", request.root), *real = NULL;
	const struct look_file file = { program, X_OK, false, true };
	struct look seen;
	const struct found *interpreter;

	write_file("installation/srcds_run", first_line);
	request.files = &file;
	request.file_count = 1;
	look(&request, &seen);
	interpreter = look_find(&seen, FOUND_INTERPRETER, "0");
	real = expected && error == 0 ? realpath(expected, NULL) : NULL;
	is_str(interpreter ? interpreter->real : NULL, real ? real : expected, "interpreter in '%.30s'", first_line);
	is_int(interpreter ? interpreter->number : 0, error, "and its errno");
	look_done(&seen);
}

/* One in an overlay counts where the installation has none. */
static void test_game(struct look_request request)
{
	request.game = true;
	is_found(&request, "i installation 0\no 9 0\no 10 0\nr alpha 0\ncomplete\n", "an srcds_run that is no program");
	write_file("overlays/9/srcds_run", "#!/bin/sh");
	(void) chmod("overlays/9/srcds_run", 0755);
	is_found(&request, "g 9 0\ni installation 0\no 9 0\no 10 0\nr alpha 0\ncomplete\n", "one in an overlay");
	(void) chmod("installation/srcds_run", 0755);
	is_found(&request, "g installation 0\ni installation 0\no 9 0\no 10 0\nr alpha 0\ncomplete\n", "one in the installation");
	(void) remove("installation/srcds_run");
	(void) remove("overlays/9/srcds_run");
}

/* As setfacl does it: the owner may do all, user 980 `user`, and the others `others`, bits of rwx. */
static int set_access_list(const char *path, unsigned char user, unsigned char others)
{
	const unsigned char list[] = {
		2, 0, 0, 0,
		1, 0, 7, 0, 255, 255, 255, 255,
		2, 0, user, 0, 980 % 256, 980 / 256, 0, 0,
		4, 0, others, 0, 255, 255, 255, 255,
		16, 0, 5, 0, 255, 255, 255, 255,
		32, 0, others, 0, 255, 255, 255, 255,
	};

	return setxattr(path, "system.posix_acl_access", list, sizeof(list), 0);
}

/* What overlays/9 is found to be by a caller with that uid, which has another group, 42. */
static int layer_error(const struct look_request *request, uid_t uid)
{
	const gid_t groups[] = { 980, 42 };
	pid_t pid = fork();
	struct look seen;
	const struct found *layer;
	int status = 0;

	if (pid == 0) {
		if (uid != 0 && (setgroups(ELEMENTS(groups), groups) < 0 || setgid(980) < 0 || setuid(uid) < 0))
			_exit(255);
		look(request, &seen);
		layer = look_find(&seen, FOUND_OVERLAY, "9");
		_exit(layer ? (int) layer->number : 255);
	}
	(void) waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* Whether the user of servers may enter a layer: uid and gid count, access lists, and no other group of the user's. */
static void test_layers(const struct look_request *request)
{
	static const struct { mode_t mode; gid_t group; int error; } cases[] = {
		{ 0755, 0, 0 }, { 0750, 0, EACCES }, { 0751, 0, EACCES }, { 0754, 0, EACCES }, { 0750, 980, 0 },
		{ 0705, 980, EACCES }, { 0750, 42, EACCES }, { 0705, 42, 0 },
	};

	if (geteuid() != 0) {
		skip("needs root", "layers");
		return;
	}
	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		(void) !chown("overlays/9", 0, cases[i].group);
		(void) chmod("overlays/9", cases[i].mode);
		is_int(layer_error(request, 0), cases[i].error, "to root: a layer of mode %o and group %u", cases[i].mode,
		       cases[i].group);
		is_int(layer_error(request, 980), cases[i].error, "the user itself says the same");
		is_int(layer_error(request, 981), 0, "another user cannot tell");
	}
	(void) !chown("overlays/9", 0, 0);
	if (set_access_list("overlays/9", 5, 0) < 0) {
		skip("no access lists here", "access lists");
		return;
	}
	is_int(layer_error(request, 0), 0, "an access list opens a layer");
	is_int(layer_error(request, 980), 0, "to the user itself, too");
	(void) set_access_list("overlays/9", 0, 5);
	is_int(layer_error(request, 0), EACCES, "an access list closes a layer");
	is_int(layer_error(request, 980), EACCES, "to the user itself, too");
	(void) removexattr("overlays/9", "system.posix_acl_access");
	(void) chmod("overlays/9", 0755);
}

/* What could not be seen first. */
static void is_unseen(const struct look_request *request, const char *path, int error, const char *name)
{
	struct look seen;

	look(request, &seen);
	is_str(seen.unseen ? seen.unseen + strlen(request->root) : NULL, path, "%s: it is named", name);
	is_int(seen.error, error, "%s: and why", name);
	look_done(&seen);
}

/* Root would see it all. */
static void test_rights(const struct look_request *request)
{
	if (geteuid() != 0) {
		skip("needs root", "the child is the configured user");
		return;
	}
	(void) chmod("runtime", 0700);
	is_found(request, "i installation 0\no 9 0\no 10 0\nincomplete\n", "the child is the configured user");
	is_found(&(struct look_request){ .root = request->root, .uid = "0", .gid = "0" }, "incomplete\n", "who is never root");
	(void) chmod("runtime", 0755);
}

int main(void)
{
	struct look_request request = { .uid = "980", .gid = "980" };
	cleanup_free char *root = NULL;

	scratch_begin();
	root = getcwd(NULL, 0);
	request.root = root;
	make_root();
	(void) chmod(".", 0755);
	test_found(&request);
	test_inherited(&request);
	test_port(request, "+hostport", "27015", 27015);
	test_port(request, "+hostport", "27015x", 0);
	test_port(request, "+hostport", "70000", 0);
	test_port(request, "+port", "27015", 0);
	test_files(request);
	test_interpreter(request, "#!/bin/sh\n", 0, "/bin/sh");
	test_interpreter(request, "#! \t/bin/sh -e\n", 0, "/bin/sh");
	test_interpreter(request, "#!/bin/sh", 0, "/bin/sh");
	test_interpreter(request, "#!/nonexistent/python3\n", ENOENT, "/nonexistent/python3");
	test_interpreter(request, "#!/dev/null\n", EACCES, "/dev/null");
	test_interpreter(request, "\177ELF", 0, NULL);
	test_interpreter(request, "#!/bin/s\001h\n", 0, NULL);
	test_interpreter(request, "#!\n", 0, NULL);
	test_interpreter(request, "", 0, NULL);
	test_game(request);
	test_rights(&request);
	test_layers(&request);
	is_unseen(&request, NULL, 0, "everything is seen");
	is_found(&(struct look_request){ .root = "/nonexistent", .uid = "980", .gid = "980" }, "incomplete\n", "no such directory");
	(void) rename("runtime", "r");
	(void) symlink("r", "runtime");
	is_found(&request, "i installation 0\no 9 0\no 10 0\nincomplete\n", "a link in place of a directory");
	is_unseen(&request, "/runtime", ENOTDIR, "a link in place of a directory");
	scratch_end();
	return done_testing();
}
