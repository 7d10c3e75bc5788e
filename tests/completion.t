#!/bin/bash
# What bash offers for a command line; COMP_WORDS are split as readline splits them, at "=" too.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh
. deploy/completion/bash/left4me-generator
. deploy/completion/bash/left4me-overlay
. deploy/completion/bash/left4me-fetch-script
build=${BUILD:-build}

scratch completion
mkdir -p "$SCRATCH"/runtime/{alpha,beta} "$SCRATCH"/overlays/{1,12}
# What the web application may put there: bash would run the word once it is in root's line.
# shellcheck disable=SC2016 # a command to bash alone
for name in '$(reboot)' 'a;reboot' $'3\nreboot' '-x y' .left4me; do
	mkdir "$SCRATCH/runtime/$name" "$SCRATCH/overlays/$name"
done

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
fetch() { complete_line _left4me_fetch_script left4me-fetch-script "$@"; }

is "$(generator '')" "--help --root= --version check plan render status" "modes"
is "$(generator re)" "render" "render by its beginning"
is "$(generator render --)" "--config= --database= --format= --no-database --output= --root=" "options of render"
is "$(generator check --)" "--config= --database= --no-database --root= --rows" "options of check"
_left4me_servers() { echo alpha beta; }
is "$(generator status '')" "--json --mark --sizes alpha beta" "options and servers of status"
is "$(generator plan --)" "--commands --config= --database= --diff --root=" "options of plan"
is "$(generator status --json b)" "beta" "a server by its beginning"
is "$(generator status plan --j)" "--json" "a server may be called as a mode is"
is "$(generator render --format =)" "bundlewrap tree" "formats"
is "$(generator render --format = t)" "tree" "a format by its beginning"
is "$(generator render --output = "$SCRATCH/ru")" "$SCRATCH/runtime" "a path"
is "$(overlay '')" "build collect commit discard enter mount umount umount-stopped" "verbs"
is "$(overlay --root = "$SCRATCH" umount '')" "alpha beta" "instances"
is "$(overlay --root = "$SCRATCH" mount alpha '')" "1 12 installation" "layers"
is "$(overlay --root = "$SCRATCH" mount alpha 1)" "1 12" "layers by their beginning"
is "$(overlay --root = "$SCRATCH" umount alpha '')" "" "nothing after umount NAME"
for verb in build commit discard; do
	is "$(overlay --root = "$SCRATCH" "$verb" '')" "1 12 installation" "what to $verb"
	is "$(overlay --root = "$SCRATCH" "$verb" 1 '')" "" "and no more"
done
for verb in collect umount-stopped; do
	is "$(overlay --root = "$SCRATCH" $verb '')" "" "nothing after $verb"
done
is "$(overlay -)" "--chdir= --dry-run --help --root= --started= --version" "options"
is "$(fetch -)" "--database= --gid= --help --remove --root= --uid= --version" "options of left4me-fetch-script"
is "$(fetch --root = "$SCRATCH" '')" "1 12" "and overlays"
is "$(fetch --root = "$SCRATCH" --database = "$SCRATCH/ru")" "$SCRATCH/runtime" "a path"
is "$(fetch --root = "$SCRATCH" --uid = 9)" "" "no number of a user"

# --- as the programs themselves have it -----------------------------------------------------------------------------------

if [ -x "$build/left4me-generator" ]; then
	options() { "$build/$1" --help | sed 's/systemctl [^`]*//' | grep -oE -- '--[a-z-]+' | sort -u | xargs; }
	is "$({ generator --; for mode in render check plan status; do generator "$mode" --; done; } | xargs -n 1 | grep -oE -- '--[a-z-]+' |
		sort -u | xargs)" "$(options left4me-generator)" "every option of left4me-generator, in one mode or another"
	is "$(overlay -- | tr -d =)" "$(options left4me-overlay)" "every option of left4me-overlay"
	is "$(fetch -- | tr -d =)" "$(options left4me-fetch-script)" "every option of left4me-fetch-script"
	is "$(overlay '')" "$("$build/left4me-overlay" --help | sed -n 's/^.*left4me-overlay//p' | tr '|' ' ' | grep -oE '(^| )[a-z][a-z-]+\b' | sort -u | grep -v installation | xargs)" \
		"every verb of left4me-overlay"
else
	skip "left4me-generator is not built" "as the programs have it"
fi

done_testing
