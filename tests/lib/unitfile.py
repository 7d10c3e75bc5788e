"""
Reads back what left4me-generator writes, and what the tests written in Python share.

The first half is a parser of its own for unit files, after systemd.syntax(7), systemd.unit(5), systemd.service(5)
and systemd.exec(5) as systemd 257 implements them, and for the sudoers rules of this project. It shares nothing
with the generator and is strict: what systemd would ignore with a warning is Malformed here. The second half is a
throw-away host (Box), the database that a row of a test table describes, and TAP.
"""

import atexit
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

# ---------------------------------------------------------------------------------------------------------------------
# Unit files


class Malformed(Exception):
    """systemd would warn about this text, ignore part of it, or read something else than what stands there."""


WHITESPACE = " \t\n\r"
LINE_MAX = 1024 * 1024
SIMPLE_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34, "'": 39, "s": 32}


def logical_lines(data):
    """Lines as systemd joins them: a trailing backslash continues a line, comments inside of it are dropped."""
    for odd, name in ((b"\0", "NUL"), (b"\r", "carriage return")):
        if odd in data:
            raise Malformed("%s in a unit file: systemd ends a line there" % name)
    if b"\n\xef\xbb\xbf" in b"\n" + data:      # config_parse() in conf-parser.c; elsewhere it is text
        raise Malformed("byte order mark at the start of a line: systemd skips it")
    if data and not data.endswith(b"\n"):
        raise Malformed("no newline at the end")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("invalid UTF-8: %s" % error)
    continued = ""
    for line in text.split("\n")[:-1]:
        if len(line.encode()) >= LINE_MAX:
            raise Malformed("line too long")
        bare = line.lstrip(WHITESPACE)
        if bare[:1] in ("#", ";"):
            continue
        line = continued + bare
        backslashes = len(line) - len(line.rstrip("\\"))
        if backslashes % 2:
            continued = line[:-1] + " "
            continue
        continued = ""
        yield line.strip(WHITESPACE)
    if continued:
        raise Malformed("the last line is continued into nothing: %r" % continued)


def parse(data):
    """[(section, key, value)] of a unit file, in order."""
    section = None
    entries = []
    for line in logical_lines(data):
        if not line:
            continue
        if line[0] == "[":
            if not re.fullmatch(r"\[[A-Z][A-Za-z]*\]", line):
                raise Malformed("bad section line: %r" % line)
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        if not equals or section is None or not re.fullmatch(r"[A-Z][A-Za-z0-9]*", key):
            raise Malformed("neither section, Key=Value nor comment: %r" % line)
        if re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f]", value):
            raise Malformed("control character in a value: %r" % line)
        entries.append((section, key, value.strip(WHITESPACE)))
    return entries


def values(entries, key):
    """Every value of a key, in order; an empty assignment resets the list, as systemd does it."""
    found = []
    for _, k, value in entries:
        if k == key:
            found = found + [value] if value else []
    return found


def keys(entries):
    return [(section, key) for section, key, _ in entries]


def unit_specifiers(unit):
    """What %-specifiers mean in a unit of that name; those that nobody here may use are left out."""
    stem = unit.rpartition(".")[0]
    prefix, _, instance = stem.partition("@")
    return {"i": instance, "I": instance, "n": unit, "N": stem, "p": prefix, "P": prefix, "%": "%"}


def expand_specifiers(text, unit):
    table = unit_specifiers(unit)

    def replace(match):
        if match.group(1) not in table:
            raise Malformed("specifier %r in %r" % (match.group(0), text))
        return table[match.group(1)]

    return re.sub(r"(?s)%(.?)", replace, text)


def unescape(text, at):
    """One C escape after its backslash: the character and where reading goes on."""
    c = text[at]
    if c in SIMPLE_ESCAPES:
        return chr(SIMPLE_ESCAPES[c]), at + 1
    for pattern, base in ((r"x([0-9a-fA-F]{2})", 16), (r"u([0-9a-fA-F]{4})", 16), (r"U([0-9a-fA-F]{8})", 16),
                          (r"([0-3][0-7]{2})", 8)):
        match = re.compile(pattern).match(text, at)
        if match and int(match.group(1), base):
            return chr(int(match.group(1), base)), match.end()
    raise Malformed("unknown escape \\%s in %r" % (c, text))


