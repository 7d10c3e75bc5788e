/*
 * Where a run's few lines go. Under systemd a generator's stdout and stderr are /dev/null and the journal
 * socket may wait for PID 1, which waits for the generator; /dev/kmsg is there from the first moment.
 */
#pragma once

#include <stdbool.h>

#include "base.h"

enum log_level { LOG_WARNING = 4, LOG_INFO = 6 };      /* syslog(3) */

/* From here on lines go to the kernel's log as well, where it can be opened. */
void log_to_kernel(void);

void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
