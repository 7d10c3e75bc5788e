/*
 * What left4me-overlay says and how it ends. Failures go to stderr, everything goes to the journal with
 * fields to search for; where stderr already is the journal, each message is shown there once.
 */
#pragma once

#include "base.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* MESSAGE_ID of the journal entries; left4me-overlay(8) lists them. */
#define MESSAGE_MOUNTED "d5195222da6b4f15b317c515c7d1cdab"
#define MESSAGE_UNMOUNTED "9094f5426db14d66806ccab9664dc36a"
#define MESSAGE_UNCHANGED "eef681f7b62b418c89b14f879a01bfdf"
#define MESSAGE_FAILED "391409fa38524c1bbdb65128dfa98d92"

/* Fields of every later entry: LEFT4ME_INSTANCE= and, unless NULL, LEFT4ME_LAYERS=. Kept, not copied. */
void say_about(const char *instance, const char *layers);

/* To be called in PID 1's mount namespace: from now on /run/systemd is the host's. */
void say_to_journal(void);

/* One informational entry in the journal. */
void say(const char *message_id, const char *format, ...) PRINTF_LIKE(2, 3);

/* The only way out of a failure: one line, with the text of `error` unless that is 0, then exit(status). */
_Noreturn void die(int status, int error, const char *format, ...) PRINTF_LIKE(3, 4);

/* Whatever may block for long (flock, a stuck journal) gives EINTR after `seconds`; 0 ends that. */
void deadline(unsigned seconds);
