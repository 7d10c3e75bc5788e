"""Which system calls the helper makes, for those who kill it at each."""
import os
import re


def calls(log, run):
    """(name, how many of that name so far) of each call in order, from its entering PID 1's mount namespace on. `run` is given the
    words of a tracer that writes to `log`."""
    run(("strace", "-o", log))
    seen, found, inside = {}, [], False
    with open(log) as lines:
        for name in re.findall(r"^(\w+)\(", lines.read(), re.M):
            seen[name] = seen.get(name, 0) + 1
            inside |= name == "pidfd_open"
            if inside and name != "exit_group":
                found.append((name, seen[name]))
    os.unlink(log)
    return found
