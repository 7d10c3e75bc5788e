#include "recovery.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"

enum {
	PAGE_SIZE_MIN = 512, PAGE_SIZE_MAX = 65536,    /* SQLite's file format, 1.3.2 */
	PATH_SIZE = 512,       /* of the database's name and those that SQLite makes of it */
};

/* The name that SQLite gets for the database, and those that it makes of it. */
#define DATABASE_NAME "database"
#define JOURNAL_NAME DATABASE_NAME "-journal"
#define LOG_NAME DATABASE_NAME "-wal"

struct recovery {
	struct recovery_files files;
	bool (*is_over)(void *userdata);
	void *userdata;
	bool rolled_back;              /* SQLite has finished with the journal and would have deleted it */
	off_t size;                    /* of the database as SQLite would have made it */
	size_t page_size;              /* 0: SQLite has not written yet */
	off_t *pages;                  /* for each page where it is in the journal; 0: in the database */
	size_t page_count;
	struct {
		unsigned char bytes[PAGE_SIZE_MAX];
		size_t length;
		off_t offset;
	} last;                        /* what SQLite last read from the journal that may be a page */
};

struct file {
	sqlite3_file base;
	struct recovery *recovery;
	int fd;                        /* -1: an empty file */
};

static struct recovery *recovery_of(sqlite3_file *file)
{
	return ((struct file *) file)->recovery;
}

static bool is_database(sqlite3_file *file)
{
	return ((struct file *) file)->fd == recovery_of(file)->files.database;
}

static bool is_journal(sqlite3_file *file)
{
	return ((struct file *) file)->fd >= 0 && ((struct file *) file)->fd == recovery_of(file)->files.journal;
}

/* --- reading --------------------------------------------------------------------------------------------- */

/* Reads what there is and fills the rest with zeros, as SQLite wants it. */
static int read_file(int fd, void *buffer, size_t length, off_t offset)
{
	size_t done = 0;

	while (fd >= 0 && done < length) {
		ssize_t n = pread(fd, (char *) buffer + done, length - done, offset + (off_t) done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return SQLITE_IOERR_READ;
		if (n == 0)
			break;
		done += (size_t) n;
	}
	memset((char *) buffer + done, 0, length - done);
	return done < length ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

/* SQLite reads a page or a part of one. */
static int read_database(struct recovery *recovery, void *buffer, size_t length, off_t offset)
{
	size_t page = recovery->page_size ? (size_t) offset / recovery->page_size : 0;
	off_t start = (off_t) (page * recovery->page_size);

	if (recovery->page_size && offset + (off_t) length > start + (off_t) recovery->page_size)
		return SQLITE_IOERR_READ;
	if (page < recovery->page_count && recovery->pages[page])
		return read_file(recovery->files.journal, buffer, length, recovery->pages[page] + offset - start);
	return read_file(recovery->files.database, buffer, length, offset);
}

static int x_read(sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset)
{
	struct recovery *recovery = recovery_of(file);
	int rc;

	if (is_database(file))
		return read_database(recovery, buffer, (size_t) length, offset);
	if (recovery->is_over(recovery->userdata))
		return SQLITE_INTERRUPT;
	rc = read_file(is_journal(file) && recovery->rolled_back ? -1 : ((struct file *) file)->fd, buffer,
		       (size_t) length, offset);
	if (rc == SQLITE_OK && is_journal(file) && length >= PAGE_SIZE_MIN && length <= PAGE_SIZE_MAX) {
		memcpy(recovery->last.bytes, buffer, (size_t) length);
		recovery->last.length = (size_t) length;
		recovery->last.offset = offset;
	}
	return rc;
}

static int x_file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	const struct recovery *recovery = recovery_of(file);
	struct stat st;

	*ret_size = 0;
	if (is_database(file))
		*ret_size = recovery->size;
	else if (((struct file *) file)->fd >= 0 && !(is_journal(file) && recovery->rolled_back)) {
		if (fstat(((struct file *) file)->fd, &st) < 0)
			return SQLITE_IOERR_FSTAT;
		*ret_size = st.st_size;
	}
	return SQLITE_OK;
}

/* --- what SQLite would write ------------------------------------------------------------------------------- */

static bool make_room(struct recovery *recovery, size_t page)
{
	size_t count = recovery->page_count ? recovery->page_count : 1024;
	off_t *pages;

	while (count <= page)
		count *= 2;
	if (count == recovery->page_count)
		return true;
	pages = realloc(recovery->pages, count * sizeof(*pages));
	if (!pages)
		return false;
	memset(pages + recovery->page_count, 0, (count - recovery->page_count) * sizeof(*pages));
	recovery->pages = pages;
	recovery->page_count = count;
	return true;
}

static bool is_zero(const unsigned char *bytes, size_t length)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

/*
 * While it rolls back, SQLite writes each page as it has just read it from the journal, and a page of zeros at the end of
 * a database that has become too short (pager_playback_one_page() and pager_truncate() in its pager.c). Any other write
 * is refused.
 */
static int write_page(struct recovery *recovery, const void *bytes, size_t length, off_t offset)
{
	size_t page = (size_t) offset / length;

	if (offset % (off_t) length != 0 || (recovery->page_size && recovery->page_size != length))
		return SQLITE_IOERR_WRITE;
	if (length == recovery->last.length && memcmp(bytes, recovery->last.bytes, length) == 0) {
		if (!make_room(recovery, page))
			return SQLITE_IOERR_NOMEM;
		recovery->page_size = length;
		recovery->pages[page] = recovery->last.offset;
	} else if (offset < recovery->size || !is_zero(bytes, length))
		return SQLITE_IOERR_WRITE;
	if (offset + (off_t) length > recovery->size)
		recovery->size = offset + (off_t) length;
	return SQLITE_OK;
}

static int x_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
	struct recovery *recovery = recovery_of(file);

	if (is_database(file))
		return length > 0 ? write_page(recovery, bytes, (size_t) length, offset) : SQLITE_IOERR_WRITE;
	recovery->rolled_back |= is_journal(file);
	return is_journal(file) ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

static int x_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct recovery *recovery = recovery_of(file);

	recovery->rolled_back |= is_journal(file);
	if (is_database(file))
		recovery->size = size;
	return SQLITE_OK;
}