def first_word(text, at, c_escapes, relaxed=False):
    """
    The next word from `at`, unquoted: (word, position after it), or (None, length) at the end. Quotes may open
    anywhere in a word; a backslash escapes inside and outside of both kinds of quotes. With c_escapes `\\n` is a
    newline and an unknown escape an error (unit files), without it the backslash just goes ($VAR being split).
    relaxed: an unbalanced quote or a backslash at the end is no error.
    """
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    if at == len(text):
        return None, at
    word, quote = "", None
    while at < len(text):
        c = text[at]
        at += 1
        if c == "\\":
            if at == len(text):
                if relaxed:
                    return word, at
                raise Malformed("backslash at the end of %r" % text)
            if c_escapes:
                c, at = unescape(text, at)
            else:
                c, at = text[at], at + 1
            word += c
        elif c == quote:
            quote = None
        elif quote is None and c in "'\"":
            quote = c
        elif quote is None and c in WHITESPACE:
            return word, at
        else:
            word += c
    if quote and not relaxed:
        raise Malformed("unbalanced quote in %r" % text)
    return word, at


def split_words(text, c_escapes, relaxed=False):
    words, at = [], 0
    while True:
        word, at = first_word(text, at, c_escapes, relaxed)
        if word is None:
            return words
        words.append(word)


def environment(entries, unit):
    """
    The variables of all Environment= lines, of which each may hold several (S63): words are unquoted first, then
    specifiers are expanded.
    """
    result = {}
    for value in values(entries, "Environment"):
        for word in split_words(value, c_escapes=True):
            word = expand_specifiers(word, unit)
            name, equals, content = word.partition("=")
            if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise Malformed("not an assignment: %r" % word)
            if any(ord(c) < 32 and c not in "\t\n" or ord(c) == 127 for c in content):
                raise Malformed("control character in the environment: %r" % word)
            result[name] = content
    return result


def command(value, unit):
    """One Exec line: (prefix characters, argv before environment expansion). More than one command is Malformed."""
    match = re.match(r"[@\-:+!|]*", value)
    argv, at = [], match.end()
    while True:
        rest = value[at:].lstrip(WHITESPACE)
        if argv and re.match(r";([ \t]|$)", rest):
            raise Malformed("a second command in %r" % value)
        if argv and re.match(r"\\;([ \t]|$)", rest):
            argv.append(";")
            at = len(value) - len(rest) + 2
            continue
        word, at = first_word(value, at, c_escapes=True)
        if word is None:
            break
        argv.append(expand_specifiers(word, unit))
    if not argv or not argv[0].startswith("/"):
        raise Malformed("no absolute path to run: %r" % value)
    return match.group(0), argv


def substitute(word, variables):
    """${VAR} within a word; $$ is a dollar sign, any other $ stands for itself. Unknown variables are Malformed."""
    def replace(match):
        if match.group(0) == "$$":
            return "$"
        if match.group(1) not in variables:
            raise Malformed("variable %r is not set" % match.group(1))
        return variables[match.group(1)]

    return re.sub(r"\$\$|\$\{([^}]*)\}", replace, word)


def expand(prefix, argv, variables):
    """What execve(2) gets: a word that is $VAR alone becomes the words of its value, none if it is empty."""
    if ":" in prefix:
        return list(argv)
    result = []
    for word in argv:
        if re.match(r"\$[^{$]", word):
            if word[1:] not in variables:
                raise Malformed("variable %r is not set" % word)
            result += split_words(variables[word[1:]], c_escapes=False, relaxed=True)
        else:
            result.append(substitute(word, variables))
    return result


def arguments_of(entries, unit, key, index=0, extra=None):
    """argv of the index-th command of a key as the process would see it."""
    variables = dict(extra or {})
    variables.update(environment(entries, unit))
    return expand(*command(values(entries, key)[index], unit), variables)


# ---------------------------------------------------------------------------------------------------------------------
# Sudoers

SUDO_RULE = re.compile(r"([a-z_][a-z0-9_-]*) ALL=\(root\) NOPASSWD: (/[A-Za-z0-9 @._/-]+)")


