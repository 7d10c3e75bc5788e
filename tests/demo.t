#!/bin/bash
# deploy/demo: one screen or two of 80 columns, in colour on a terminal alone; what is bad is said and is its exit status.
# deploy/packages and deploy/quietly: what apt says is shown when it fails, and not before what is about to be installed.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

[ -x build/left4me-generator ] || skip_all "left4me-generator is not built"
command -v sqlite3 >/dev/null || skip_all "sqlite3 is not installed"
scratch demo
export TMPDIR=$SCRATCH
unset COLUMNS NO_COLOR

too_wide() { awk -v most="$1" 'length > most'; }
escapes=$'\033['

said=$(deploy/demo 2>&1)
is "$?" 0 "all is well"
like "$said" '^All good\.' "and that is what it says"
ok "under 60 lines: $(wc -l <<<"$said")" test "$(wc -l <<<"$said")" -lt 60
is "$(too_wide 80 <<<"$said")" "" "in 80 columns"
is "$(grep -F "$escapes" <<<"$said")" "" "without colours in a pipe"
is "$(grep -n -m 1 '^ok' <<<"$said" | cut -d: -f1)" "$(($(grep -n -m 1 '^==' <<<"$said" | cut -d: -f1) + 1))" "verdicts come first"
is "$(grep -c '^== ' <<<"$said")" 6 "then servers, a unit, a sudo rule, a refusal, a plan"
row=$(sed -n "s/.*, row \([0-9]*\) (instance 'far-port').*/\1/p" <<<"$said")
is "$(sed -n "/^NAME /,/^$/p" <<<"$said" | sed -n "$((row + 1))s/ .*//p")" far-port "a row that is refused is the table's of that number"
is "$(grep -c '(instance' <<<"$said")" "$(sed -n 's/.* \([0-9]*\) refused;.*/\1/p' <<<"$said")" "every one that is counted is named"
for line in '^NAME +PORT +ENABLED +LAYERS +ARGUMENTS$' '^competitive +27016 .*\.\.\.$' '^ExecStart=' 'NOPASSWD' 'port: 28500' \
	'^~ competitive +port 27016 -> 27030'; do
	like "$said" "$line" "it has $line"
done
is "$(ls "$SCRATCH")" "" "and leaves nothing behind"

all=$(deploy/demo --all 2>&1)
is "$?" 0 "--all"
is "$(too_wide 80 <<<"$all")" "" "in 80 columns, too"
is "$(grep -c '^left4me ALL=' <<<"$all")" "$(sed -n 's/^ok .*visudo -c *\([0-9]*\) rules.*/\1/p' <<<"$all")" "has every rule"
like "$all" '^RestrictNamespaces=' "and the hardening"
like "$all" "'two-lines'" "and every refusal"

if command -v script >/dev/null; then
	on_terminal() { script -qefc "stty cols ${2-80}; $1" /dev/null | tr -d '\r'; }
	like "$(on_terminal deploy/demo)" "\\[32mok" "colours on a terminal"
	wide=$(on_terminal 'NO_COLOR=1 deploy/demo' 130)
	unlike "$wide" "\\[[0-9;]*m" "but where NO_COLOR is set"
	like "$wide" '^competitive +27016 .*competitive,100%$' "and a wider table where there is room"
	like "$(on_terminal 'deploy/quietly Waiting sleep 5')" "Waiting \\.\\.\\. 1 s" "and how long something takes by now"
else
	skip "script is not installed" "on a terminal"
fi

# --- what is bad --------------------------------------------------------------------------------------------------------

mkdir "$SCRATCH/bin"
printf '#!/bin/sh\necho no such syntax; exit 1\n' >"$SCRATCH/bin/visudo"
chmod 755 "$SCRATCH/bin/visudo"
said=$(PATH=$SCRATCH/bin:$PATH deploy/demo 2>&1)
is "$?" 1 "a verdict that is bad is the exit status"
like "$said" '^BAD +visudo -c' "has its mark"
like "$said" '^no such syntax' "what was said"
like "$said" '^Not all is well: 1 of' "and is counted"
deploy/demo --nonsense >/dev/null 2>&1
is "$?" 2 "an option that it does not know"

# --- packages -----------------------------------------------------------------------------------------------------------

# All that packages needs but sqlite3, and an apt-get that fails after some words.
for program in bash sh awk sed grep dirname mktemp rm id cat sleep kill env true cc make pkg-config systemd-analyze visudo; do
	path=$(PATH=$PATH:/usr/sbin command -v "$program") && ln -sf "$path" "$SCRATCH/bin/$program"
done
# shellcheck disable=SC2016 # for that shell
printf '#!/bin/sh\n[ "$1" = update ] || exit 0\necho chatter; echo "E: no mirror" >&2; exit 100\n' >"$SCRATCH/bin/apt-get"
printf '#!/bin/sh\nshift; exec "$@"\n' >"$SCRATCH/bin/apt-cache"
chmod 755 "$SCRATCH"/bin/apt-*
printf '#!/bin/sh\nexec "$@"\n' >"$SCRATCH/bin/sudo"
chmod 755 "$SCRATCH/bin/sudo"
sed "s|^PATH=.*|PATH=$SCRATCH/bin|" deploy/packages >"$SCRATCH/packages"
cp deploy/quietly "$SCRATCH/"
only() { PATH=$SCRATCH/bin bash "$SCRATCH/packages" "$@" 2>&1; } # SET
said=$(only demo)
is "$?" 100 "where apt fails, so does packages"
is "$said" "About to install with apt-get:
  sqlite3                makes the example database
Updating the lists of packages ...
Updating the lists of packages: failed with status 100, after it had said:
    chatter
    E: no mirror" "it names what is about to be installed, then what apt said"
printf '#!/bin/sh\necho chatter; echo more >&2\n' >"$SCRATCH/bin/apt-get"
is "$(only demo)" "About to install with apt-get:
  sqlite3                makes the example database
Updating the lists of packages ...
Installing ..." "and nothing of that where it succeeds"
is "$(deploy/quietly What sh -c 'exit 7' 2>/dev/null; echo $?)" "What ...
7" "the status of a command is handed on"
done_testing
