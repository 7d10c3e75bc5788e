#include "log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A record of /dev/kmsg is cut at about 1000 bytes. */
enum { KERNEL_LINE_MAX = 900 };

static int kernel = -1;

void log_to_kernel(void)
{
	kernel = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

void log_line(enum log_level level, const char *format, ...)
{
	cleanup_free char *message = NULL;
	cleanup_free char *line = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = xvasprintf(format, arguments);
	va_end(arguments);
	if (kernel >= 0)
		line = xasprintf("<%d>left4me-generator: %.*s\n", level, KERNEL_LINE_MAX, message);
	else
		line = xconcat("left4me-generator: ", message, "\n");
	(void) !write(kernel >= 0 ? kernel : STDERR_FILENO, line, strlen(line));
}
