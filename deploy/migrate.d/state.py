"""What the helper scripts left in the state directory, and what of theirs is mounted or runs."""
import os
import re
import stat

from host import PHASES, quote
from system import SERVER, UNIT, UNIT_DIRS


def as_user(host, command):
    return f"runuser -u {host.user} -- {command}"


# --- what runs and what is mounted --------------------------------------------------------------------------------------

def look_at_running(host):
    """systemd keeps a link for each unit from its start until its last command has ended."""
    for link in host.names("/run/systemd/units"):
        unit = link.partition("invocation:")[2]
        if SERVER.fullmatch(unit):
            host.running.add(SERVER.fullmatch(unit)[1])
        elif UNIT.fullmatch(unit):
            host.active.append(unit)


def look_at_mounts(host):
    table = host.read("/proc/1/mountinfo")
    if table is None:
        if host.prefix:
            host.note("no mount table in there: which servers have to be stopped is not known")
        else:
            host.blind("/proc/1/mountinfo", FileNotFoundError(0, "is not there"))
        return
    runtime = os.path.realpath(host.prefix + host.state)[len(os.path.realpath(host.prefix or "/").rstrip("/")):] + "/runtime/"
    for line in table.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, source = rest.split(" ")[:2]
        target = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields.split(" ")[4])
        match = re.fullmatch(re.escape(runtime) + "([^/]+)/merged", target)
        if match and source != f"left4me:{match[1]}" and (kind == "overlay" or kind.startswith("fuse")):
            add_mount(host, runtime + match[1], match[1], kind)


def add_mount(host, place, name, kind):
    stop, why = [], f"a mount ({quote(kind)}) of the helper scripts"
    if name in host.running:
        host.stopped.add(name)
        stop = [f"systemctl stop left4me-server@{name}.service"]
        why += f": left4me-server@{name}.service must be stopped"
    host.unmounts = True
    host.add("stop", f"{place}/merged", why, *stop, f"unmount {quote(host.state)} {quote(name)}")


# --- owners -------------------------------------------------------------------------------------------------------------

def look_at_database(host):
    for path in [host.state] + [host.database + suffix for suffix in ("", "-journal", "-shm", "-wal")]:
        status = host.lstat(path)
        if status and status.st_uid != host.uid:
            host.add("owners", path, f"is owned by {status.st_uid}, not by {host.user}: the web application cannot write",
                     f"chown -h {host.user}:{host.group} -- {quote(path)}")
        if status and path == host.database and stat.S_ISREG(status.st_mode) and status.st_mode & 0o027:
            host.add("owners", path, "others may read or write it", as_user(host, f"chmod 0640 -- {quote(path)}"))


def look_at_owners(host, part, deepest=None):
    path, others = f"{host.state}/{part}", []
    host.walk(path, lambda _, place, status: others.append(place) if status.st_uid != host.uid else None, deepest)
    if others:
        more = f", and {len(others) - 1} more below {quote(path)}" if len(others) > 1 else ""
        # -execdir changes what it has found, however directories are exchanged meanwhile.
        depth = f" -maxdepth {deepest}" if deepest else ""
        host.add("state", others[0], f"is not owned by {host.user}{more}",
                 f"find -P {quote(path)} -xdev -mindepth 1{depth} ! -user {host.user} "
                 f"-execdir chown -h {host.user}:{host.group} -- {{}} +")


# --- layers that fuse-overlayfs has written ------------------------------------------------------------------------------

def first_tainted(host, instance):
    found = []

    def visit(name, place, _):
        try:
            attributes = os.listxattr(name, follow_symlinks=False)
        except OSError as error:
            host.blind(place, error)
            return False
        if any(attribute.startswith("user.fuseoverlayfs.") for attribute in attributes):
            found.append(place)
        return bool(found)

    host.walk(instance, lambda name, place, status: place == f"{instance}/upper" and visit(name, place, status), 1)
    if not found:
        host.walk(f"{instance}/upper", visit)
    return found[0] if found else None


