/*
 * Messages of left4me-overlay. Failures go to stderr; all messages of mount and umount go to the journal, with
 * fields to search for. Where stderr is the journal, a failure is written there once.
 */
#pragma once

#include "base.h"

/* What every line on stderr begins with. */
#define PROGRAM "left4me-overlay"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Of build, commit and discard instead of EXIT_FAILED, since their unit also runs a script. Above those of systemd.exec(5). */
enum { EXIT_BUILD = 251, EXIT_COMMIT = 252, EXIT_DISCARD = 253 };

/* MESSAGE_ID= of the journal entries. left4me-overlay(8) lists them, so they must not change. */
#define MESSAGE_MOUNTED "d5195222da6b4f15b317c515c7d1cdab"
#define MESSAGE_UNMOUNTED "9094f5426db14d66806ccab9664dc36a"
#define MESSAGE_UNCHANGED "eef681f7b62b418c89b14f879a01bfdf"
#define MESSAGE_FAILED "391409fa38524c1bbdb65128dfa98d92"

/*
 * Sets the fields LEFT4ME_INSTANCE= and LEFT4ME_LAYERS= of all later entries; NULL means no such field. The strings
 * are not copied and must stay until they are replaced.
 */
void say_about(const char *instance, const char *layers);

/*
 * From now on messages go to the journal, if it runs. Call it in PID 1's mount namespace, where /run/systemd is the
 * host's.
 */
void say_to_journal(void);

/* Writes one entry of level info to the journal, none elsewhere. Failure to write it is ignored. */
void say(const char *message_id, const char *format, ...) PRINTF_LIKE(2, 3);

/* From now on die(EXIT_FAILED, ...) exits with this status. */
void fail_with(int status);

/* Reports a failure in one line, which ends in the text of `error` (an errno value) unless that is 0; exits. */
_Noreturn void die(int status, int error, const char *format, ...) PRINTF_LIKE(3, 4);

/* After `seconds`, blocking system calls such as flock(2) fail with EINTR, again each second; 0 ends that. */
void deadline(unsigned seconds);
