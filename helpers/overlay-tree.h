/*
 * Walks below upper and work, by descriptors and single names, so that no symbolic link is ever followed.
 */
#pragma once

/*
 * Dies on the first file or directory in the open directory `upper` that has a user.fuseoverlayfs.* attribute:
 * the kernel knows nothing of those, and what fuse-overlayfs had deleted would come back (S39).
 * Consumes upper; `path` is for the message.
 */
void refuse_taint(int upper, const char *path);

/* Removes the directory "work" that overlayfs leaves in the open directory `work`. Dies when that fails. */
void remove_leftover(int work, const char *path);
