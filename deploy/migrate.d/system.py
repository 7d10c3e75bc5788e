"""What the helper scripts left in /etc and /usr/local: units, drop-ins, links, sudo rules, programs, settings."""
import re

from host import quote, settings

UNIT_DIRS = ("/etc/systemd/system", "/usr/local/lib/systemd/system")
GENERATED = "/run/systemd/generator"
UNITS = ("build-overlay@.service", "l4d2-build.slice", "l4d2-game.slice", "l4d2.slice", "left4me-server@.service",
         "left4me-web.service", "left4me-workshop-refresh.service", "left4me-workshop-refresh.timer")
UNIT = re.compile(r"(left4me-server@[^/]*|build-overlay@[^/]*|left4me-web|left4me-workshop-refresh)\.(service|timer)")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
SERVER = re.compile(rf"left4me-server@({NAME.pattern})\.service")
HELPERS = ("left4me-journalctl", "left4me-script-sandbox", "left4me-systemctl")
REPLACED = ("left4me-fetch-script", "left4me-overlay")         # scripts then, programs now
HELPER_DIRS = ("/usr/local/libexec/left4me", "/usr/local/libexec", "/usr/local/sbin")
OF_OLD = re.compile(r"instance\.env|L4D2_LOWERDIRS|nsenter|left4me-(journalctl|script-sandbox|systemctl)")
STUB = "@includedir /run/left4me/sudoers.d"


def is_generated(host, name, path):
    """Does the generator write the same? Then configuration management has it from there."""
    ours, theirs = host.read(f"{GENERATED}/{name}"), host.read(path)
    return ours is not None and theirs is not None and settings(ours) == settings(theirs)


def look_at_units(host):
    for directory in UNIT_DIRS:
        for name in host.names(directory):
            path = f"{directory}/{name}"
            if name.endswith((".wants", ".requires")):
                look_at_links(host, path)
            elif name.endswith(".d"):
                look_at_drop_ins(host, directory, name)
            elif name in UNITS:
                look_at_unit(host, name, path)
            elif UNIT.fullmatch(name) and OF_OLD.search(host.read(path) or ""):
                host.remove(path, "a unit made for the helper scripts")


def look_at_unit(host, name, path):
    if host.read(path) == "" or is_generated(host, name, path):      # "": a mask, which is a wish
        return
    if path.startswith("/etc"):
        host.remove(path, "a unit of the helper scripts, wins over the generator's")
    elif host.lstat(f"{GENERATED}/{name}"):
        host.remove(path, "differs from the generator's unit of that name, which wins")
        return
    else:
        host.remove(path, "a unit of the helper scripts")
    host.replaces |= not name.endswith(".slice")


def look_at_links(host, directory):
    for name in host.names(directory):
        if UNIT.fullmatch(name):
            host.remove(f"{directory}/{name}", "starts it whatever the database says: enabled is a column now")
            if SERVER.fullmatch(name):
                host.enabled.add(SERVER.fullmatch(name)[1])


def look_at_drop_ins(host, parent, directory):
    unit = directory[:-2]
    for name in host.names(f"{parent}/{directory}"):
        path = f"{parent}/{directory}/{name}"
        text = host.read(path) or ""
        same = is_generated(host, f"{directory}/{name}", path)
        if unit in ("system.slice", "user.slice"):
            if re.search("left4me|l4d2|cpuset", name) and "AllowedCPUs=" in text and not same:
                host.remove(path, "CPUs reserved by hand: [host] system_cpus does that now")
                reserve_cpus(host, text)
        elif not UNIT.fullmatch(unit):
            continue
        elif name == "10-hardening.conf":
            if parent.startswith("/etc"):
                host.remove(path, "replaces the generator's drop-in of that name, silently")
            elif not same:
                host.remove(path, "hardening of the helper scripts' units")
        elif OF_OLD.search(text):
            host.remove(path, "a drop-in made for the helper scripts")


def reserve_cpus(host, text):
    cpus = re.findall(r"^AllowedCPUs=([0-9][0-9 ,-]*)$", text, re.M)
    if cpus and not host.reserves_cpus:
        host.system_cpus = re.sub("[ ,]+", ",", cpus[-1].strip())


def look_at_sudoers(host):
    directory = "/etc/sudoers.d"
    of_ours = re.compile(rf"(Defaults[:@>!]|%)?{re.escape(host.user)}\b|Cmnd_Alias\b|{re.escape(STUB)}$")
    for name in host.names(directory):
        path = f"{directory}/{name}"
        lines = [line.strip() for line in (host.read(path) or "").replace("\\\n", " ").splitlines()]
        lines = [line for line in lines if line and (line[0] != "#" or line.startswith("#include"))]
        old = [line for line in lines if re.match(rf"%?{re.escape(host.user)}\s", line) or OF_OLD.search(line)]
        if lines == [STUB] or (name != "left4me" and not old):
            continue
        host.sudoers = host.replaces = True
        if not all(of_ours.match(line) for line in lines):
            message = f"migrate-check: {path}: move the rules that are not {host.user}'s to a file of their own (visudo -f)"
            host.add("hand", path, "has rules of others beside the old ones", f"echo {quote(message)} >&2", "exit 1")
        elif name == "left4me":
            # By rename: sudo never meets half a file, and passes over a name with a dot.
            new = f"{directory}/.left4me.new"
            host.add("remove", path, "rules for the helper scripts", f"printf '%s\\n' '{STUB}' >{new}", f"chmod 0440 {new}",
                     f"mv -fT {new} {path}", keep=True)
        else:
            host.remove(path, "rules for the helper scripts")


def look_at_helpers(host):
    for directory in HELPER_DIRS:
        for path in (f"{directory}/{name}" for name in HELPERS):
            if host.lstat(path):
                host.remove(path, "a helper script; nothing calls it any more")
                host.replaces = True
        for path in (f"{directory}/{name}" for name in REPLACED):
            if (host.read(path) or "").startswith("#!"):
                # Installing may have put the program of that name in its place.
                host.add("remove", path, "a helper script, where it still is one",
                         f"[ \"$(head -c 2 {path} 2>&1)\" != '#!' ] || rm -f -- {path}", keep=True)
                host.replaces = True


def look_at_settings(host):
    old, file = "/etc/sysctl.d/99-left4me.conf", "lib/sysctl.d/99-left4me.conf"
    ours = host.read(f"/usr/local/{file}") or host.read(f"/usr/{file}") or ""
    if host.lstat(old) and settings(host.read(old) or "") != settings(ours):
        host.remove(old, "replaces the file of that name that is installed now")
    for path in ("/etc/left4me/host.env", "/etc/left4me/web.env"):
        status = host.lstat(path)
        if status and (status.st_mode & 0o027 or (status.st_uid != 0 and not host.prefix)):
            host.add("owners", path, f"is to be 0640 root:{host.group}, else the generator refuses it or others read it",
                     f"chown root:{host.group} {path}", f"chmod 0640 {path}")


def look(host):
    look_at_units(host)
    look_at_sudoers(host)
    look_at_helpers(host)
    look_at_settings(host)
