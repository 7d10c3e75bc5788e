"""
A parser of its own for what left4me-generator writes: unit files after systemd.syntax(7), systemd.unit(5),
systemd.service(5) and systemd.exec(5) as systemd 257 implements them, and the sudoers rules of this project. It shares
nothing with the generator and is strict: what systemd would ignore with a warning is Malformed here.
"""

import re

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
