#!/usr/bin/env python3
"""
For system-arguments.t. `arguments.py make DIRECTORY` writes unit files with lines of every kind of quoting, the same at each
run, and arguments of servers; `arguments.py insert DATABASE` inserts servers with these; `arguments.py check` compares
what processes got, as dump.pl wrote it, with what stands in the list of tests/fuzz/words.c and in the rows.
"""

import os
import random
import sqlite3
import subprocess
import sys

UNITS, SERVERS = 400, 250
PIECES = ["\\\\", " ", "  ", "a", "bc", "=", "X=", "%%", "%i", "%%i", "$", "${X}", "$$", ";", "#", "ä", "\u2028", "🎮",
          "\\x41", "\\101", "\\u00e4", "\\U0001f3ae", "\\s", "\\n", "\\t", "\\a", "\\\"", "\\'", "*", "~", "{a,b}", "`", "!",
          "<0>", "@", "-", "+", ":", "|"]
ODD = PIECES + ['"', "'", "\\", "\\q", "\\0", "\\x00", "\\x", "\\xff", "\\400", "\\ue000", "\\ ", '"', "'"]
FIXED = ["+map c1m1_hotel", "", " ", '"a b" c', "'", '"', "\\", "\\\\", "a\\ b", "%i %n %%", "$HOME ${HOME} $$", "; rm", "# x",
         "\\x41\\n", "ä 🎮", "=", "'a' 'b", '"\\"', "x" * 4000, "a " * 2000, "[Service]", "\\\\\\ \\\\\\\\ end\\"]


def pieces(rng, most):
    kinds = rng.choice([PIECES, ODD])
    return "".join(rng.choice(kinds) for _ in range(rng.randrange(1, most)))


def unit(rng, name):
    assignment = ""
    for _ in range(rng.choice([1, 1, 1, 2])):
        quote = rng.choice(["", '"', "'"])
        assignment += f"{quote}X={pieces(rng, 12)}{quote} "
    if rng.random() < 0.3:      # a line that goes on, with a comment in between
        at = rng.randrange(len(assignment))
        assignment = assignment[:at] + rng.choice(["\\\nz", "\\\n# comment \\\nz", "\\\n;\nz"]) + assignment[at:]
    text = f"[Unit]\nDescription=d{pieces(rng, 8)}.\n[Service]\nType=oneshot\nStandardOutput=null\nEnvironment={assignment}.\n"
    return text + f"ExecStart=/usr/bin/perl /opt/system-test/files/dump.pl {name} $X\n"


def arguments():
    rng = random.Random(2)
    return FIXED + [pieces(rng, 14)for _ in range(SERVERS - len(FIXED))]


def make(directory):
    rng = random.Random(1)
    for number in range(UNITS):
        with open(f"{directory}/raw-{number}.service", "w", encoding="utf-8") as file:
            file.write(unit(rng, f"raw-{number}.service"))


def insert(path):
    db = sqlite3.connect(path)
    for number, text in enumerate(arguments()):
        db.execute("INSERT INTO servers (name, title, port, arguments, enabled) VALUES (?, ?, ?, ?, 0)",
                   (f"s{number}", f"s{number}", 27000 + number, text))
    db.commit()


COUNT, FAILED = 0, 0


def result(wrong, name):
    global COUNT, FAILED
    COUNT += 1
    FAILED += bool(wrong)
    print(f"{'not ok' if wrong else 'ok'} {COUNT} - {name}")
    for line in wrong[:20]:
        print(f"# {line}")


def dumped(name):
    """The value of X and the words, None without a dump."""
    try:
        with open(f"/run/dump/{name}", "rb") as file:
            value, *words = file.read().split(b"\0")[:-1]
            return None if value == b"-" else value[1:], words
    except FileNotFoundError:
        return "not started"


def descriptions(names):
    command = ["systemctl", "show", "--property=Id,Description", "--", *names]
    shown = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    blocks = [dict(line.split(b"=", 1) for line in block.split(b"\n")) for block in shown.strip().split(b"\n\n")]
    return {block[b"Id"].decode(): block[b"Description"] for block in blocks}


def check():
    wanted = {}
    with open("words", encoding="ascii") as file:
        for line in file:
            name, description, value, *words = line.split()
            plain = [bytes.fromhex(w[1:]) for w in words]
            wanted[name] = (bytes.fromhex(description[1:]), None if value == "-" else bytes.fromhex(value[1:]), plain)
    shown = descriptions(wanted)
    wrong = [f"{n}: {shown.get(n)} instead of {w[0]}" for n, w in wanted.items() if shown.get(n) != w[0]]
    result(wrong, f"{len(wanted)} descriptions are read as tests/fuzz/systemd.c reads them")
    wrong = [f"{n}: {dumped(n)} instead of {w[1:]}" for n, w in wanted.items() if dumped(n) != w[1:]]
    valued = sum(w[1] is not None for w in wanted.values())
    result(wrong, f"{len(wanted)} lines of Environment=, {valued} of them without an error, and the words of $X too")
    result([] if len(wanted) > UNITS * 0.9 and valued > UNITS / 4 else [f"{len(wanted)}, {valued}"], "that is most of them")
    wrong = []
    for number, text in enumerate(arguments()):
        words = [w.encode() for w in text.split(" ") if w]
        if dumped(f"s{number}") != (None, [str(27000 + number).encode(), *words]):
            wrong.append(f"{text!r}: {dumped(f's{number}')}")
    result(wrong, f"{SERVERS} servers get their rows' ports and the words of their arguments, whatever host.env says")
    print(f"1..{COUNT}")
    return FAILED > 0


if sys.argv[1] == "make":
    make(sys.argv[2])
elif sys.argv[1] == "insert":
    insert(sys.argv[2])
else:
    sys.exit(check())
