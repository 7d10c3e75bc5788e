/*
 * LD_PRELOAD for faults.t: the N-th allocation of the program (FAULT=p:N) or of its child (FAULT=c:N) fails, with FAULT=p+N or
 * c+N every later one as well. A byte to descriptor 9 says that it came to that.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

/* dlsym() allocates itself; what is allocated before it has answered is libc's own. */
static void *(*next_malloc)(size_t) = __libc_malloc;
static void *(*next_calloc)(size_t, size_t) = __libc_calloc;
static void *(*next_realloc)(void *, size_t) = __libc_realloc;

static pid_t program;
static bool in_child, from_there_on;
static unsigned long failing, made;

__attribute__((constructor)) static void begin(void)
{
	const char *fault = getenv("FAULT");

	next_malloc = dlsym(RTLD_NEXT, "malloc");
	next_calloc = dlsym(RTLD_NEXT, "calloc");
	next_realloc = dlsym(RTLD_NEXT, "realloc");
	program = getpid();
	if (fault) {
		in_child = fault[0] == 'c';
		from_there_on = fault[1] == '+';
		failing = strtoul(fault + 2, NULL, 10);
	}
}

static bool fails(void)
{
	if (failing == 0 || (getpid() != program) != in_child)
		return false;
	made++;
	if (made < failing || (made > failing && !from_there_on))
		return false;
	if (made == failing)
		(void) !write(9, "x", 1);
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : next_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : next_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
	return fails() ? NULL : next_realloc(pointer, size);
}