def sudoers(data):
    """[(user, [command word])]: one literal command a line, in the characters that sudo and sudo-rs both take."""
    if data and not data.endswith(b"\n"):
        raise Malformed("no newline at the end")
    rules = []
    for line in data.decode("ascii").split("\n")[:-1]:
        if re.fullmatch(r"#( .*)?", line):
            continue
        match = SUDO_RULE.fullmatch(line)
        if not match or "  " in line or line.endswith(" "):
            raise Malformed("not a rule of this project: %r" % line)
        rules.append((match.group(1), match.group(2).split(" ")))
    return rules


# ---------------------------------------------------------------------------------------------------------------------
# Files


def snapshot(top, content=True):
    """{relative path: (kind, mode, bytes or target)} of everything below top."""
    found, pending = {}, [""] if os.path.isdir(top) else []
    while pending:
        folder = pending.pop()
        for entry in os.scandir(os.path.join(top, folder)):
            path = folder + "/" + entry.name if folder else entry.name
            mode = entry.stat(follow_symlinks=False).st_mode & 0o7777
            if entry.is_symlink():
                found[path] = ("link", 0o777, os.readlink(entry.path).encode())
            elif entry.is_dir():
                found[path] = ("dir", mode, b"")
                pending.append(path)
            elif entry.is_file():
                found[path] = ("file", mode, b"")
                if content:
                    with open(entry.path, "rb") as file:
                        found[path] = ("file", mode, file.read())
            else:
                found[path] = ("other", mode, b"")
    return found


def write(path, data, mode=0o644):
    """Makes the file and the directories above it, with that mode whatever the umask is."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
    os.chmod(path, mode)


def difference(got, want):
    """A few lines that say how two snapshots differ; empty when they do not."""
    lines = []
    for path in sorted(set(got) | set(want)):
        if path not in got:
            lines.append("missing: %s" % path)
        elif path not in want:
            lines.append("unexpected: %s (%s)" % (path, got[path][0]))
        elif got[path] != want[path]:
            lines.append("differs: %s: got %.1500r, want %.1500r" % (path, got[path], want[path]))
    return "\n".join(lines[:12])


# ---------------------------------------------------------------------------------------------------------------------
# The program under test and a host for it

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
OWNER = 980                      # uid and gid of the database's owner (F17); needs no entry in passwd
AS_ROOT = os.geteuid() == 0
OUTPUTS = {"report", "last-good", "sudoers"}
UNITS = "systemd/generator/"


class Sql(str):
    """A value that stands in the INSERT as an expression of SQL instead of being bound."""


class Rows:
    """What the three views give. add() returns a new set of rows with more in it."""

    def __init__(self, instances=(), layers=(), overlays=()):
        self.instances, self.layers, self.overlays = list(instances), list(layers), list(overlays)

    def add(self, instances=(), layers=(), overlays=()):
        return Rows(self.instances + list(instances), self.layers + list(layers), self.overlays + list(overlays))


VIEWS = {
    "generator_instances": ("name", "port", "arguments", "enabled"),
    "generator_layers": ("instance", "position", "overlay"),
    "generator_overlays": ("id", "name", "script"),
}


def fill(connection, rows):
    """Plain tables of the views' names, without column types, so that any value of any type can stand in them."""
    for view, rows_of_view in zip(VIEWS, (rows.instances, rows.layers, rows.overlays)):
        connection.execute("CREATE TABLE %s (%s)" % (view, ", ".join(VIEWS[view])))
        for row in rows_of_view:
            places = ", ".join(v if isinstance(v, Sql) else "?" for v in row)
            bound = [v for v in row if not isinstance(v, Sql)]
            connection.execute("INSERT INTO %s VALUES (%s)" % (view, places), bound)


def lines(data):
    """Lines end with a newline and nothing else; str.splitlines() would also cut at U+2028."""
    return data.decode("utf-8", "surrogateescape").split("\n")[:-1] if data else []


class Result:
    def __init__(self, completed):
        self.status = completed.returncode
        self.out = completed.stdout
        self.printed = lines(completed.stdout)
        self.messages = lines(completed.stderr)


