/*
 * An SQLite VFS that reads a database whose writer has crashed, in place and without writing anything: what SQLite
 * would write while it rolls a hot journal back is kept as a table of which page is where in the journal. A log
 * without its index is read like any other; SQLite keeps the index in memory. The size of the files does not matter.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* The name for sqlite3_open_v2(). The connection has to set locking_mode=EXCLUSIVE, or it cannot read a log. */
#define RECOVERY_VFS "left4me-recovery"

/* Which file to read from; they belong to the caller and must stay open. */
struct recovery_files {
	int database;
	int journal, log;              /* -1: there is none */
};

struct recovery;

/*
 * Registers the VFS for one connection to these files. `is_over` is called with `userdata` before each read of the
 * journal or the log and says whether to give up; SQLite then fails with SQLITE_INTERRUPT. For one recovery at a time.
 */
struct recovery *recovery_begin(const struct recovery_files *files, bool (*is_over)(void *userdata), void *userdata);

/* After the connection is closed. */
void recovery_end(struct recovery *recovery);
