/*
 * The names in a directory that is open already.
 */
#pragma once

#include <dirent.h>

/* Opens the open directory `fd` once more, from its first name on; `fd` stays open. NULL with errno set. */
DIR *directory_open(int fd);

/* The next entry but "." and "..". NULL at the end, with errno 0, and of an error, with errno set. */
const struct dirent *directory_next(DIR *directory);
