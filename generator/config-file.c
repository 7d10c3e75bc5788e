#include "config-file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS " \t\r\v\f"

void config_file_freep(char **text)
{
	volatile char *c = *text;

	while (c && *c)
		*c++ = '\0';
	freep(text);
}

static const char *why_refused(const struct stat *st, bool root_owned)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (root_owned && st->st_uid != 0)
		return "is not owned by root";
	if (root_owned && (st->st_mode & (S_IWGRP | S_IWOTH)))
		return "is group- or world-writable";
	return NULL;
}

void config_file_failed(const char *label, int error, bool root_owned, struct report *report)
{
	report->blind |= error == EACCES;
	if (error == EACCES && root_owned && geteuid() != 0)
		report_problem(report, label, "user %u may not read it, but root does at a reload, so this check is not the whole; "
			       "chgrp it to a group of that user and chmod g+r", (unsigned) geteuid());
	else
		report_problem(report, label, "%s", strerror(error));
}

/* O_NONBLOCK: a FIFO in the file's place must not hold up the boot. */
static int open_checked(const char *path, const char *label, bool may_be_missing, bool root_owned,
			struct report *report, size_t *ret_size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *reason;
	struct stat st;
	int result;

	if (fd < 0 && errno == ENOENT && may_be_missing)
		return -1;
	if (fd < 0 || fstat(fd, &st) < 0) {
		config_file_failed(label, errno, root_owned, report);
		return -1;
	}
	reason = why_refused(&st, root_owned);
	if (reason) {
		report_problem(report, label, "%s; the whole file is ignored", reason);
		return -1;
	}
	*ret_size = (size_t) st.st_size;
	result = fd;
	fd = -1;
	return result;
}

/* Reads a file of `size` bytes; standard input, of 0, until nothing more comes. */
static char *read_all(int fd, size_t size, const char *label, struct report *report)
{
	cleanup(config_file_freep) char *text = xrealloc(NULL, CONFIG_FILE_MAX + 2, 1);
	size_t length = 0;

	text[0] = '\0';
	while (length <= CONFIG_FILE_MAX) {
		ssize_t n = read(fd, text + length, CONFIG_FILE_MAX + 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			report_problem(report, label, "%s", strerror(errno));
			return NULL;
		}
		length += (size_t) n;
		text[length] = '\0';
		if (n == 0 || length == size)
			break;
	}
	if (length > CONFIG_FILE_MAX) {
		report_problem(report, label, "is larger than %d bytes; the whole file is ignored", CONFIG_FILE_MAX);
		return NULL;
	}
	if (strlen(text) < length) {
		report_problem(report, label, "holds a NUL byte; the whole file is ignored");
		return NULL;
	}
	return take_ptr(&text);
}

char *config_file_read(const char *path, const char *label, bool may_be_missing, bool root_owned,
		       struct report *report)
{
	cleanup_close int fd = -1;
	size_t size = 0;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, 0, label, report);
	fd = open_checked(path, label, may_be_missing, root_owned, report, &size);
	return fd < 0 ? NULL : read_all(fd, size, label, report);
}

/* What the handler and the reader of inih share. inih counts no lines for its handler, so the reader does. */
struct ini_state {
	const char *next;
	const char *label;
	unsigned line;
	bool section_known;
	const struct ini_handler *handler;
	struct report *report;
};

static char *where_of(const char *label, unsigned line)
{
	return xasprintf("%s:%u", label, line);
}

static int on_key(void *userdata, const char *section, const char *key, const char *value)
{
	const struct ini_state *state = userdata;
	cleanup_free char *where = where_of(state->label, state->line);

	if (state->section_known)
		state->handler->set(state->handler->userdata, section, key, value, where);
	return 1;
}

static void on_section(struct ini_state *state, const char *line, const char *where)
{
	const char *end = strchr(line, ']');
	cleanup_free char *section = NULL;

	if (!end) {
		state->section_known = false;
		report_problem(state->report, where, "the section's name has no ']'");
		return;
	}
	section = xasprintf("%.*s", (int) (end - line - 1), line + 1);
	state->section_known = state->handler->known_section(section);
	if (!state->section_known)
		report_problem(state->report, where, "unknown section [%s]", section);
}

/* Whether inih may see the line, which a comment of any length need not be; reports it otherwise. */
static bool check_line(struct ini_state *state, const char *line, size_t length, size_t limit)
{
	cleanup_free char *where = where_of(state->label, state->line);

	if (*line == '#' || *line == ';')
		return false;
	if (length > limit) {
		if (*line == '[')
			state->section_known = false;
		report_problem(state->report, where, "the line is longer than %zu bytes", limit);
		return false;
	}
	if (*line == '[')
		on_section(state, line, where);
	else if (*line && !strpbrk(line, "=:")) {
		report_problem(state->report, where, "'%s' is neither a section, a key nor a comment", line);
		return false;
	}
	return true;
}

/*
 * inih's fgets(). It cuts what is longer than its buffer and still delivers the value, and takes an indented
 * line for one more value of the last key: so the length is checked here and the indentation removed.
 */
static char *next_line(char *buffer, int size, void *userdata)
{
	struct ini_state *state = userdata;
	size_t limit = (size_t) size - 2;      /* a newline and a NUL stay */
	size_t length, whole;

	if (!*state->next)
		return NULL;
	whole = strcspn(state->next, "\n");
	length = whole;
	while (length > 0 && strchr(BLANKS, state->next[0])) {
		state->next++;
		whole--;
		length--;
	}
	while (length > 0 && strchr(BLANKS, state->next[length - 1]))
		length--;
	state->line++;
	(void) snprintf(buffer, (size_t) size, "%.*s", (int) length, state->next);
	if (!check_line(state, buffer, length, limit))
		buffer[0] = '\0';
	(void) strcat(buffer, "\n");
	state->next += whole + (state->next[whole] == '\n');
	return buffer;
}

void config_file_parse_ini(const char *text, const char *label, const struct ini_handler *handler,
			   struct report *report)
{
	struct ini_state state = {
		.next = behind_byte_order_mark(text), .label = label, .section_known = true, .handler = handler,
		.report = report,
	};

	(void) ini_parse_stream(next_line, &state, on_key, &state);
}
