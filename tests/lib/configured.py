"""
For the tests of configuration: a host with one server, and what a good and a bad configuration must give in all three modes.
DEFAULT is what the host gives when its configuration says nothing.
"""

import os
import re

from unitfile import *  # noqa: F403

tap = Tap()
box = Box()
ROWS = Rows([instance("alpha", 27015, "+map x")], stack("alpha", 1), [overlay(1, "maps", "echo")])
LONG = "x" * 20000              # longer than libinih takes, and than any buffer of ours


def fresh(text=None):
    box.make_clean()
    box.database(ROWS)
    if text is not None:
        box.config(text)


def run_generator():
    """(status, artifacts, report) of one run; a hang is the caller's to see in the time it took."""
    result = box.generate()
    return result.status, artifacts(box.tree()), box.report()


fresh("")
DEFAULT_STATUS, DEFAULT, DEFAULT_REPORT = run_generator()


def clean_problems(text, same_as_default=False):
    fresh(text)
    status, tree, report = run_generator()
    problems = [] if (status, report) == (0, []) else ["status %r, report %r" % (status, report)]
    if (tree == DEFAULT) != same_as_default:
        problems.append("the tree is %sthe default" % ("not " if same_as_default else ""))
    rendered, checked = box.render(), box.check()
    if (rendered.status, rendered.messages) != (0, []):
        problems.append("render: %r %r" % (rendered.status, rendered.messages))
    if (checked.status, checked.printed) != (0, []):
        problems.append("check: %r %r" % (checked.status, checked.printed))
    return problems


def error_problems(places, want_tree=None, before=()):
    """The installed configuration gives exactly one message per place, in all three modes, and the tree that is meant."""
    problems = []
    status, tree, report = run_generator()
    if status != 0:
        problems.append("generator: status %d" % status)
    if len(report) != len(places):
        problems.append("%d messages, %d places" % (len(report), len(places)))
    for place in places:
        if not any(re.match(place, line) for line in report):
            problems.append("no message %r" % place)
    changed = difference(tree, DEFAULT if want_tree is None else want_tree)
    if changed:
        problems.append("tree: " + changed)
    for line in report:
        if re.search("[\x00-\x1f\x7f-\x9f]", line) or len(line) > 400:
            problems.append("message not fit for a terminal: %.300r" % line)
    rendered, checked = box.render(), box.check()
    if rendered.status != 2 or rendered.messages != report or os.path.exists(box.top + "/out"):
        problems.append("render: %r %r" % (rendered.status, rendered.messages))
    bundle = box.render("bundlewrap")
    if bundle.status != 2 or bundle.messages != report or os.path.exists(box.top + "/out.json"):
        problems.append("render bundlewrap: %r %r" % (bundle.status, bundle.messages))
    if (checked.status, checked.printed) != (1, report):
        problems.append("check: %r %r" % (checked.status, checked.printed))
    return problems + (["report: %.900r" % report] if problems else [])
