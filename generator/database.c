#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "recovery.h"

enum {
	VALUE_LENGTH_MAX = 64 * 1024 * 1024,   /* bytes; a longer value makes the whole read fail */
	BUSY_MILLISECONDS = 200,
	RETRY_MILLISECONDS = 20,
	OPCODES_BETWEEN_LOOKS = 20000,
};

enum sidecar { WAL, SHM, JOURNAL, SIDECARS };

static const char *const suffixes[SIDECARS] = { "-wal", "-shm", "-journal" };

/* The database and its sidecars at one moment; if two snapshots are equal, no writer was there in between. */
struct snapshot {
	struct stat file;
	unsigned char header[100];             /* with the change counter (SQLite's file format, 1.3) */
	bool has[SIDECARS];
	off_t size[SIDECARS];
};

/* How to open what a snapshot shows, see choose_way(). */
enum way { PLAIN, IMMUTABLE, RECOVER };

struct attempt {
	const char *path;
	database_query query;
	void *userdata;
	int64_t start;
	const struct snapshot *snapshot; /* in a recovery */
	char *schema_error;            /* what SQLite cannot read of the schema, or NULL */
	struct database_error error;
};

static bool is_over(const struct attempt *attempt, int seconds)
{
	return time_now(CLOCK_MONOTONIC) - attempt->start >= seconds * USEC_PER_SEC;
}

static void set_reason(struct attempt *attempt, const char *reason)
{
	free(attempt->error.reason);
	attempt->error.reason = xstrdup(reason);
}

static int fail(struct attempt *attempt, int error, const char *path, const char *what)
{
	free(attempt->error.reason);
	return database_refuse(&attempt->error, error, path, what);
}

static char *sidecar_path(const char *path, enum sidecar sidecar)
{
	return xasprintf("%s%s", path, suffixes[sidecar]);
}

