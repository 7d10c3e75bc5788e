#!/usr/bin/env python3
"""
How many rows get units ([host] servers and overlays, left4me.conf(5)), and what stays when their files do not fit. A table may
be as long as its application likes; the host boots, keeps what its configuration alone says, and can stop what runs.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from unitfile import *  # noqa: E402,F403
from views import *  # noqa: E402,F403

tap = Tap()
box = Box()
SUDOERS = "left4me/sudoers.d/left4me"


def host(rows, config=""):
    box.make_clean()
    box.config(config)
    box.database(rows)


def units(prefix):
    return sorted(name for name in os.listdir(box.normal) if name.startswith(prefix) and "@." not in name)


def instances(count, arguments=""):
    return [instance("s%05d" % i, 1024 + i, arguments) for i in range(count)]


def rules():
    with open(box.run_dir + "/" + SUDOERS, encoding="utf-8") as file:
        return file.read()


ALL_PORTS = "[game]\nports = 1024-65535\n"

# The defaults
host(Rows(instances(257), overlays=[overlay(i, script="echo") for i in range(1, 1002)]), ALL_PORTS)
result = box.generate()
tap.equal((result.status, len(units("left4me-server@")), len(units("build-overlay@"))), (0, 256, 1000),
          "256 servers and 1000 overlays")
tap.equal(box.report(),
          ["generator_instances: beyond [host] servers = 256: no unit and no rule for 1 of 257: s00256",
           "generator_overlays: beyond [host] overlays = 1000: no unit and no rule for 1 of 1001: 1001"],
          "a line for each view says how many and which")
tap.ok("s00255" in rules() and "s00256" not in rules() and "@1001." not in rules(), "and no rule names them")

# What runs keeps its stop rule
os.makedirs(box.run_dir + "/systemd/units", exist_ok=True)
os.symlink("0" * 32, box.run_dir + "/systemd/units/invocation:left4me-server@s00256.service")
box.generate()
tap.equal(sorted(line.split("NOPASSWD: ")[1] for line in rules().splitlines() if "s00256" in line),
          ["/usr/bin/journalctl --no-pager -a -o json -n 200 -u left4me-server@s00256.service",
           "/usr/bin/journalctl --no-pager -a -o json -n 200 -u left4me-server@s00256.service -f",
           "/usr/bin/journalctl --no-pager -a -o json -n all -u left4me-server@s00256.service -f",
           "/usr/bin/systemctl stop left4me-server@s00256.service"], "what runs beyond the limit can be stopped and read")

# One row more or less
for count, refused in ((2, 0), (3, 1)):
    host(Rows(instances(count)), ALL_PORTS + "[host]\nservers = 2\n")
    result = box.check()
    tap.equal((result.status, len([m for m in lines(result.out) if "beyond" in m])), (min(refused, 1), refused),
              "check with %d of 2 servers" % count)

# Out of all proportion: unreadable, so that the last good rows serve
host(Rows(instances(20)), ALL_PORTS + "[host]\nservers = 2\n")
box.generate()
tap.equal(units("left4me-server@"), ["left4me-server@s00000.service", "left4me-server@s00001.service"], "ten times as many: two count")
box.database(Rows(instances(21)))
result = box.generate()
tap.equal((result.status, units("left4me-server@")), (0, ["left4me-server@s00000.service", "left4me-server@s00001.service"]),
          "one more: the units are those of the last good rows")
tap.ok(any("view generator_instances: has 21 rows, more than 10 times [host] servers = 2; the rows of" in line for line in box.report()),
       "and the report says why", "%r" % box.report())

# The files of rows have a budget: 5000 servers of the longest arguments, every word of which is a character that has to be
# escaped, and all overlays beside them
host(Rows(instances(1)), ALL_PORTS)
box.generate()
before, hosts_own = rules(), {n for n in os.listdir(box.normal) if "@s0" not in n}
host_rows = Rows(instances(5000, '" ' * 2047 + '"'), overlays=[overlay(i, "o" * 200, "echo") for i in range(1, 10001)])
box.config(ALL_PORTS + "[host]\nservers = 5000\noverlays = 10000\n")
box.database(host_rows)
result = box.generate()
tap.equal((result.status, {n for n in os.listdir(box.normal) if not n.endswith(".wants")}),
          (1, {n for n in hosts_own if not n.endswith(".wants")}), "beyond the budget: status 1, the host's own units")
tap.equal(rules(), before, "the sudo rules are those of the run before")
tap.ok(any(re.search(r"(left4me-server@s\d{5}|build-overlay@\d+)\.service: does not fit: the files of all rows would take more than 96 MiB", line)
           for line in box.report()), "and the report says why", "%r" % box.report()[-2:])

tap.done()
