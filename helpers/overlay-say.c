#include "overlay-say.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "escape.h"
#include "name.h"


/* journald takes a datagram at once. If it hangs, a server's start must not hang with it. */
enum { JOURNAL_SECONDS = 2 };

static struct {
	const char *instance;
	const char *layers;
	bool host;              /* the journal's socket can be reached */
	bool on_stderr;         /* stderr is connected to the journal */
} about;

void say_about(const char *instance, const char *layers)
{
	about.instance = instance;
	about.layers = layers;
}

/* systemd.exec(5) offers $JOURNAL_STREAM for this, but the environment of the caller is not to be trusted. */
static bool stderr_is_journal(void)
{
	struct sockaddr_un peer = { .sun_family = AF_UNSPEC };
	socklen_t size = sizeof(peer) - 1;

	return getpeername(STDERR_FILENO, (struct sockaddr *) &peer, &size) == 0 &&
	       peer.sun_family == AF_UNIX &&
	       strcmp(peer.sun_path, "/run/systemd/journal/stdout") == 0;
}

void say_to_journal(void)
{
	about.host = access("/run/systemd/journal/socket", F_OK) == 0;
	about.on_stderr = stderr_is_journal();
}

static void on_alarm(int signal_number)
{
	(void) signal_number;   /* The interrupted system call returns; that is all. */
}

void deadline(unsigned seconds)
{
	struct sigaction action = { .sa_handler = on_alarm };   /* no SA_RESTART */
	/* Again each second, in case the first signal arrives just before the call that blocks. */
	struct itimerval timer = { .it_value.tv_sec = (time_t) seconds, .it_interval.tv_sec = seconds > 0 };
	sigset_t set;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGALRM);
	(void) sigaction(SIGALRM, &action, NULL);
	(void) sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void) setitimer(ITIMER_REAL, &timer, NULL);
}

/*
 * Calls sd_journal_sendv(3). libsystemd is loaded only when there is a message to send: linked in, it would cost a
 * third of a run that has nothing to say. dlopen(3) finds it as the dynamic linker finds the other libraries.
 */
static int send_fields(const struct iovec *fields, int count)
{
	int (*send)(const struct iovec *iov, int n) = NULL;
	void *library = dlopen("libsystemd.so.0", RTLD_NOW);

	if (library)
		*(void **) &send = dlsym(library, "sd_journal_sendv");
	return send ? send(fields, count) : -ENOSYS;
}

/* Appends `field`, which send_entry() frees. */
static void add_field(struct iovec *fields, int *count, char *field)
{
	fields[(*count)++] = (struct iovec){ .iov_base = field, .iov_len = strlen(field) };
}

/*
 * By OBJECT_SYSTEMD_UNIT= `journalctl -u` and `systemctl status` find the entry (systemd.journal-fields(7)).
 * journald also looks up the sender's unit in /proc, but this process has often ended by then.
 */
static bool send_entry(int priority, const char *message_id, const char *message)
{
	struct iovec fields[7];
	int count = 0, r;

	if (!about.host)
		return false;
	add_field(fields, &count, xasprintf("MESSAGE=%s", message));
	add_field(fields, &count, xasprintf("PRIORITY=%d", priority));
	add_field(fields, &count, xasprintf("MESSAGE_ID=%s", message_id));
	add_field(fields, &count, xasprintf("SYSLOG_IDENTIFIER=%s", PROGRAM));
	if (about.instance) {
		add_field(fields, &count, xasprintf("LEFT4ME_INSTANCE=%s", about.instance));
		add_field(fields, &count,
			  xasprintf("OBJECT_SYSTEMD_UNIT=" SERVER_UNIT "%s.service", about.instance));
	}
	if (about.layers)
		add_field(fields, &count, xasprintf("LEFT4ME_LAYERS=%s", about.layers));
	deadline(JOURNAL_SECONDS);
	r = send_fields(fields, count);
	deadline(0);
	for (int i = 0; i < count; i++)
		free(fields[i].iov_base);
	return r >= 0;
}

void say(const char *message_id, const char *format, ...)
{
	cleanup_free char *message = NULL, *line = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = xvasprintf(format, arguments);
	va_end(arguments);
	line = escape_message(message);
	(void) send_entry(LOG_INFO, message_id, line);
}

static int failure = EXIT_FAILED;

void fail_with(int status)
{
	failure = status;
}

_Noreturn void die(int status, int error, const char *format, ...)
{
	cleanup_free char *message = NULL, *whole = NULL, *line = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = xvasprintf(format, arguments);
	va_end(arguments);
	whole = xasprintf("%s%s%s", message, error ? ": " : "", error ? strerror(error) : "");
	line = escape_message(whole);
	if (!send_entry(LOG_ERR, MESSAGE_FAILED, line) || !about.on_stderr)
		(void) fprintf(stderr, PROGRAM ": %s\n", line);
	freep(&message);
	freep(&whole);
	freep(&line);
	exit(status == EXIT_FAILED ? failure : status);
}