/* --- what else a file has ------------------------------------------------------------------------------------ */

static int x_close(sqlite3_file *file)
{
	(void) file;
	return SQLITE_OK;
}

static int x_sync(sqlite3_file *file, int flags)
{
	(void) file, (void) flags;
	return SQLITE_OK;
}

/* Nobody else sees what this connection does; database.c finds out whether a writer has come back. */
static int x_lock(sqlite3_file *file, int lock)
{
	(void) file, (void) lock;
	return SQLITE_OK;
}

static int x_check_reserved_lock(sqlite3_file *file, int *ret_locked)
{
	(void) file;
	*ret_locked = 0;
	return SQLITE_OK;
}

static int x_file_control(sqlite3_file *file, int operation, void *argument)
{
	(void) file, (void) operation, (void) argument;
	return SQLITE_NOTFOUND;
}

static int x_sector_size(sqlite3_file *file)
{
	(void) file;
	return PAGE_SIZE_MIN;
}

static int x_device_characteristics(sqlite3_file *file)
{
	(void) file;
	return 0;
}

/* --- the VFS --------------------------------------------------------------------------------------------------- */

/* No path is opened: SQLite gets the files that it was begun with, an empty one in place of any other. */
static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	static const sqlite3_io_methods methods = {
		.iVersion = 1,         /* no shared memory */
		.xClose = x_close, .xRead = x_read, .xWrite = x_write, .xTruncate = x_truncate, .xSync = x_sync,
		.xFileSize = x_file_size, .xLock = x_lock, .xUnlock = x_lock,
		.xCheckReservedLock = x_check_reserved_lock, .xFileControl = x_file_control,
		.xSectorSize = x_sector_size, .xDeviceCharacteristics = x_device_characteristics,
	};
	struct recovery *recovery = vfs->pAppData;
	int fd = -1;

	(void) name;
	if (flags & SQLITE_OPEN_MAIN_DB)
		fd = recovery->files.database;
	else if (flags & SQLITE_OPEN_MAIN_JOURNAL)
		fd = recovery->files.journal;
	else if (flags & SQLITE_OPEN_WAL)
		fd = recovery->files.log;
	*(struct file *) file = (struct file){ .base.pMethods = &methods, .recovery = recovery, .fd = fd };
	if (ret_flags)
		*ret_flags = flags & SQLITE_OPEN_WAL ? SQLITE_OPEN_WAL | SQLITE_OPEN_READONLY : flags;
	return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct recovery *recovery = vfs->pAppData;

	(void) sync;
	recovery->rolled_back |= strcmp(name, JOURNAL_NAME) == 0;
	return SQLITE_OK;
}

/*
 * A journal may name a super-journal; without that file, or with an empty one, its transaction is committed, and nothing is
 * rolled back.
 */
static int x_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_result)
{
	const struct recovery *recovery = vfs->pAppData;
	struct stat st;

	(void) flags;
	if (strcmp(name, JOURNAL_NAME) == 0)
		*ret_result = recovery->files.journal >= 0 && !recovery->rolled_back;
	else if (strcmp(name, LOG_NAME) == 0)
		*ret_result = recovery->files.log >= 0;
	else
		*ret_result = stat(name, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_size > 0);
	return SQLITE_OK;
}

static int x_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *ret_path)
{
	(void) vfs, (void) name;
	(void) sqlite3_snprintf(size, ret_path, DATABASE_NAME);
	return SQLITE_OK;
}

/* Time and random numbers come from the default VFS. */
static sqlite3_vfs vfs;

struct recovery *recovery_begin(const struct recovery_files *files, bool (*is_over)(void *userdata), void *userdata)
{
	struct recovery *recovery = xcalloc(1, sizeof(*recovery));
	struct stat st;

	recovery->files = *files;
	recovery->is_over = is_over;
	recovery->userdata = userdata;
	if (fstat(files->database, &st) == 0)
		recovery->size = st.st_size;
	vfs = *sqlite3_vfs_find(NULL);
	vfs.zName = RECOVERY_VFS;
	vfs.szOsFile = sizeof(struct file);
	vfs.mxPathname = PATH_SIZE;
	vfs.pAppData = recovery;
	vfs.xOpen = x_open;
	vfs.xDelete = x_delete;
	vfs.xAccess = x_access;
	vfs.xFullPathname = x_full_pathname;
	(void) sqlite3_vfs_register(&vfs, 0);
	return recovery;
}

void recovery_end(struct recovery *recovery)
{
	(void) sqlite3_vfs_unregister(&vfs);
	free(recovery->pages);
	free(recovery);
}
