#include "fetch-child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "database.h"
#include "name.h"

/* What the first byte of an answer says of the others. */
enum { ANSWER_SCRIPT = 's', ANSWER_REASON = 'r' };

enum {
	READ_SIZE = 64 * 1024,
	REASON_MAX = 1000,     /* bytes of what the child says that go into a message */
};

static _Noreturn void child(int answers, uid_t uid, gid_t gid, const char *database, struct query *query)
{
	cleanup_text struct text answer = TEXT_EMPTY;
	struct database_error error = { .reason = NULL };
	int r = database_enter(database, uid, gid, &error);

	if (r == 0)
		r = fetch_row(database, query, &error.reason);
	text_putc(&answer, r == 0 ? ANSWER_SCRIPT : ANSWER_REASON);
	if (r < 0)
		text_puts(&answer, error.reason);
	else if (query->script.length > 0)
		text_append(&answer, query->script.data, query->script.length);
	(void) write_all(answers, answer.data, answer.length);
	_exit(0);
}

/* To the end of the pipe, or to the first byte that is too much. */
static void read_answer(int answers, struct text *ret_answer)
{
	while (ret_answer->length <= SCRIPT_MAX + 1) {
		ssize_t n;

		text_make_room(ret_answer, READ_SIZE);
		n = read(answers, ret_answer->data + ret_answer->length, READ_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		ret_answer->length += (size_t) n;
	}
}

static int end_child(pid_t pid)
{
	int status = 0;

	(void) kill(pid, SIGKILL);             /* unless it has ended */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static char *judge(const struct text *answer, int status, struct query *query)
{
	char kind = answer->length > 0 ? *answer->data : '\0';

	if (kind == ANSWER_SCRIPT && answer->length <= SCRIPT_MAX + 1) {
		text_append(&query->script, answer->data + 1, answer->length - 1);
		return NULL;
	}
	if (kind == ANSWER_REASON)
		return xasprintf("%.*s", answer->length > REASON_MAX ? REASON_MAX : (int) answer->length - 1,
				 answer->data + 1);
	return child_explain(status, "the reading process did not give a whole answer");
}

int fetch_by_child(uid_t uid, gid_t gid, const char *database, struct query *query, char **ret_reason)
{
	cleanup_text struct text answer = TEXT_EMPTY;
	int answers[2], r = pipe2(answers, O_CLOEXEC);
	pid_t pid = r < 0 ? -1 : fork();

	if (pid < 0) {
		*ret_reason = xasprintf("there is no process to read it in: %s", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		(void) close(answers[0]);
		child(answers[1], uid, gid, database, query);
	}
	(void) close(answers[1]);
	read_answer(answers[0], &answer);
	(void) close(answers[0]);
	*ret_reason = judge(&answer, end_child(pid), query);
	return *ret_reason ? -1 : 0;
}
