#!/usr/bin/python3
"""bystander.py UNTIL: what a host's other users wait for while somebody attacks it. Measures until the file UNTIL is there.

One line for each thing that is tried: NAME COUNT MEDIAN WORST, in milliseconds. What fails or does not end in a minute counts
as 60000. tests/system/bystander.sh prepares the units and rules and judges.
"""
import os
import select
import shutil
import statistics
import subprocess
import sys
import time

PLACE = "/run/bystander"
PATIENCE = 60
LOGIN = ["su", "-l", "other", "-c", "true"]
# script(1) is the quicker of the two; the packages of a Debian 14 here come without it.
ON_TERMINAL = ["script", "-qec", " ".join(LOGIN), "/dev/null"] if shutil.which("script") else [
    sys.executable, "-c", "import pty; raise SystemExit(pty.spawn(%r) >> 8)" % LOGIN]
ATTEMPTS = {
    "start": ["systemctl", "start", "bystander-oneshot.service"],
    "sudo": ["runuser", "-u", "other", "--", "sudo", "-n", "/usr/bin/true"],
    "login": ON_TERMINAL,
    "log": ["logger", "-t", "bystander", "hello"],
}


def timed(function):
    begin = time.monotonic()
    try:
        good = function()
    except (OSError, subprocess.SubprocessError):
        good = False
    return (time.monotonic() - begin) * 1000 if good else PATIENCE * 1000


def run(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          timeout=PATIENCE, check=False).returncode == 0


class Service:
    """bystander.service says in a FIFO, each time it starts, which process it is."""

    def __init__(self):
        self.fifo = os.open(f"{PLACE}/fifo", os.O_RDWR)
        subprocess.run(["systemctl", "restart", "bystander.service"], check=True, timeout=PATIENCE)
        self.pid = self.started()

    def started(self):
        if not select.select([self.fifo], [], [], PATIENCE)[0]:
            raise OSError("does not come back")
        return int(os.read(self.fifo, 100).split()[-1])

    def restart(self):
        os.kill(self.pid, 9)
        self.pid = self.started()
        return True


def main():
    until = sys.argv[1]
    service = Service()
    took = {name: [] for name in ["restart", *ATTEMPTS]}
    while True:
        took["restart"].append(timed(service.restart))
        for name, command in ATTEMPTS.items():
            took[name].append(timed(lambda command=command: run(command)))
        if os.path.exists(until):
            break
        time.sleep(0.2)
    for name, times in took.items():
        print(f"{name} {len(times)} {statistics.median(times):.0f} {max(times):.0f}")


main()
