#include "database.h"

#include <string.h>

#include "base.h"

/* Where `make install` puts them. */
#ifndef VIEWS
#define VIEWS "/usr/local/share/left4me/schema/views.sql"
#endif

/*
 * A view, ours or one that it uses, whose text has "NAME" in double quotes: SQLite takes that for a column, and once
 * took it for a text where there was no such column. Owned by the caller; NULL if there is none.
 */
static char *view_with(sqlite3 *db, const char *name, size_t length)
{
	sqlite3_stmt *statement = NULL;
	char *view = NULL;

	if (sqlite3_prepare_v2(db, "SELECT name FROM main.sqlite_schema WHERE type = 'view'"
			       " AND instr(sql, '\"' || ?1 || '\"')", -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_bind_text(statement, 1, name, (int) length, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0))
		view = xstrdup((const char *) sqlite3_column_text(statement, 0));
	(void) sqlite3_finalize(statement);
	return view;
}

/* `message` is "no such column: NAME", from 3.46 on with quotes and a guess behind it. */
static char *explain_column(sqlite3 *db, const char *view, const char *message)
{
	const char *name = message + strlen("no such column: ");
	size_t length = *name == '"' ? strcspn(++name, "\"") : strlen(name);
	cleanup_free char *quoting = view_with(db, name, length);

	if (!quoting)
		return xasprintf("view %s: no such column: %.*s; " VIEWS " creates it", view, (int) length, name);
	return xasprintf("view %s: no such column: \"%.*s\", which view %s has in double quotes, as a column's name; a text is "
			 "written '%.*s'", view, (int) length, name, quoting, (int) length, name);
}

char *database_explain(sqlite3 *db, const char *view)
{
	cleanup_free char *missing = xasprintf("no such table: main.%s", view);
	cleanup_free char *message = xstrdup(sqlite3_errmsg(db));
	const char *ordered = strcmp(view, "generator_layers") == 0 ? "instance" : "name";     /* whose collation is asked for */
	const char *unsafe = startswith(message, "unsafe use of ");

	if (strcmp(message, missing) == 0)
		return xasprintf("has no view %s; " VIEWS " creates it", view);
	if (startswith(message, "no such column: "))
		return explain_column(db, view, message);
	if (startswith(message, "no such collation"))
		return xasprintf("view %s: %s, which only the application has; %s || '' in the view, in place of %s, cures it",
				 view, message, ordered, ordered);
	if (startswith(message, "no such function"))
		return xasprintf("view %s: %s in SQLite %s: it is the application's own or a later version's, and the view must do "
				 "without it", view, message, sqlite3_libversion());
	if (startswith(message, "no such module"))
		return xasprintf("view %s: %s: of virtual tables a view may use JSON's alone", view, message);
	if (unsafe)
		return xasprintf("view %s: %s, which SQLite %s takes for unsafe in a view: the view must do without it", view,
				 unsafe, sqlite3_libversion());
	if (startswith(message, "Expression tree is too large") || strcmp(message, "string or blob too big") == 0)
		return xasprintf("view %s: %s; left4me-views(5) has the limits", view, message);
	return xasprintf("view %s: %s", view, message);
}
