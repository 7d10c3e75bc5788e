#!/usr/bin/python3
"""flood.py SIZE SECONDS: lines of SIZE random characters, as fast as they are taken."""
import base64
import os
import sys
import time

size, end = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    line = memoryview(b"flood " + base64.b64encode(os.urandom(size))[:size - 6] + b"\n")
    while line:
        line = line[os.write(1, line):]
time.sleep(100)
