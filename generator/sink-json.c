#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"

/*
 * Each text is split into its lines again, which also shows that each is one that a unit file may hold. SQLite's
 * JSON functions make the document: nothing is pasted together. A link becomes Install.WantedBy.
 */
struct json_sink {
	struct sink sink;              /* first, so that one pointer is the other */
	const char *output;
	struct report *report;
	sqlite3 *db;
	sqlite3_stmt *insert;
};

static const char schema[] =
	"CREATE TABLE line (number INTEGER PRIMARY KEY, unit TEXT, section TEXT, key TEXT, value TEXT);";

static const char insert[] = "INSERT INTO line (unit, section, key, value) VALUES (?1, ?2, ?3, ?4)";

static const char document[] =
	"WITH sorted AS (SELECT * FROM line ORDER BY unit, section, key, number),"
	" keys AS (SELECT unit, section, key,"
	"   CASE count(*) WHEN 1 THEN json_quote(max(value)) ELSE json_group_array(value) END AS value"
	"   FROM sorted GROUP BY unit, section, key ORDER BY unit, section, key),"
	" sections AS (SELECT unit, section, json_group_object(key, json(value)) AS value"
	"   FROM keys GROUP BY unit, section ORDER BY unit, section),"
	" units AS (SELECT unit, json_group_object(section, json(value)) AS value"
	"   FROM sections GROUP BY unit ORDER BY unit)"
	"SELECT json_object('systemd', json_object('units', json_group_object(unit, json(value)))) FROM units";

static int add_line(sqlite3_stmt *statement, const char *unit, const char *section, const char *key, const char *value)
{
	const char *const values[] = { unit, section, key, value };
	int rc = sqlite3_reset(statement);

	for (size_t i = 0; rc == SQLITE_OK && i < ELEMENTS(values); i++)
		rc = sqlite3_bind_text(statement, (int) i + 1, values[i], -1, SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* Takes one line of unit text apart; changes it. -1 for what no unit file may hold. */
static int split_line(sqlite3_stmt *statement, const char *unit, char *line, char *section, size_t section_size)
{
	char *equals = strchr(line, '=');
	size_t length = strlen(line);

	if (length == 0 || line[0] == '#' || line[0] == ';')
		return 0;
	if (line[0] == '[' && line[length - 1] == ']') {
		line[length - 1] = '\0';
		(void) snprintf(section, section_size, "%s", line + 1);
		return 0;
	}
	if (!equals || equals == line || !*section || line[length - 1] == '\\')
		return -1;
	*equals = '\0';
	return add_line(statement, unit, section, line, equals + 1);
}

static int json_close(struct sink *sink, const struct file *file)
{
	struct json_sink *json = (struct json_sink *) sink;
	cleanup_free char *unit = sink_path(file->directory, file->name);
	cleanup_free char *lines = xstrdup(text_string(&json->sink.text));
	char section[40] = "";
	char *rest = NULL;

	if (file->tree != TREE_UNITS)
		return 0;
	for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (split_line(json->insert, unit, line, section, sizeof(section)) < 0) {
			report_problem(json->report, unit, "'%s' is no line of a unit file", line);
			return -1;
		}
	return 0;
}

static int json_link(struct sink *sink, const struct file *unit, const char *directory)
{
	struct json_sink *json = (struct json_sink *) sink;
	cleanup_free char *target = xasprintf("%.*s", (int) (strlen(directory) - strlen(".wants")), directory);

	return add_line(json->insert, unit->name, "Install", "WantedBy", target);
}

/* Through a second name, so that a full disk leaves the file as it was; but into what is no regular file. */
static int write_output(const char *path, const char *text, struct report *report)
{
	struct stat st;
	bool direct = lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
	cleanup_free char *temporary = xasprintf("%s%s", path, direct ? "" : ".new");
	int flags = O_WRONLY | O_CLOEXEC | (direct ? 0 : O_CREAT | O_TRUNC | O_NOFOLLOW);
	int fd = open(temporary, flags, 0644);
	int r = fd < 0 ? -errno : write_all(fd, text, strlen(text));

	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	if (!direct && r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	if (!direct && fd >= 0)
		(void) unlink(temporary);
	report_problem(report, path, "%s", strerror(-r));
	return -1;
}

static int write_document(struct json_sink *json)
{
	sqlite3_stmt *statement = NULL;
	cleanup_free char *text = NULL;
	int r;

	if (sqlite3_prepare_v2(json->db, document, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		text = xasprintf("%s\n", (const char *) sqlite3_column_text(statement, 0));
	(void) sqlite3_finalize(statement);
	if (!text) {
		report_problem(json->report, "bundlewrap", "the document could not be made: %s", sqlite3_errmsg(json->db));
		return -1;
	}
	if (json->output)
		return write_output(json->output, text, json->report);
	r = write_all(STDOUT_FILENO, text, strlen(text));
	if (r < 0)
		report_problem(json->report, "standard output", "%s", strerror(-r));
	return r < 0 ? -1 : 0;
}

static int json_finish(struct sink *sink, bool good)
{
	struct json_sink *json = (struct json_sink *) sink;
	int r = good ? write_document(json) : -1;

	(void) sqlite3_finalize(json->insert);
	(void) sqlite3_close(json->db);
	text_done(&json->sink.text);
	free(json);
	return r;
}

struct sink *sink_json(const char *output, struct report *report)
{
	struct json_sink *json = xcalloc(1, sizeof(*json));

	*json = (struct json_sink){
		.sink = { .open = sink_open_text, .close = json_close, .link = json_link, .finish = json_finish,
			  .text = TEXT_EMPTY },
		.output = output, .report = report,
	};
	if (sqlite3_open_v2(":memory:", &json->db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_exec(json->db, schema, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(json->db, insert, -1, &json->insert, NULL) == SQLITE_OK)
		return &json->sink;
	report_problem(report, "bundlewrap", "the document could not be made: %s", sqlite3_errmsg(json->db));
	(void) json_finish(&json->sink, false);
	return NULL;
}
