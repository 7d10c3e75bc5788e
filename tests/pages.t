#!/bin/bash
# The manual pages tell the truth: what stands in their EXAMPLES as a session ("$ command", "> more of it") is typed here and
# prints what it prints there. left4me-views(5) has views-page.t; what needs a booted host is typed by tests/system/install.sh.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

build=${BUILD:-build}
[ -x "$build/left4me-generator" ] || skip_all "left4me-generator is not built"
command -v sqlite3 >/dev/null || skip_all "sqlite3 is not installed"
scratch pages
chmod 755 "$SCRATCH"
PATH=$(realpath "$build"):$PATH

session() { sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/{/^\.Bd -literal$/,/^\.Ed$/{/^\.[BE]d/d;s/\\e/\\/g;p;}}' "$1"; }
for page in left4me-generator.8 left4me.conf.5; do
	mkdir "$SCRATCH/$page"
	cp deploy/schema/{schema,views}.sql "$SCRATCH/$page/"
	commands=$(session "deploy/man/$page" | sed -n 's/^[$>] \{0,1\}//p')
	ok "$page has a session" test "$(session "deploy/man/$page" | grep -c '^\$ ')" -ge 4
	is "$(cd "$SCRATCH/$page" && bash -c "$commands" 2>&1)" "$(session "deploy/man/$page" | grep -v '^[$>]')" "$page prints what it says"
done

for page in deploy/man/*.[58]; do
	like "$(cat "$page")" '^\.Sh EXAMPLES' "${page##*/} has examples"
done
# What a program prints on a screen of 80 columns is indented by 5.
if command -v mandoc >/dev/null; then
	for page in deploy/man/*; do
		is "$(mandoc -T ascii -O width=78 "$page" | sed 's/.\x08//g' | awk 'length > 85')" "" "${page##*/} in 80 columns"
	done
else
	skip "mandoc is not installed" "in 80 columns"
fi
# Warnings of lines that cannot be adjusted come from groff 1.23 and later.
if command -v man >/dev/null; then
	for page in deploy/man/*; do
		is "$(MANWIDTH=80 man -P cat -l "$page" 2>&1 >/dev/null)" "" "${page##*/} without a warning"
	done
else
	skip "man is not installed" "without a warning"
fi

for program in "$build"/left4me-{generator,overlay,fetch-script} deploy/{demo,migrate-check,packages,selftest,uninstall} deploy/worker/left4me-worker; do
	said=$(COLUMNS=80 "$program" --help 2>&1)
	like "${said,,}" "^(usage: |[^ ]*: )?.*${program##*/}" "${program##*/} --help says what it is"
	is "$(awk 'length > 80' <<<"$said")" "" "${program##*/} --help in 80 columns"
done
done_testing
