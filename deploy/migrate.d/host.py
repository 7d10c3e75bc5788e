"""A host, or a tree of one below a prefix: reading without changing anything, and what is found."""
import os
import re
import stat
import sys

GENERATOR_DIRS = ("/etc/systemd/system-generators", "/usr/local/lib/systemd/system-generators",
                  "/usr/lib/systemd/system-generators")
KEPT = "/var/backups/left4me-migration"
DEEPEST = 200

# The headings of the script: when one part fails, nothing of a later one has happened.
PHASES = {
    "hand": "By hand, before anything else",
    "owners": "Files that their user could not use, and the application's migration neither",
    "try": "Would every server come back? Until here nothing that runs has been touched",
    "keep": "Keep what is going to be replaced",
    "stop": "Stop what the new units cannot take over",
    "state": "Below the state directory: as its user, or without following a link",
    "install": "Install",
    "remove": "Remove what would win over the new units, or start what the database does not say",
    "start": "Start",
    "after": "Once all runs",
    "check": "Check",
}


def quote(text):
    """One word, printable, and never more than a word: neither to bash nor to a shell that has no $'...'."""
    raw = os.fsencode(text)
    if re.fullmatch(rb"[A-Za-z0-9_@%+=:,./-]+", raw):
        return text
    if re.fullmatch(rb"[ -~]*", raw) and b"'" not in raw:
        return f"'{text}'"
    return "$'" + "".join(chr(c) if 32 <= c < 127 and c not in b"'\\" else f"\\{c:03o}" for c in raw) + "'"


def settings(text):
    """What a unit says, comparable as in `check`: by section and key, values of one key in order, no [Install]."""
    section, found = "", []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line
        elif line and line[0] not in "#;" and section != "[Install]":
            found.append((section, line.split("=")[0], line))
    return sorted(found, key=lambda setting: setting[:2])


class Host:
    def __init__(self, prefix):
        self.prefix = prefix
        self.steps = {phase: [] for phase in PHASES}
        self.keep = set()                 # paths of root's that are changed or removed
        self.unseen = []                  # places that could not be looked at
        self.enabled, self.running, self.stopped = set(), set(), set()      # names of servers
        self.active = []                  # other units of ours that run
        self.replaces = False             # more than links and drop-ins
        self.sudoers = False
        self.unmounts = False
        self.system_cpus = None
        self.configure()

    # --- what is found ----------------------------------------------------------------------------------------------

    def add(self, phase, place, why, *commands, keep=False):
        self.steps[phase].append((place, why, commands))
        if keep:
            self.keep.add(place)

    def remove(self, path, why):
        self.add("remove", path, why, f"rm -f -- {quote(path)}", keep=True)

    def has(self, *phases):
        return any(self.steps[phase] for phase in phases)

    # --- reading: what cannot be looked at is remembered ------------------------------------------------------------

    def blind(self, path, error):
        self.unseen.append(f"{quote(path)}: {error.strerror}")

    def attempt(self, what, path):
        try:
            return what(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.blind(path, error)
            return None

    def read(self, path):
        """A file's text, "" when it is a device as a mask is. A link is followed, as systemd follows it."""
        def regular(name):
            with open(os.open(self.prefix + name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
                return file.read(1 << 20) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
        raw = self.attempt(regular, path)
        return None if raw is None else os.fsdecode(raw)

    def lstat(self, path):
        return self.attempt(lambda name: os.lstat(self.prefix + name), path)

    def names(self, path):
        return sorted(self.attempt(lambda name: os.listdir(self.prefix + name), path) or ())

    # --- below the state directory, where whoever is its user may have put anything: no link is followed ---------------

    def open_beneath(self, path):
        flags = os.O_RDONLY | os.O_DIRECTORY
        directory = os.open(self.prefix + self.state, flags)
        for part in filter(None, path[len(self.state):].split("/")):
            above = directory
            try:
                directory = os.open(part, flags | os.O_NOFOLLOW, dir_fd=above)
            finally:
                os.close(above)
        return directory

    def walk(self, path, visit, deepest=None):
        """visit(name to ask /proc for, path, stat) of each file below PATH, not on other file systems, until it is true."""
        directory = self.attempt(self.open_beneath, path)
        if directory is None:
            return
        try:
            self.walk_in(directory, path, visit, deepest, 1)
        finally:
            os.close(directory)

    def walk_in(self, directory, path, visit, deepest, depth):
        device = os.fstat(directory).st_dev
        for name in self.attempt(lambda _: sorted(os.listdir(directory)), path) or ():
            place = f"{path}/{name}"
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if visit(f"/proc/self/fd/{directory}/{name}", place, status):
                    return True
                if not stat.S_ISDIR(status.st_mode) or status.st_dev != device or depth == deepest:
                    continue
                if depth == DEEPEST:
                    raise OSError(0, "is too deep")
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.blind(place, error)
                continue
            try:
                if self.walk_in(below, place, visit, deepest, depth + 1):
                    return True
            finally:
                os.close(below)
        return False

    # --- configuration: of the generator's rules only what is needed here ------------------------------------------------

    def configure(self):
        value = {"root": "/var/lib/left4me", "user": "left4me", "group": "left4me"}
        for file in ("/etc/left4me/host.env", "/etc/left4me/web.env"):
            for key, start in (("root", "LEFT4ME_ROOT="), ("database", "DATABASE_URL=[\"']?sqlite(?:\\+\\w+)?:///")):
                for found in re.findall(rf"^{start}[\"']?(/[\w./-]+)", self.read(file) or "", re.M):
                    value[key] = found
        directory = "/etc/left4me/left4me.conf.d"
        files = ["/etc/left4me/left4me.conf"] + [f"{directory}/{name}" for name in self.names(directory) if name.endswith(".conf")]
        text = "\n".join(self.read(file) or "" for file in files)
        for key, found in re.findall(r"^(root|database|user|group|system_cpus)\s*=\s*([\w./,-]+)\s*$", text, re.M):
            value[key] = found
        self.state, self.user, self.group = value["root"], value["user"], value["group"]
        self.database = value.get("database", self.state + "/left4me.db")
        self.reserves_cpus = "system_cpus" in value
        entry = re.search(rf"^{re.escape(self.user)}:[^:]*:(\d+):[^:]*:[^:]*:([^:]*):", self.read("/etc/passwd") or "", re.M)
        self.uid = int(entry[1]) if entry else 980
        self.home = entry[2] if entry else "/nonexistent"
        programs = [f"{directory}/left4me-generator" for directory in GENERATOR_DIRS]
        self.generator = next((path for path in programs if self.lstat(path)), None)

    def note(self, text):
        print(f"migrate-check: {text}", file=sys.stderr)
