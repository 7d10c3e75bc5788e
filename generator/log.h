/*
 * Where the few lines of a run go. Under systemd a generator's stdout and stderr are /dev/null, and the journal's
 * socket may wait for PID 1, which waits for the generator; /dev/kmsg is there from the first moment.
 */
#pragma once

#include <stdbool.h>

#include "base.h"

enum log_level { LOG_WARNING = 4, LOG_INFO = 6 };      /* syslog(3) */

/* From now on lines go to the kernel's log instead of stderr, if it can be opened. */
void log_to_kernel(void);

/* One line, without a newline of its own. */
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
