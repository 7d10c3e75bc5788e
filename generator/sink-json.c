#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"

/*
 * The finished text is split into its lines again, which shows too that each is what a unit file may hold;
 * SQLite's JSON functions make the document: nothing is pasted together. A link becomes Install.WantedBy.
 */
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

static int split_unit(sqlite3_stmt *statement, const struct artifact *artifact, struct report *report)
{
	cleanup_text struct text text = TEXT_EMPTY;
	cleanup_free char *unit = xasprintf("%s%s%s", artifact->directory, *artifact->directory ? "/" : "", artifact->name);
	char section[40] = "";
	char *rest = NULL;

	artifact->write(artifact->maker, artifact, &text);
	for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (split_line(statement, unit, line, section, sizeof(section)) < 0) {
			report_problem(report, unit, "'%s' is no line of a unit file", line);
			return -1;
		}
	return 0;
}

static int add_link(sqlite3_stmt *statement, const struct artifact *artifact)
{
	cleanup_free char *target = xasprintf("%.*s", (int) (strlen(artifact->directory) - strlen(".wants")),
					      artifact->directory);

	return add_line(statement, artifact->name, "Install", "WantedBy", target);
}

static int collect(sqlite3 *db, const struct bundle *bundle, struct report *report)
{
	sqlite3_stmt *statement = NULL;
	int r = sqlite3_prepare_v2(db, insert, -1, &statement, NULL) == SQLITE_OK ? 0 : -1;

	for (size_t i = 0; r == 0 && i < bundle->count; i++) {
		const struct artifact *artifact = &bundle->artifacts[i];

		if (!artifact->per_host || artifact->place != PLACE_UNITS)
			continue;
		r = artifact->kind == ARTIFACT_LINK ? add_link(statement, artifact)
						    : split_unit(statement, artifact, report);
	}
	(void) sqlite3_finalize(statement);
	return r;
}

static char *make_document(const struct bundle *bundle, struct report *report)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	char *json = NULL;

	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK && collect(db, bundle, report) == 0 &&
	    sqlite3_prepare_v2(db, document, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		json = xasprintf("%s\n", (const char *) sqlite3_column_text(statement, 0));
	else
		report_problem(report, "bundlewrap", "the document could not be made: %s", sqlite3_errmsg(db));
	(void) sqlite3_finalize(statement);
	(void) sqlite3_close(db);
	return json;
}

/* Through a second name, so that a full disk leaves the file as it was; but into what is no regular file. */
static int write_output(const char *path, const char *text, struct report *report)
{
	struct stat st;
	bool direct = lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
	cleanup_free char *temporary = xconcat(path, direct ? "" : ".new", "");
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

int sink_json(const struct bundle *bundle, const char *output, struct report *report)
{
	cleanup_free char *json = make_document(bundle, report);
	int r;

	if (!json)
		return -1;
	if (output)
		return write_output(output, json, report);
	r = write_all(STDOUT_FILENO, json, strlen(json));
	if (r < 0)
		report_problem(report, "standard output", "%s", strerror(-r));
	return r < 0 ? -1 : 0;
}
