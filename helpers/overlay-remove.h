/*
 * Removes a directory and all that is in it, however deep, with the rights that the caller has.
 */
#pragma once

/*
 * Removes the file or directory `name` in the open directory. Enters no other mount and follows no link. Nothing
 * may be there: that is success. Returns 0 or -errno; what could be removed before an error is gone.
 */
int remove_tree(int directory, const char *name);
