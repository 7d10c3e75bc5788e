"""What every test in Python begins with: TAP, the build, the database's owner, mounts."""

import os
import signal
import subprocess
import sys

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
OWNER = 980                      # uid and gid of the database's owner (F17); needs no entry in passwd
AS_ROOT = os.geteuid() == 0


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def umount(*arguments):
    subprocess.run(["umount", *arguments], check=True, capture_output=True)


def skip_all(reason):
    print("1..0 # SKIP " + reason)
    sys.exit(0)


class Tap:
    def __init__(self, program="left4me-generator"):
        self.count = 0
        if not os.access("%s/%s" % (BUILD, program), os.X_OK):
            print("Bail out! %s/%s is not there: run make first" % (BUILD, program))
            sys.exit(1)
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
        os.umask(0o022)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))      # so that what was made is removed

    def ok(self, good, name, detail=""):
        self.count += 1
        print("%s %d - %s" % ("ok" if good else "not ok", self.count, name.replace("#", "\\#")))
        if not good and detail:
            for line in str(detail).splitlines()[:40]:
                print("#   " + line)
        return good

    def equal(self, got, want, name):
        return self.ok(got == want, name, "got:  %r\nwant: %r" % (got, want))

    def none(self, problems, name):
        """For a check that collects what it finds wrong."""
        return self.ok(not problems, name, "\n".join(problems))

    def skip(self, name, reason):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, reason))

    def done(self):
        print("1..%d" % self.count)
