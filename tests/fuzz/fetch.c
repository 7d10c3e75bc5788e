/* Any command line of left4me-fetch-script, one argument a line: what gets past the checks is what its manual allows. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static jmp_buf end;
static int status;

static _Noreturn void leave(int code)
{
	status = code;
	longjmp(end, 1);
}

/* The message is escaped: a line of printable characters. */
static int say(FILE *file, const char *format, ...);

#define main fetch_main
#define exit leave
#define fprintf say
#include "../../helpers/left4me-fetch-script.c"
#undef main
#undef exit
#undef fprintf

#include "systemd.h"

int fetch_main(int argc, char **argv);

static int say(FILE *file, const char *format, ...)
{
	cleanup_free char *line = NULL;
	va_list arguments;

	(void) file;
	va_start(arguments, format);
	line = xvasprintf(format, arguments);
	va_end(arguments);
	EXPECT(*line && line[strlen(line) - 1] == '\n' && is_printable(line, strlen(line) - 1), "it says: %s", line);
	return 0;
}

int start_clean(void)
{
	return 0;
}

int enter_host(void)
{
	abort();
}

void print_and_exit(const char *program, const char *text)
{
	(void) program, (void) text;
	leave(0);
}

int check_host_unreachable(char **ret_reason)
{
	(void) ret_reason;
	abort();
}

int fetch_by_child(uid_t uid, gid_t gid, const char *database, struct query *query, char **ret_reason)
{
	(void) uid, (void) gid, (void) database, (void) query, (void) ret_reason;
	abort();
}

int publish_script(const char *id, gid_t gid, const struct text *script, char **ret_reason)
{
	(void) id, (void) gid, (void) script, (void) ret_reason;
	abort();
}

int remove_script(const char *id, char **ret_reason)
{
	(void) id, (void) ret_reason;
	abort();
}

static void check(const struct request *request)
{
	size_t length = strlen(request->id);

	EXPECT(*request->id >= '1' && strspn(request->id, "0123456789") == length && length <= 19, "id '%s'", request->id);
	EXPECT(strtoll(request->id, NULL, 10) == request->query.id, "id '%s'", request->id);
	EXPECT(request->remove || (request->uid > 0 && request->gid > 0), "uid %u, gid %u", request->uid, request->gid);
	EXPECT(request->database[0] == '/' && request->database[1] && !strstr(request->database, "//"), "database '%s'",
	       request->database);
	for (const char *c = request->database; c; c = strchr(c + 1, '/'))
		EXPECT(c[1] && strcmp(c, "/.") != 0 && strcmp(c, "/..") != 0 && strncmp(c, "/./", 3) != 0 &&
		       strncmp(c, "/../", 4) != 0, "database '%s'", request->database);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct request request;
	cleanup_free char *input = xcalloc(size + 1, 1);
	char *arguments[32] = { (char *) "left4me-fetch-script" }, *line = input;
	int count = 1;

	memcpy(input, data, size);
	for (char *end; (end = strchr(line, '\n')) != NULL && count < 30; line = end + 1) {
		*end = '\0';
		arguments[count++] = line;
	}
	request = (struct request){ .query.script = TEXT_EMPTY };
	status = -1;
	optind = 0;            /* getopt(3): glibc starts anew */
	if (setjmp(end) == 0) {
		parse_command_line(count, arguments, &request);
		check(&request);
	} else
		EXPECT(status == EXIT_USAGE || status == 0, "status %d", status);
	request_done(&request);
	return 0;
}
