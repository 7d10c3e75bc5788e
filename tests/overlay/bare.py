"""bare.py PROGRAM ARGUMENT...: runs it without standard descriptors, prints its exit status."""
import os
import sys

child = os.fork()
if child == 0:
    os.closerange(0, 3)
    os.execv(sys.argv[1], sys.argv[1:])
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
