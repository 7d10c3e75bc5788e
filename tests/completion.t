#!/bin/bash
# What bash offers for a command line; COMP_WORDS are split as readline splits them, at "=" too.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh
. deploy/completion/bash/left4me-generator
. deploy/completion/bash/left4me-overlay

scratch completion
mkdir -p "$SCRATCH"/runtime/{alpha,beta} "$SCRATCH"/overlays/{1,12}

complete_line() { # FUNCTION WORDS...
	local function=$1
	shift
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	"$function" 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}" | sort | xargs
}
generator() { complete_line _left4me_generator left4me-generator "$@"; }
overlay() { complete_line _left4me_overlay left4me-overlay "$@"; }

is "$(generator '')" "--help --root= --version check plan render status" "modes"
is "$(generator re)" "render" "render by its beginning"
is "$(generator render --)" "--config= --database= --format= --no-database --output= --root=" "options of render"
is "$(generator check --)" "--config= --database= --no-database --root= --rows" "options of check"
_left4me_servers() { echo alpha beta; }
is "$(generator status '')" "--json --mark --sizes alpha beta" "options and servers of status"
is "$(generator plan --)" "--commands --config= --database= --diff --root=" "options of plan"
is "$(generator status --json b)" "beta" "a server by its beginning"
is "$(generator render --format =)" "bundlewrap tree" "formats"
is "$(generator render --format = t)" "tree" "a format by its beginning"
is "$(generator render --output = "$SCRATCH/ru")" "$SCRATCH/runtime" "a path"
is "$(overlay '')" "build discard enter mount umount" "verbs"
is "$(overlay --root = "$SCRATCH" umount '')" "alpha beta" "instances"
is "$(overlay --root = "$SCRATCH" mount alpha '')" "1 12 installation" "layers"
is "$(overlay --root = "$SCRATCH" mount alpha 1)" "1 12" "layers by their beginning"
is "$(overlay --root = "$SCRATCH" umount alpha '')" "" "nothing after umount NAME"
is "$(overlay -)" "--dry-run --help --root= --started= --version" "options"

done_testing