def free_name(host, path):
    number = 1
    while host.lstat(f"{path}.before-{number}"):
        number += 1
    return f"{path}.before-{number}"


def look_at_uppers(host):
    instances = []

    def visit(_, place, status):
        if stat.S_ISDIR(status.st_mode):
            instances.append(place)

    host.walk(f"{host.state}/runtime", visit, 1)
    for instance in instances:
        tainted = first_tainted(host, instance)
        if tainted:
            parts = [f"{instance}/{part}" for part in ("upper", "work") if host.lstat(f"{instance}/{part}")]
            host.add("state", tainted, "has an attribute of fuse-overlayfs, what was deleted there would be back: "
                     "the layer goes aside, take from it what you miss",
                     *(as_user(host, f"mv -nT -- {quote(part)} {quote(free_name(host, part))}") for part in parts))


# --- instance.env -------------------------------------------------------------------------------------------------------

def instance_files(host):
    """Where the old units say that they are, and where they are known to have been."""
    patterns = {f"{host.state}/instances/%i/instance.env", f"{host.state}/runtime/%i/instance.env"}
    for directory in UNIT_DIRS:
        text = host.read(f"{directory}/left4me-server@.service") or ""
        patterns.update(re.findall(r"^EnvironmentFile=-?(/[\w./-]+/%i/[\w.-]+)$", text, re.M))
    for pattern in sorted(patterns):
        parent, file = pattern.split("/%i/")
        if not pattern.startswith(host.state + "/"):
            for name in host.names(parent):
                if host.lstat(f"{parent}/{name}/{file}"):
                    yield f"{parent}/{name}/{file}"
            continue
        found = []
        host.walk(parent, lambda _, place, status: found.append(place) if place.count("/") == pattern.count("/")
                  and place.endswith("/" + file) else None, 2)
        yield from found


def look_at_instance_files(host):
    for path in instance_files(host):
        why = "nothing reads it any more: the database says it all"
        if path.startswith(host.state + "/"):
            host.add("after", path, why, as_user(host, f"mv -fT -- {quote(path)} {quote(path + '.before')}"))
        else:
            host.add("after", path, why, f"rm -f -- {quote(path)}", keep=True)


# --- the user's home ------------------------------------------------------------------------------------------------------

def user_runs(host):
    for name in host.names("/proc"):
        try:
            with open(f"{host.prefix}/proc/{name}/status", encoding="ascii", errors="replace") as status:
                if name.isdecimal() and re.search(rf"^Uid:.*\b{host.uid}\b", status.read(), re.M):
                    return True
        except OSError:        # it has ended
            pass
    return False


def look_at_home(host):
    """Last, since it asks what else is found: what runs is stopped for something else, never for this."""
    if host.home != host.state and not host.home.startswith(host.state + "/"):
        return
    change, when = f"usermod --home /nonexistent {host.user}", f"once nothing of {host.user} runs"
    why = f"{host.user} can write its home {quote(host.home)}: sshd would take keys from there, its systemd would run units"
    if user_runs(host) and not host.has(*PHASES):
        host.note(f"/etc/passwd: {why}; {when}: {change}")
        return
    # Some servers may run on.
    host.add("install", "/etc/passwd", why,
             f"if cat /proc/[0-9]*/status 2>/dev/null | grep -q \"^Uid:.*\\<$(id -u {host.user})\\>\"; then",
             f"\techo {quote(f'migrate-check: note: {when}: {change}')} >&2",
             "else", f"\t{change}", "fi")


def look(host):
    look_at_running(host)
    look_at_mounts(host)
    look_at_database(host)
    look_at_owners(host, "overlays")
    look_at_owners(host, "runtime", 2)
    look_at_uppers(host)
    look_at_instance_files(host)
    look_at_home(host)
