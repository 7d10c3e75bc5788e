#!/bin/bash
# One run of each mode under valgrind, the reading child included: no error, nothing lost, and no descriptor left
# open. Over the example host, which has refused rows, and over one where nothing can be read. tests/cost.t
# counts instructions.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C.UTF-8
# shellcheck source=tests/tap.sh
. tests/tap.sh
generator=$(realpath "${BUILD:-build}/left4me-generator")
command -v valgrind >/dev/null || skip_all "no valgrind"
readelf -d "$generator" | grep -q 'NEEDED.*\(asan\|ubsan\|tsan\)' && skip_all "a sanitized build looks for itself"

scratch valgrind
chmod 755 "$SCRATCH"
root=$SCRATCH/root
deploy/example/make-root "$root" >/dev/null || exit 1

# The child's exit status reaches nobody, so the logs are what counts: one of the program, one of its child.
clean() { # PROCESSES STATUS NAME ARGUMENT...
	local processes=$1 expected=$2 name=$3 logs=$SCRATCH/logs status try
	shift 3
	for try in 1 2 3; do
		rm -rf "$logs" "$SCRATCH/tree" "$root"/run/systemd/generator/*
		mkdir -m 1777 "$logs"         # the child is another user
		valgrind --trace-children=yes --track-fds=yes --leak-check=full --show-leak-kinds=definite,indirect,possible \
			--errors-for-leak-kinds=definite,indirect,possible --log-file="$logs/%p" \
			"$generator" "$@" >"$SCRATCH/output" 2>&1
		status=$?
		# valgrind takes its time, the generator has little
		grep -Eq 'within [0-9]+ seconds|timed out|gave up' "$SCRATCH/output" || break
		echo "# $name: out of time, try $try"
	done
	is "$status" "$expected" "$name: exit status" || diag "$(cat "$SCRATCH/output")"
	is "$(grep -l 'ERROR SUMMARY' "$logs"/* | wc -l)" "$processes" "$name: processes that ended by themselves"
	# valgrind 3.27 counts each descriptor that is open at the end as an error; which they are is looked at below
	awk 'FNR == 1 { open = 0 } /Open file descriptor/ { open++ } /ERROR SUMMARY/ && $4 != 0 && $4 != open { bad = 1 } END { exit bad }' "$logs"/*
	tap_result $? "$name: no error, nothing lost" || diag "$(cat "$logs"/*)"
	# the pipe is the child's, whose end is its last word; what was inherited has no place in the program
	! grep -hA 1 'Open file descriptor' "$logs"/* | grep '   at ' | grep -qv ': pipe '
	tap_result $? "$name: no descriptor left open" || diag "$(grep -hA 6 'Open file descriptor' "$logs"/*)"
}

clean 2 0 "generator" --root="$root" "$root"/run/systemd/generator{,.early,.late}
clean 2 1 "render, tree" render --root="$root" --format=tree --output="$SCRATCH/tree"
clean 2 1 "render, bundlewrap" render --root="$root" --format=bundlewrap --output="$SCRATCH/json"
clean 1 0 "render, bundlewrap without a database" render --no-database --config="$root/etc/left4me" --format=bundlewrap
clean 2 1 "check" check --root="$root"
printf '[game]\nports = 1\n\n[nonsense]\nx\n' >"$root/etc/left4me/left4me.conf.d/60-bad.conf"
head -c 9000 "$root/var/lib/left4me/left4me.db" >"$SCRATCH/short"
cp "$SCRATCH/short" "$root/var/lib/left4me/left4me.db"
clean 2 0 "generator, from the last good rows" --root="$root" "$root"/run/systemd/generator{,.early,.late}
clean 2 1 "check, bad configuration and database" check --root="$root"
clean 2 2 "render, bad configuration" render --root="$root" --format=tree --output="$SCRATCH/none"

done_testing
