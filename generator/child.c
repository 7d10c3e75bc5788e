#include "child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_SIZE = 32 * 1024 };

void child_leave_output(int fd)
{
	(void) dup2(fd, STDOUT_FILENO);
	(void) dup2(fd, STDERR_FILENO);
}

/* For poll(2). */
static int milliseconds_until(int64_t deadline)
{
	const int64_t left = deadline - time_now(CLOCK_MONOTONIC);

	return left > 0 ? (int) (left / USEC_PER_MSEC) : 0;
}

bool child_read(int fd, int64_t deadline, size_t size_max, struct text *answer)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	for (;;) {
		int ready = poll(&poller, 1, milliseconds_until(deadline));
		ssize_t n;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0 || answer->length > size_max)
			return false;
		text_make_room(answer, READ_SIZE);
		answer->data[answer->length] = '\0';   /* also where nothing follows */
		n = read(fd, answer->data + answer->length, READ_SIZE);
		if (n <= 0)
			return n == 0;
		answer->length += (size_t) n;
		answer->data[answer->length] = '\0';
	}
}

int child_end(pid_t child)
{
	int status = 0;

	(void) kill(child, SIGKILL);
	for (long nap = 50000L; waitpid(child, &status, WNOHANG) == 0 && nap < 100000000L; nap *= 2)
		(void) nanosleep(&(struct timespec){ .tv_nsec = nap }, NULL);
	return status;
}

char *child_explain(int status, const char *otherwise)
{
	if (WIFSIGNALED(status))
		return xasprintf("the reading process was ended by signal %d", WTERMSIG(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)     /* out_of_memory() */
		return xstrdup("the reading process ran out of memory");
	return xstrdup(otherwise);
}
