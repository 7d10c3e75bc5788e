/* The screen of `left4me-generator status`: status.h. */
#include <inttypes.h>
#include <signal.h>

#include "screen.h"
#include "status.h"

/* Where a note has less room than this, long names get a line of their own instead. */
enum { NOTE_MIN = 24, NAME_MIN = 8, COLUMNS_MIN = 80, GAP = 2 };

/* Directories are the web application's to make, as many as it likes; JSON has them all. */
enum { LEFT_BEHIND_MAX = 20 };

enum column { NAME, STATE, SINCE, PORT, MEMORY, RESTARTS, SIZE, NOTE, TABLE_COLUMNS };
static const struct {
	const char *head;
	bool right;                    /* numbers stand at the right */
} table[] = {
	[NAME] = { "NAME", false }, [STATE] = { "STATE", false }, [SINCE] = { "SINCE", true },
	[PORT] = { "PORT", true }, [MEMORY] = { "MEMORY", true }, [RESTARTS] = { "RESTARTS", true },
	[SIZE] = { "SIZE", true }, [NOTE] = { "NOTE", false },
};

#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

struct row {
	char *cells[TABLE_COLUMNS];
	const char *colour;            /* of the state */
};

/* --- text ------------------------------------------------------------------------------------------------ */

static char *bytes_in_words(int64_t bytes)
{
	static const char units[] = "BKMGTPE";
	double value = (double) bytes;
	size_t i = 0;

	if (bytes < 0)
		return xstrdup("-");
	if (bytes < 1024)
		return xasprintf("%" PRId64, bytes);
	while (value >= 999.5) {
		value /= 1024;
		i++;
	}
	return xasprintf(value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[i]);
}

/* --- the table ------------------------------------------------------------------------------------------- */

static const char *colour_of(const struct server_status *server)
{
	switch (server->state) {
	case UNIT_RUNNING:
		return server->waits ? YELLOW : GREEN;
	case UNIT_RESTARTING:
	case UNIT_FAILED:
		return RED;
	case UNIT_STOPPED:
		return server->refused ? RED : NULL;
	default:
		return YELLOW;
	}
}

/* Between two runs, and before the first one, there is no time that says anything. */
static char *since_of(const struct server_status *server, int64_t now)
{
	const struct unit *unit = server->unit;

	if (!unit || unit->since == 0 || server->state == UNIT_RESTARTING || server->state == UNIT_WAITING ||
	    strcmp(status_word(server), "refused") == 0)
		return xstrdup("-");
	return duration_in_words(now - unit->since, true);
}

static struct row make_row(const struct server_status *server, int64_t now)
{
	const struct unit *unit = server->unit;
	bool runs = server->state == UNIT_RUNNING || server->state == UNIT_STARTING || server->state == UNIT_STOPPING;
	bool counts = unit && unit->since > 0 && strcmp(status_word(server), "refused") != 0;

	return (struct row){
		.cells = {
			[NAME] = xstrdup(server->name),
			[STATE] = xstrdup(status_word(server)),
			[SINCE] = since_of(server, now),
			[PORT] = xasprintf("%s%s", server->port ? server->port : "-",
					   server->port_source == PORT_OF_PROCESS ? "?" : ""),
			[MEMORY] = bytes_in_words(unit && runs ? unit->memory : UNIT_UNKNOWN),
			[RESTARTS] = counts ? xasprintf("%" PRId64, unit->restarts) : xstrdup("-"),
			[SIZE] = bytes_in_words(server->size),
			[NOTE] = xstrdup(server->note),
		},
		.colour = colour_of(server),
	};
}

static void row_done(struct row *row)
{
	for (size_t i = 0; i < TABLE_COLUMNS; i++)
		free(row->cells[i]);
}

/* As wide as the widest cell; the name's no wider than leaves room for notes. */
static void set_widths(const struct row *rows, size_t count, const struct status_screen *screen, size_t *ret_widths)
{
	size_t others = 0;

	for (enum column c = NAME; c < NOTE; c++) {
		size_t *width = &ret_widths[c];

		*width = c == SIZE && !screen->sizes ? 0 : strlen(table[c].head);
		for (size_t i = 0; *width > 0 && i < count; i++)
			if (strlen(rows[i].cells[c]) > *width)
				*width = strlen(rows[i].cells[c]);
		others += c != NAME && *width > 0 ? *width + GAP : 0;
	}
	others += GAP + NOTE_MIN;
	others = screen->columns > others + NAME_MIN ? screen->columns - others : NAME_MIN;
	if (ret_widths[NAME] > others)
		ret_widths[NAME] = others;
}

static void put_cell(struct text *out, const char *cell, size_t width, bool right, const char *colour)
{
	size_t length = strlen(cell), blanks = width > length ? width - length : 0;

	if (right)
		screen_put_blanks(out, blanks);
	if (colour)
		text_puts(out, colour);
	text_puts(out, cell);
	if (colour)
		text_puts(out, PLAIN);
	if (!right)
		screen_put_blanks(out, blanks);
	screen_put_blanks(out, GAP);
}

