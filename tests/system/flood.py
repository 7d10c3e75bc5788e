#!/usr/bin/python3
"""flood.py SIZE: lines of SIZE random characters, as fast as they are taken."""
import base64
import os
import sys

size = int(sys.argv[1])
while True:
    line = memoryview(b"flood " + base64.b64encode(os.urandom(size))[:size - 6] + b"\n")
    while line:
        line = line[os.write(1, line):]