def temporary_folder(*where):
    """A new directory, open to the database's owner, in the first of the places that takes it; gone at the end."""
    for place in where:
        if os.access(place, os.W_OK):
            break
    else:
        place = None
    path = tempfile.mkdtemp(prefix="left4me-test.", dir=place)
    os.chmod(path, 0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


class Box:
    """
    A temporary directory with a host's files in root/ and its /run in run/: in memory as /run is, since a disk takes
    a hundred times as long. The program stands elsewhere, because that memory may be mounted noexec.
    """

    def __init__(self):
        self.top = temporary_folder("/dev/shm")
        self.bin = temporary_folder("/var/tmp")
        self.root = self.top + "/root"
        self.run_dir = self.top + "/run"
        self.normal = self.run_dir + "/systemd/generator"
        self.database_path = self.root + "/var/lib/left4me/left4me.db"
        self.program = self.bin + "/left4me-generator"
        shutil.copy2(BUILD + "/left4me-generator", self.program)
        self.make_clean()

    def make_clean(self):
        for folder in (self.root, self.run_dir):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.root + "/etc/left4me", os.path.dirname(self.database_path), self.normal):
            os.makedirs(folder, 0o755)
        self.give(os.path.dirname(self.database_path))

    def give(self, *paths):
        """To the owner of the database, where we may."""
        for path in paths:
            if AS_ROOT:
                os.chown(path, OWNER, OWNER)

    def config(self, text, name="left4me.conf", mode=0o644):
        write(self.root + "/etc/left4me/" + name, text, mode)

    def database(self, rows):
        path = self.database_path
        if os.path.lexists(path):
            os.unlink(path)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")
        fill(connection, rows)
        connection.execute("COMMIT")
        connection.close()
        os.chmod(path, 0o640)
        self.give(path)

    def new_run(self):
        """The generator directory as systemd empties it before each run; RUN/left4me stays."""
        shutil.rmtree(self.normal, ignore_errors=True)
        os.makedirs(self.normal, 0o755)

    def execute(self, arguments, stdin=b"", env=None, before=(), preexec=None):
        environment_ = {k: v for k, v in os.environ.items() if not k.startswith("SYSTEMD_")}
        environment_.update(env or {})
        command_ = [*before, self.program, *arguments]
        try:
            return Result(subprocess.run(command_, input=stdin, env=environment_, cwd="/", capture_output=True,
                                         timeout=30, preexec_fn=preexec))
        except subprocess.TimeoutExpired:
            return Result(subprocess.CompletedProcess(command_, "hangs", b"", b""))

    def generate(self, **options):
        self.new_run()
        return self.execute(["--root=" + self.root, self.normal], **options)

    def render(self, form="tree", more=(), **options):
        """Renders into out/ (a tree) or out.json; what was there before is removed."""
        output = self.top + ("/out" if form == "tree" else "/out.json")
        shutil.rmtree(output, ignore_errors=True)
        if os.path.lexists(output):
            os.unlink(output)
        return self.execute(["render", "--format=" + form, "--output=" + output, "--root=" + self.root, *more],
                            **options)

    def check(self, more=(), **options):
        return self.execute(["check", "--root=" + self.root, *more], **options)

    def tree(self):
        return snapshot(self.run_dir)

    def report(self):
        path = self.run_dir + "/left4me/report"
        if not os.path.exists(path):
            return ["there is no report"]
        with open(path, "rb") as file:
            return lines(file.read())


def artifacts(tree):
    """A snapshot of RUN without what is about this run rather than about the host: report and last good rows."""
    return {p: e for p, e in tree.items() if p not in ("left4me/report", "left4me/last-good")}


def parse_tree(tree):
    """Parses every file of a snapshot of RUN; {path: entries} for units, rules for sudoers. Malformed names the file."""
    parsed = {}
    for path, (kind, _, data) in tree.items():
        if kind != "file" or path in ("left4me/report", "left4me/last-good"):
            continue
        try:
            parsed[path] = sudoers(data) if path.startswith("left4me/sudoers.d/") else parse(data)
        except Malformed as error:
            raise Malformed("%s: %s" % (path, error))
    return parsed


# ---------------------------------------------------------------------------------------------------------------------
# TAP


class Tap:
    def __init__(self):
        self.count = 0
        if not os.access(BUILD + "/left4me-generator", os.X_OK):
            print("Bail out! %s/left4me-generator is not there: run make first" % BUILD)
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
