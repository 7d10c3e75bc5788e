/*
 * runner ROUNDS SECONDS DIRECTORY COMMAND... [-- COMMAND...]...: runs the commands in turn, ROUNDS times or, after three
 * rounds, until SECONDS are over, each in a fresh DIRECTORY that looks like /run before a reload. Prints a line for each
 * run: the command's number, nanoseconds from before the spawn until it was waited for, the largest memory in KiB
 * of it and of the children it waited for, their microseconds in user space and in the kernel, and their page faults.
 * A program that fails ends it all. Small on purpose: what a process inherits at its start counts as its memory.
 */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS_MAX = 8 };

extern char **environ;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void) st, (void) type, (void) ftw;
	return remove(path);
}

static void make_fresh(const char *directory)
{
	static const char *const directories[] = {
		"", "/systemd", "/systemd/generator", "/systemd/generator.early", "/systemd/generator.late", "/left4me",
	};

	(void) nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		char path[PATH_MAX];

		(void) snprintf(path, sizeof(path), "%s%s", directory, directories[i]);
		if (mkdir(path, 0755) < 0)
			die(path);
	}
}

static long long now(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long microseconds(const struct timeval *t)
{
	return t->tv_sec * 1000000LL + t->tv_usec;
}

static void run(int number, char **command, posix_spawn_file_actions_t *silence)
{
	long long begin = now(), end;
	struct rusage usage;
	int status;
	pid_t pid;

	if (posix_spawn(&pid, command[0], silence, NULL, command, environ) != 0)
		die(command[0]);
	if (wait4(pid, &status, 0, &usage) != pid)
		die("wait4");
	end = now();
	if (status != 0) {
		(void) fprintf(stderr, "runner: %s ended with status %#x\n", command[0], (unsigned) status);
		exit(1);
	}
	(void) printf("%d %lld %ld %lld %lld %ld\n", number, end - begin, usage.ru_maxrss,
		      microseconds(&usage.ru_utime), microseconds(&usage.ru_stime), usage.ru_minflt);
}

int main(int argc, char **argv)
{
	int rounds = argc > 4 ? atoi(argv[1]) : 0, count = 1;
	long long end;
	posix_spawn_file_actions_t silence;
	char **commands[COMMANDS_MAX];

	if (rounds < 1) {
		(void) fputs("usage: runner ROUNDS SECONDS DIRECTORY COMMAND... [-- COMMAND...]...\n", stderr);
		return 2;
	}
	commands[0] = argv + 4;
	for (int i = 4; i < argc; i++)
		if (strcmp(argv[i], "--") == 0 && count < COMMANDS_MAX) {
			argv[i] = NULL;
			commands[count++] = argv + i + 1;
		}
	if (posix_spawn_file_actions_init(&silence) != 0 ||
	    posix_spawn_file_actions_addopen(&silence, 1, "/dev/null", O_WRONLY, 0) != 0 ||
	    posix_spawn_file_actions_addopen(&silence, 2, "/dev/null", O_WRONLY, 0) != 0)
		die("posix_spawn_file_actions");
	end = now() + atoi(argv[2]) * 1000000000LL;
	for (int round = 0; round < rounds && (round < 3 || now() < end); round++)
		for (int i = 0; i < count; i++) {
			make_fresh(argv[3]);
			run(i, commands[i], &silence);
		}
	return 0;
}
