#include "manager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus.h"

void manager_ask(const char *const arguments[], struct question *ret_question)
{
	static char *const environment[] = { "LC_ALL=C", "PATH=/usr/bin:/bin", "SYSTEMD_PAGER=", NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], r;
	pid_t pid;

	*ret_question = QUESTION_NONE;
	if (pipe(ends) < 0)
		return;
	/* so that no other program has it */
	(void) fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	(void) posix_spawn_file_actions_init(&actions);
	(void) posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void) posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	(void) posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	(void) posix_spawn_file_actions_addclose(&actions, ends[1]);
	r = posix_spawn(&pid, arguments[0], &actions, NULL, (char *const *) arguments, environment);
	(void) posix_spawn_file_actions_destroy(&actions);
	(void) close(ends[1]);
	if (r == 0)
		*ret_question = (struct question){ pid, ends[0] };
	else
		(void) close(ends[0]);
}

int manager_answer(struct question *question, struct text *out)
{
	pid_t pid = question->pid;
	int status, r;

	if (pid == 0)
		return -1;
	(void) text_read(out, question->answer);
	(void) close(question->answer);
	*question = QUESTION_NONE;
	while ((r = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	return r == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void question_done(struct question *question)
{
	if (question->pid == 0)
		return;
	(void) kill(question->pid, SIGKILL);
	(void) close(question->answer);
	(void) waitpid(question->pid, NULL, 0);
	*question = QUESTION_NONE;
}

int manager_run(const char *const arguments[], struct text *out)
{
	struct question question;

	manager_ask(arguments, &question);
	return manager_answer(&question, out);
}

/* Cuts the text into lines that end with NUL; a block ends with an empty one. */
static void cut(struct shown *shown)
{
	char *line = shown->text, *end;
	bool inside = false;

	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		if (end > line && !inside) {
			shown->blocks = grow_array(shown->blocks, shown->count, sizeof(*shown->blocks));
			shown->blocks[shown->count++] = line;
		}
		inside = end > line;
		line = end + 1;
	}
}

void manager_ask_show(const char *properties, const char *const units[], struct question *ret_question)
{
	cleanup_free char *option = xasprintf("--property=%s", properties);
	cleanup_free const char **command = NULL;
	size_t count = 0;

	while (units[count])
		count++;
	command = xcalloc(count + 6, sizeof(*command));
	memcpy(command, (const char *[]){ "/usr/bin/systemctl", "show", "--all", option, "--" }, 5 * sizeof(*command));
	memcpy(command + 5, units, count * sizeof(*command));
	manager_ask(command, ret_question);
}

int manager_answer_show(struct question *question, struct shown *ret_shown)
{
	cleanup_text struct text out = TEXT_EMPTY;

	if (manager_answer(question, &out) != 0)
		return -1;
	text_putc(&out, '\n');         /* the last block ends, too */
	*ret_shown = (struct shown){ .text = text_take(&out) };
	cut(ret_shown);
	return 0;
}

/* One whose queue is full is there. */
bool manager_has_bus(void)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/dbus/system_bus_socket" };
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return true;
	return connect(fd, (const struct sockaddr *) &address, sizeof(address)) == 0 ||
	       (errno != ENOENT && errno != ECONNREFUSED);
}

char *manager_silence(int error)
{
	if (geteuid() != 0 && !manager_has_bus())
		return xstrdup("cannot be asked, since no system bus answers: " START_BUS);
	if (!bus_has_library())
		return xstrdup("cannot be asked without libsystemd.so.0 (package libsystemd0)");
	if (error == 0)
		return xstrdup("does not answer: systemctl show");
	return xasprintf("does not answer (%s): systemctl show", strerror(error));
}

const char *shown_value(const struct shown *shown, size_t unit, const char *property)
{
	size_t length = strlen(property);

	for (const char *line = shown->blocks[unit]; *line; line += strlen(line) + 1)
		if (strncmp(line, property, length) == 0 && line[length] == '=')
			return line + length + 1;
	return NULL;
}

void shown_done(struct shown *shown)
{
	free(shown->text);
	free(shown->blocks);
	*shown = SHOWN_EMPTY;
}
