/*
 * The rights of another user, for work on file systems alone: that user cannot signal this process, which stays
 * root's.
 */
#pragma once

#include <stdint.h>

/*
 * From now on files are looked up, made and removed with the file system uid and gid of the owner of the open
 * directory, and with those of `capabilities` (a mask of 1 << CAP_...) that this process has. Dies of an error.
 */
void use_rights_of(int directory, uint64_t capabilities);

/* Ends that. Dies of an error. */
void use_own_rights(void);