/* Looks at the name, and takes the header from the open file: if the name is given to another file, the inode tells. */
static int take_snapshot(struct attempt *attempt, int fd, struct snapshot *ret_snapshot)
{
	struct snapshot snapshot = { 0 };

	if (lstat(attempt->path, &snapshot.file) < 0)
		return fail(attempt, errno, attempt->path, "read it");
	(void) !pread(fd, snapshot.header, sizeof(snapshot.header), 0);
	for (enum sidecar i = 0; i < SIDECARS; i++) {
		cleanup_free char *path = sidecar_path(attempt->path, i);
		struct stat st;

		/* No writer of SQLite's has an index that is something else. */
		snapshot.has[i] = lstat(path, &st) == 0 && (i != SHM || S_ISREG(st.st_mode));
		snapshot.size[i] = snapshot.has[i] ? st.st_size : 0;
	}
	*ret_snapshot = snapshot;
	return 0;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_snapshot(const struct snapshot *a, const struct snapshot *b)
{
	return a->file.st_dev == b->file.st_dev && a->file.st_ino == b->file.st_ino &&
	       a->file.st_size == b->file.st_size &&
	       same_time(a->file.st_mtim, b->file.st_mtim) && same_time(a->file.st_ctim, b->file.st_ctim) &&
	       memcmp(a->header, b->header, sizeof(a->header)) == 0 &&
	       memcmp(a->has, b->has, sizeof(a->has)) == 0 &&
	       memcmp(a->size, b->size, sizeof(a->size)) == 0;
}

/* Whether the last page is incomplete: SQLite would read zeros in its place. A live writer may just be writing it. */
static bool is_cut(const struct snapshot *snapshot)
{
	off_t page = snapshot->header[16] << 8 | snapshot->header[17];

	return snapshot->file.st_size % (page == 1 ? 65536 : page < 512 ? 512 : page) != 0;
}

/*
 * -wal and -shm: a writer may be at work, so nothing but a plain read is right. -wal alone was left by a crash, and SQLite
 * would have to create -shm to read it. -journal belongs to a writer or, after a crash, is hot; a plain read tells which.
 * Without any of them the file is complete, and a plain read of a WAL database would create sidecars.
 */
static enum way choose_way(const struct snapshot *snapshot)
{
	if (snapshot->has[WAL] && snapshot->has[SHM])
		return PLAIN;
	if (snapshot->size[WAL] > 0)
		return RECOVER;
	if (snapshot->size[JOURNAL] > 0)
		return PLAIN;
	return IMMUTABLE;
}

/* Allows SELECT and nothing else: no PRAGMA, no ATTACH, no write, whatever the text of a view says. */
static int authorize(void *userdata, int action, const char *a, const char *b, const char *c, const char *d)
{
	(void) userdata, (void) a, (void) b, (void) c, (void) d;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_FUNCTION:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

static bool is_out_of_time(void *userdata)
{
	return is_over(userdata, DATABASE_PATIENCE);
}

static int look_at_clock(void *userdata)
{
	return is_out_of_time(userdata);
}

/*
 * Has SQLite parse the schema under its own limits: what the application keeps beside our views does not matter. Nor does
 * what this version of SQLite cannot parse, say a trigger with a newer syntax: WRITABLE_SCHEMA makes it pass over that
 * (nothing is written, the database is open for reading).
 */
static int load_schema(sqlite3 *db, struct attempt *attempt)
{
	static const char query[] = "SELECT 1 FROM main.sqlite_schema LIMIT 1";
	int rc = sqlite3_exec(db, query, NULL, NULL, NULL);
	const char *complaint = (rc & 0xff) == SQLITE_CORRUPT ? startswith(sqlite3_errmsg(db), "malformed database schema ") : NULL;

	if (!complaint || *complaint != '(')
		return rc;
	attempt->schema_error = xstrdup(complaint);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	rc = sqlite3_exec(db, query, NULL, NULL, NULL);
	(void) sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
	return rc;
}

/*
 * Each line closes one way in which a file or its schema can attack its reader (sqlite.org, "Defense Against The Dark
 * Arts").
 */
static const struct setting {
	int id, value;
} settings[] = {
	{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
	{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
	{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
	{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
	{ SQLITE_DBCONFIG_DQS_DML, 0 },        /* without a column port, SELECT "port" is an error, not a text */
	{ SQLITE_DBCONFIG_DQS_DDL, 0 },
};

/* For our own queries, and for what is left of the views' text in them. */
static const struct setting limits[] = {
	{ SQLITE_LIMIT_LENGTH, VALUE_LENGTH_MAX },
	{ SQLITE_LIMIT_SQL_LENGTH, 1000000 },
	{ SQLITE_LIMIT_EXPR_DEPTH, 100 },
	{ SQLITE_LIMIT_COMPOUND_SELECT, 50 },
	{ SQLITE_LIMIT_VDBE_OP, 100000 },
	{ SQLITE_LIMIT_FUNCTION_ARG, 20 },
	{ SQLITE_LIMIT_ATTACHED, 0 },
	{ SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000 },
	{ SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
	{ SQLITE_LIMIT_WORKER_THREADS, 0 },
};

/* They read nothing but their argument. */
static const char *harmless_modules[] = { "json_each", "json_tree", "jsonb_each", "jsonb_tree", NULL };

static int harden(sqlite3 *db, struct attempt *attempt)
{
	int rc;

	for (size_t i = 0; i < ELEMENTS(settings); i++)
		(void) sqlite3_db_config(db, settings[i].id, settings[i].value, NULL);
	/* Newer SQLite calls full-text and spatial indexes innocuous: views may use them, and the authorizer is not asked. */
	(void) sqlite3_drop_modules(db, harmless_modules);
	(void) sqlite3_busy_timeout(db, BUSY_MILLISECONDS);
	sqlite3_progress_handler(db, OPCODES_BETWEEN_LOOKS, look_at_clock, attempt);
	rc = sqlite3_exec(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; BEGIN", NULL, NULL,
			  NULL);
	if (rc == SQLITE_OK)
		rc = load_schema(db, attempt);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA cache_size=-500", NULL, NULL, NULL);     /* KiB */
	for (size_t i = 0; i < ELEMENTS(limits); i++)
		(void) sqlite3_limit(db, limits[i].id, limits[i].value);
	return rc == SQLITE_OK ? sqlite3_set_authorizer(db, authorize, NULL) : rc;
}

/* A "file:" URI for the path, with the characters that mean something in a URI as %XX; owned by the caller. */
static char *make_uri(const char *path, const char *parameters)
{
	struct text uri = TEXT_EMPTY;

	text_puts(&uri, "file:");
	for (const char *c = path; *c; c++)
		if (strchr("%?#", *c))
			text_printf(&uri, "%%%02X", (unsigned char) *c);
		else
			text_putc(&uri, *c);
	text_puts(&uri, parameters);
	return uri.data;
}

/*
 * readonly_shm=1: otherwise SQLite rebuilds the -shm of a crashed writer in place where it may write. With it, SQLite reads
 * as on a read-only file system (https://sqlite.org/wal.html, section 5) and leaves no trace.
 */
static int open_database(struct attempt *attempt, enum way way, sqlite3 **ret_db)
{
	cleanup_free char *uri = make_uri(attempt->path, way == IMMUTABLE ? "?immutable=1" : "?readonly_shm=1");
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, rc;

	if (way != RECOVER)
		return sqlite3_open_v2(uri, ret_db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_READONLY,
				       NULL);
	rc = sqlite3_open_v2(attempt->path, ret_db, flags | SQLITE_OPEN_READWRITE, RECOVERY_VFS);
	return rc == SQLITE_OK ? sqlite3_exec(*ret_db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) : rc;
}

/* Says what the recovery needed if it was that which took too long. */
static void explain_failure(struct attempt *attempt, int rc, sqlite3 *db)
{
	cleanup_free char *reason = NULL;
	enum sidecar sidecar;

	if ((rc & 0xff) == SQLITE_NOTADB)
		reason = xasprintf("%s that SQLite %s can read: it is another kind of file, encrypted, or in the format of a later "
				   "version", sqlite3_errmsg(db), sqlite3_libversion());
	else if (rc != SQLITE_INTERRUPT)
		reason = xstrdup(sqlite3_errmsg(db));
	else if (!attempt->snapshot)
		reason = xasprintf("could not be read within %d seconds", DATABASE_PATIENCE);
	else {
		sidecar = attempt->snapshot->size[JOURNAL] > 0 ? JOURNAL : WAL;
		reason = xasprintf("a writer has crashed, and its %s of %lld MiB could not be recovered within %d seconds; "
				   "the application does that when it opens the database", suffixes[sidecar] + 1,
				   (long long) attempt->snapshot->size[sidecar] >> 20, DATABASE_PATIENCE);
	}
	set_reason(attempt, reason);
}

static void add_schema_error(struct attempt *attempt)
{
	cleanup_free char *reason = xasprintf("%s (SQLite %s cannot read all of its schema: %s)", attempt->error.reason,
					      sqlite3_libversion(), attempt->schema_error);
	set_reason(attempt, reason);
}

static int open_and_read(struct attempt *attempt, enum way way)
{
	sqlite3 *db = NULL;
	int rc;

	freep(&attempt->error.reason);
	freep(&attempt->schema_error);
	rc = open_database(attempt, way, &db);

	if (db)                                /* NULL: out of memory */
		(void) sqlite3_extended_result_codes(db, 1);
	if (rc == SQLITE_OK)
		rc = harden(db, attempt);
	if (rc == SQLITE_OK)
		rc = attempt->query(db, attempt->userdata, &attempt->error.reason);
	if (rc != SQLITE_OK && !attempt->error.reason)
		explain_failure(attempt, rc, db);
	if (rc != SQLITE_OK && attempt->schema_error)
		add_schema_error(attempt);
	(void) sqlite3_close_v2(db);
	return rc;
}

/* Errors that a reader gets while a writer opens, closes, checkpoints or commits: the next attempt may succeed. */
static bool is_transient(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PROTOCOL:
		return true;
	default:
		return false;
	}
}

/*
 * Opens and checks a file that is called `what`, "it" or "its wal"; -1 with the reason. The database itself must stay open
 * until SQLite is done: closing any descriptor of a file drops all locks that the process has on it (fcntl(2)).
 */
static int open_file(struct attempt *attempt, const char *path, const char *what)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	cleanup_free char *reading = xasprintf("read %s", what);
	cleanup_free char *reason = NULL;
	struct stat st;

	if (fd < 0 && errno == EACCES && lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		reason = xstrdup("is not a regular file");     /* a confined process opens no directory */
	else if (fd < 0 && errno == ENOENT)
		reason = xconcat(strerror(ENOENT), ": the application's migration makes it", "");
	else if (fd < 0 && errno != ELOOP)
		return fail(attempt, errno, path, reading);
	else if (fd < 0)
		reason = xstrdup("is a symbolic link, which is not followed");
	else if (fstat(fd, &st) < 0)
		reason = xstrdup(strerror(errno));
	else if (!S_ISREG(st.st_mode))
		reason = xstrdup("is not a regular file");
	else if (st.st_size == 0)
		reason = xstrdup("is empty: the application's migration fills it");
	else
		return fd;
	cleanup_free char *whole = xconcat(what, " ", reason);
	set_reason(attempt, strcmp(what, "it") == 0 ? reason : whole);
	closep(&fd);
	return -1;
}

/* A sidecar that a crashed writer has left: 0 with -1 if there is none, or -1 with the reason. */
static int open_sidecar(struct attempt *attempt, const struct snapshot *snapshot, enum sidecar sidecar, int *ret_fd)
{
	cleanup_free char *path = sidecar_path(attempt->path, sidecar);
	cleanup_free char *what = xconcat("its ", suffixes[sidecar], " file");

	*ret_fd = snapshot->size[sidecar] > 0 ? open_file(attempt, path, what) : -1;
	return *ret_fd < 0 && snapshot->size[sidecar] > 0 ? -1 : 0;
}

/* SQLite says no more than that it cannot open the database when it may not read a sidecar: true with the reason. */
static bool is_sidecar_closed(struct attempt *attempt)
{
	for (enum sidecar i = 0; i < SIDECARS; i++) {
		cleanup_free char *path = sidecar_path(attempt->path, i);
		cleanup_free char *what = xconcat("read its ", suffixes[i], " file");
		struct stat st;

		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) < 0 && errno == EACCES) {
			(void) fail(attempt, EACCES, path, what);
			return true;
		}
	}
	return false;
}

/* Reads the database with the log or the journal that a crashed writer left. */
static int recover_and_read(struct attempt *attempt, const struct snapshot *snapshot, int fd)
{
	cleanup_close int journal = -1, log = -1;
	struct recovery *recovery;
	int rc;

	if (open_sidecar(attempt, snapshot, JOURNAL, &journal) < 0 || open_sidecar(attempt, snapshot, WAL, &log) < 0)
		return SQLITE_CANTOPEN;
	recovery = recovery_begin(&(struct recovery_files){ fd, journal, log }, is_out_of_time, attempt);
	attempt->snapshot = snapshot;
	rc = open_and_read(attempt, RECOVER);
	attempt->snapshot = NULL;
	recovery_end(recovery);
	return rc;
}

/* One try: 0 done, 1 try again, -1 give up. */
static int try_once(struct attempt *attempt)
{
	cleanup_close int fd = open_file(attempt, attempt->path, "it");
	struct snapshot before, after;
	enum way way;
	int rc;

	if (fd < 0 || take_snapshot(attempt, fd, &before) < 0)
		return -1;
	way = choose_way(&before);
	if (way == IMMUTABLE && memcmp(before.header, "SQLite format 3", 16) == 0 && is_cut(&before)) {
		set_reason(attempt, "is truncated: its last page is not whole");
		return -1;
	}
	rc = way == RECOVER ? recover_and_read(attempt, &before, fd) : open_and_read(attempt, way);
	if (rc == SQLITE_READONLY_ROLLBACK && way == PLAIN) {
		way = RECOVER;
		rc = recover_and_read(attempt, &before, fd);
	}
	if (rc != SQLITE_OK && is_sidecar_closed(attempt))
		return -1;
	if (way != PLAIN && take_snapshot(attempt, fd, &after) < 0)
		return -1;
	if (way != PLAIN && !same_snapshot(&before, &after))
		return 1;
	return rc == SQLITE_OK ? 0 : is_transient(rc) ? 1 : -1;
}

int database_read(const char *path, database_query query, void *userdata, struct database_error *ret_error)
{
	const char *slash = strrchr(path, '/');
	struct attempt attempt = {
		.path = slash ? slash + 1 : path, .query = query, .userdata = userdata, .start = time_now(CLOCK_MONOTONIC),
	};
	int r = 1;

	while (r == 1) {
		r = try_once(&attempt);
		if (r == 1 && is_over(&attempt, DATABASE_LOCK_PATIENCE))
			r = -1;
		if (r == 1)
			(void) nanosleep(&(struct timespec){ .tv_nsec = RETRY_MILLISECONDS * 1000000L }, NULL);
	}
	free(attempt.schema_error);
	if (r < 0 && !attempt.error.reason)
		attempt.error.reason = xstrdup("is being changed all the time");
	if (r < 0)
		*ret_error = attempt.error;
	else
		free(attempt.error.reason);
	return r;
}