/* A name that is too long has a line of its own, so that it can be copied. */
static void put_row(struct text *out, const struct row *row, const size_t *widths, const struct status_screen *screen)
{
	size_t used = 0;

	for (enum column c = NAME; c < NOTE; c++) {
		const char *cell = row->cells[c];

		if (widths[c] == 0)
			continue;
		if (c == NAME && strlen(cell) > widths[c]) {
			text_printf(out, "%s\n", cell);
			cell = "";
		}
		put_cell(out, cell, widths[c], table[c].right, c == STATE && screen->colour ? row->colour : NULL);
		used += widths[c] + GAP;
	}
	if (*row->cells[NOTE]) {
		screen_put_wrapped(out, row->cells[NOTE], used, used, screen->columns);
		return;
	}
	while (out->data[out->length - 1] == ' ')
		out->data[--out->length] = '\0';
	text_putc(out, '\n');
}

static void put_servers(const struct status *status, const struct status_screen *screen, struct text *out)
{
	struct row *rows = xcalloc(status->count + 1, sizeof(*rows)), head = { .colour = NULL };
	size_t widths[TABLE_COLUMNS];

	for (enum column c = NAME; c < TABLE_COLUMNS; c++)
		head.cells[c] = xstrdup(table[c].head);
	for (size_t i = 0; i < status->count; i++)
		rows[i] = make_row(&status->servers[i], status->now);
	set_widths(rows, status->count, screen, widths);
	put_row(out, &head, widths, screen);
	for (size_t i = 0; i < status->count; i++) {
		put_row(out, &rows[i], widths, screen);
		row_done(&rows[i]);
	}
	row_done(&head);
	free(rows);
}

/* --- the lines below it ---------------------------------------------------------------------------------- */

static void put_build(struct text *out, const struct unit *build, int64_t now)
{
	cleanup_free char *since = duration_in_words(now - build->since, false), *end = unit_end(build);
	const char *name = unit_is_update(build) ? "update of the game" : build->name;

	if (build->state == UNIT_FAILED && build->end_code == CLD_EXITED && build->end_status != 0)
		text_join(out, ", ", "%s failed %s ago (exit status %" PRId64 ")", name, since, build->end_status);
	else if (build->state == UNIT_FAILED)
		text_join(out, ", ", "%s failed %s ago (%s)", name, since, build->end_status == 0 && end ? end : build->result);
	else if (build->state == UNIT_WAITING)
		text_join(out, ", ", "%s waiting", name);
	else
		text_join(out, ", ", "%s %s for %s", name, build->state == UNIT_STOPPING ? "stopping" : "running", since);
}

static char *builds_line(const struct status *status)
{
	struct text builds = TEXT_EMPTY;
	char *line;

	for (size_t i = 0; i < status->build_count; i++)
		put_build(&builds, status->builds[i], status->now);
	line = xasprintf("builds: %s", status->build_count > 0 ? builds.data : "none runs, none has failed");
	text_done(&builds);
	return line;
}

static char *reload_line(const struct status *status)
{
	cleanup_free char *ago = duration_in_words(status->now - status->reloaded, false);

	if (status->reloaded == UNIT_UNKNOWN)
		return xstrdup("last reload unknown");
	return xasprintf("last reload %s ago, %zu problem%s%s", ago, status->problems, status->problems == 1 ? "" : "s",
			 status->problems > 0 ? ": left4me-generator check" : "");
}

/* Both in one line where they fit. */
static void put_host(const struct status *status, const struct status_screen *screen, struct text *out)
{
	cleanup_free char *builds = builds_line(status), *reload = reload_line(status);
	size_t length = strlen(builds) + strlen(reload);

	if (length + GAP <= screen->columns) {
		text_puts(out, builds);
		screen_put_blanks(out, screen->columns - length);
		text_printf(out, "%s\n", reload);
		return;
	}
	screen_put_wrapped(out, builds, 0, GAP, screen->columns);
	screen_put_wrapped(out, reload, 0, GAP, screen->columns);
}

static void put_directory(struct text *out, const struct directory_status *directory)
{
	cleanup_free char *size = bytes_in_words(directory->size);

	if (directory->size >= 0)
		text_join(out, ", ", "%s %s", directory->path, size);
	else
		text_join(out, ", ", "%s", directory->path);
}

static void put_left_behind(const struct status *status, const struct status_screen *screen, struct text *out)
{
	cleanup_text struct text names = TEXT_EMPTY;
	cleanup_free char *line = NULL;

	if (status->left_behind_known && status->left_behind_count == 0)
		return;
	for (size_t i = 0; i < status->left_behind_count && i < LEFT_BEHIND_MAX; i++)
		put_directory(&names, &status->left_behind[i]);
	if (status->left_behind_count > LEFT_BEHIND_MAX)
		text_join(&names, ", ", "and %zu more", status->left_behind_count - LEFT_BEHIND_MAX);
	line = status->left_behind_known ? xasprintf("left behind: %s (no row)", names.data)
					 : xstrdup("left behind: unknown");
	screen_put_wrapped(out, line, 0, GAP, screen->columns);
}

void status_put_table(const struct status *status, const struct status_screen *screen, struct text *out)
{
	struct status_screen wide = *screen;

	if (wide.columns < COLUMNS_MIN)
		wide.columns = COLUMNS_MIN;
	put_servers(status, &wide, out);
	if (!status->is_whole)
		return;
	put_host(status, &wide, out);
	put_left_behind(status, &wide, out);
	if (wide.unknown) {
		cleanup_free char *line = xasprintf("unknown without rows: %s", wide.unknown);

		screen_put_wrapped(out, line, 0, GAP, wide.columns);
	}
}
