/* What the targets share. A broken expectation ends the process, as libFuzzer wants it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base.h"

/* A target. Called again and again in one process: leaves nothing behind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer's own random change of the first `size` of `max` bytes; returns the new size. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* Instead of libFuzzer's change alone, where a target defines it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);
#define EXPECT(condition, ...) ((condition) ? (void) 0 : fuzz_fail(__FILE__, __LINE__, __VA_ARGS__))

/* A folder of this process in memory, made at the first call and removed at the end. */
const char *fuzz_folder(void);

/* Writes a file, which is made or emptied first. */
void fuzz_write(const char *path, const void *bytes, size_t length);

/* The number of the next descriptor: the same before and after, or one was left open. */
int fuzz_next_descriptor(void);
