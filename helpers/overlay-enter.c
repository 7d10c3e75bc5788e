#include "overlay-enter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "name.h"
#include "overlay-build.h"
#include "overlay-say.h"
#include "overlay-view.h"
#include "privileged.h"

static bool is_server(const char *unit)
{
	const char *name = startswith(unit, SERVER_UNIT);

	return name && valid_name(name);
}

static bool is_build(const char *unit)
{
	const char *id = startswith(unit, BUILD_UNIT);

	return id && valid_id(id);
}

static bool is_update(const char *unit)
{
	return strcmp(unit, UPDATE_UNIT) == 0;
}

/*
 * An older systemd, and one without libseccomp, leaves out what it does not know and says so in the log at most. The
 * script of a build comes from a stranger, so it must not run then.
 */
static void check_sandbox(void)
{
	if (getpid() != 1)
		die(EXIT_FAILED, 0, "the sandbox is not in force: this process has not a PID namespace of its own "
		    "(PrivatePIDs= needs systemd 257)");
	if (prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER)
		die(EXIT_FAILED, 0, "the sandbox is not in force: no system call is filtered (is libseccomp2 installed?)");
}

/*
 * Where the kernel does not enforce IPAddressDeny=, as without BPF, the unit runs unfiltered without a word. A datagram
 * to the loopback address is refused at once if it does.
 */
static void check_address_filter(void)
{
	const struct sockaddr_in loopback = {
		.sin_family = AF_INET,
		.sin_port = htons(DISCARD_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die(EXIT_FAILED, errno, "cannot look whether the address filter is enforced");
	if (sendto(fd, "", 1, 0, (const struct sockaddr *) &loopback, sizeof(loopback)) >= 0 || errno != EPERM)
		die(EXIT_FAILED, 0, "the address filter is not enforced: left4me-generator check says why");
}

/* As the first process of its PID namespace this one is given all orphans of it. */
static int wait_for(pid_t script)
{
	pid_t ended;
	int status;

	do {
		ended = wait(&status);
		if (ended < 0 && errno != EINTR)
			die(EXIT_FAILED, errno, "cannot wait for the command");
	} while (ended != script);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What else runs in the PID namespace ends with this process. */
_Noreturn static void run_build(char **command)
{
	pid_t script = fork();
	int status;

	if (script < 0)
		die(EXIT_FAILED, errno, "cannot start '%s'", command[0]);
	if (script == 0) {
		(void) execv(command[0], command);
		die(EXIT_FAILED, errno, "cannot execute '%s'", command[0]);
	}
	status = wait_for(script);
	if (status == 0 && removexattr("/overlay", BUILD_UNFINISHED) < 0 && errno != ENODATA)
		die(EXIT_FAILED, errno, "cannot say in '/overlay' that the command has succeeded: its owner must be allowed to write there");
	_exit(status);
}

/* The index of the verb, or argc. The options before it are those of the other verbs, which systemd passes to all. */
static int verb_index(int argc, char **argv)
{
	int i = 1;

	while (i < argc && startswith(argv[i], "--"))
		i++;
	return i;
}

bool is_enter(int argc, char **argv)
{
	int verb = verb_index(argc, argv);

	return verb < argc && strcmp(argv[verb], "enter") == 0;
}

/* Takes the option of enter, the first of the words, if it is there; returns its value or NULL. */
static const char *take_directory(char ***words)
{
	const char *directory = **words ? startswith(**words, "--chdir=") : NULL;

	*words += directory != NULL;
	return directory;
}

/* What is not there is not missed, as by WorkingDirectory=-DIRECTORY, systemd.exec(5). */
static void change_directory(const char *directory)
{
	if (directory && chdir(directory) < 0 && errno != ENOENT)
		die(EXIT_FAILED, errno, "cannot change to '%s'", directory);
}

_Noreturn void verb_enter(int argc, char **argv)
{
	char **words = argv + verb_index(argc, argv) + 1;
	const char *directory = take_directory(&words);

	if (!words[0] || !words[1] || strcmp(words[1], "--") != 0 || !words[2])
		die(EXIT_USAGE, 0, "enter needs a unit, -- and a command; see --help");
	if (!is_server(words[0]) && !is_build(words[0]) && !is_update(words[0]))
		die(EXIT_USAGE, 0, "'%s' is neither " SERVER_UNIT "NAME nor " BUILD_UNIT "ID nor " UPDATE_UNIT, words[0]);
	check_view(words[0]);
	if (!is_server(words[0]))
		check_sandbox();
	if (is_build(words[0]))
		check_address_filter();
	change_directory(directory);
	if (!is_server(words[0]))
		run_build(words + 2);
	(void) execv(words[2], words + 2);
	die(EXIT_FAILED, errno, "cannot execute '%s'", words[2]);
}
