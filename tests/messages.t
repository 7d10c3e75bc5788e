#!/bin/bash
# tests/messages.txt has every message of the generator's modes, the helpers and the worker, so that a change of one is seen in a
# diff and read: place, what is wrong, what to do. `messages.t --write` (make golden) writes it anew.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

command -v python3 >/dev/null || skip_all "python3 is not installed"
messages() { tests/lib/messages.py "$@"; }
all() { LC_ALL=C messages generator/*.c helpers/*.c deploy/worker/*; }
[ "${1-}" != --write ] || { all >tests/messages.txt && exit; }

scratch messages
is "$(diff -u tests/messages.txt <(all) | tail -n +3)" "" "all messages are those of messages.txt; make golden writes it"

cat >"$SCRATCH/a.c" <<'END'
#define NOISE "not a message"
static const char no_server[] = "no server starts", *one[] = { "word" };       /* "not a message" */
static void f(void)
{
	report_problem(report, "the kernel", "has %" PRIu64 " faults in '" PLACE "' and "
		       "goes on%s", first, strcmp(a, "not a message") ? " with it" : "");
	if (sscanf(line, "not a message %s", word) == 1)
		die(EXIT_FAILED, errno, UNIT "%s is gone", name);
	sqlite3_prepare_v2(db, "SELECT not a message", -1, &statement, NULL);
	return '"' ? "it said \"no\" here" : "%s %d";
}
END
is "$(messages "$SCRATCH/a.c")" "$SCRATCH/a.c
    no server starts
    report_problem: the kernel | has %<PRIu64> faults in '<PLACE>' and goes on%s |  with it
    die: <UNIT>%s is gone
    it said \\\"no\\\" here | %s %d" "what a message in C is"
cat >"$SCRATCH/a.py" <<'END'
"""not a message"""
def f(name):
    """not a message"""
    if name == "word":
        raise Refused(f"no server {name}", "at all")
    print("it says:", "; ".join(f"{a} is gone" for a in name))
END
is "$(messages "$SCRATCH/a.py")" "$SCRATCH/a.py
    Refused: no server {} | at all
    print: it says:
    {} is gone" "and in Python"
done_testing
