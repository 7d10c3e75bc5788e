/*
 * Walks through an instance's upper and work directories, by descriptors and single names, so that no symbolic
 * link is followed.
 */
#pragma once

#include <stdbool.h>

/*
 * Dies if any file or directory in `upper` has a user.fuseoverlayfs.* attribute. fuse-overlayfs marks deleted files
 * by these; the kernel's overlayfs does not know them, and the deleted files would be back. Also dies if the walk
 * takes more than 30 s. A directory that took long once is marked, if `may_mark`, and then looked at for 100 ms only.
 * `upper` is a readable descriptor and is closed; `path` names it in messages.
 */
void refuse_taint(int upper, const char *path, bool may_mark);

/*
 * Removes the directory `work` that overlayfs leaves in the directory with descriptor `work`, which `path` names in
 * messages. Dies if it cannot be removed.
 */
void remove_leftover(int work, const char *path);
