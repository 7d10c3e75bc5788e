#!/bin/bash
# What a run costs: instructions and system calls, the reading child's included, repeat to 0.5 % and have
# bars, as has the memory of the largest process. So have page faults, at no unit and against a program that only reads the
# database: what the fork makes the kernel copy is most of a short run. Times are tests/bench/run's. And what the program
# is linked to: libc, sqlite3 and inih, since each further library is loaded at every boot and reload.
# The units are those of tests/bench/make-root: half servers of three layers, half overlays with a script.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C.UTF-8
# shellcheck source=tests/tap.sh
. tests/tap.sh
generator=$(realpath "${BUILD:-build}/left4me-generator")

needed=$(readelf -d "$generator" | sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*\]/\1/p' | sort | xargs)
case $needed in *asan*|*ubsan*|*tsan*) skip_all "a sanitized build costs what it costs" ;; esac

# Not in TMPDIR: what is counted must not depend on the file system, as far as possible.
SCRATCH=$(mktemp -d /dev/shm/left4me-cost.XXXXXX 2>/dev/null || mktemp -d) || exit 1
trap 'rm -rf "$SCRATCH"' EXIT
chmod 755 "$SCRATCH"

run() { # UNITS [TOOL...]: a run into fresh directories
	local root=$SCRATCH/$1
	shift
	rm -rf "$root/run"
	mkdir -p "$root"/run/{systemd/generator{,.early,.late},left4me}
	"$@" "$generator" --root="$root" "$root"/run/systemd/generator{,.early,.late} 2>"$SCRATCH/stderr" || {
		diag "$(cat "$SCRATCH/stderr")"
		return 1
	}
}

# valgrind opens the file of a dump when the process ends, which the confined child may not: its confinement succeeds here
# without taking effect. What it costs is in the kernel; the instructions that ask for it are counted.
unconfined() {
	printf '%s\n' '#include <errno.h>' 'long syscall(long n, ...) { (void) n; errno = ENOSYS; return -1; }' \
		'int prctl(int option, ...) { (void) option; return 0; }' >"$SCRATCH/unconfined.c"
	"${CC:-cc}" -shared -fPIC -o "$SCRATCH/unconfined.so" "$SCRATCH/unconfined.c"
}

# Costs are dumped and set to zero at the fork, so that the child does not count the parent's past a second time:
# a dump until the fork, one of the parent after it, one of the child.
instructions() { # UNITS
	local dumps=$SCRATCH/dumps
	for _ in 1 2 3; do
		rm -rf "$dumps"
		mkdir -m 1777 "$dumps"          # the child is another user
		run "$1" env LD_PRELOAD="$SCRATCH/unconfined.so" valgrind --tool=callgrind '--dump-before=fork*' --callgrind-out-file="$dumps/%p" || return 1
		# valgrind takes its time on a busy machine, the generator has little
		if [ "$(find "$dumps" -type f | wc -l)" -eq 3 ] && [ ! -s "$SCRATCH/$1/run/left4me/report" ]; then
			cat "$dumps"/* | awk '$1 == "totals:" { sum += $2 } END { print sum }'
			return
		fi
	done
	if grep -q 'within [0-9]* seconds' "$SCRATCH/$1/run/left4me/report"; then
		echo busy
	else
		diag "not three dumps: $(ls "$dumps"), or a report: $(cat "$SCRATCH/$1/run/left4me/report")"
	fi
}

# SQLite 3.53 asks for random bytes whenever it opens a database.
system_calls() { # UNITS
	run "$1" strace -f -y -qq -e signal=none -e trace=all -o "$SCRATCH/trace" || return 1
	grep -vc -e ' resumed>' -e '+++ exited' -e '/dev/urandom' "$SCRATCH/trace"
}

# The least of five runs each at no unit: what the generator has more than tests/bench/bare.c with one directory to make.
more_faults() {
	local root=$SCRATCH/0 directories=("$SCRATCH"/0/run/systemd/generator{,.early,.late})
	printf 'dux\0' >"$SCRATCH/manifest"
	"$SCRATCH/runner" 5 60 "$root/run" "$generator" --root="$root" "${directories[@]}" -- \
		"$SCRATCH/bare" "$SCRATCH/manifest" "${directories[0]}" "$root/run/left4me" "$root/var/lib/left4me/left4me.db" |
		awk '!($1 in least) || $6 < least[$1] { least[$1] = $6 } END { if (1 in least) print least[0] - least[1] }'
}

# In KiB; the larger one of the process and its child. The runner is small: what a process inherits counts, too.
memory() { # UNITS
	local root=$SCRATCH/$1
	"$SCRATCH/runner" 1 1 "$root/run" "$generator" --root="$root" "$root"/run/systemd/generator{,.early,.late} | cut -d ' ' -f 3
}

at_most() { # GOT BAR NAME
	[ -n "$1" ] && [ "$1" -le "$2" ]
	tap_result $? "$3: ${1:-none}, at most $2" || diag "tests/bench/run says where they go"
}

for units in 0 10 100 1000; do
	tests/bench/make-root "$SCRATCH/$units" "$units" || exit 1
	run "$units" && [ ! -s "$SCRATCH/$units/run/left4me/report" ] &&
		[ "$(find "$SCRATCH/$units/run/systemd/generator" -maxdepth 1 -type f -name '*@?*.service' | wc -l)" -eq "$units" ]
	tap_result $? "$units units are made"
	if ! command -v valgrind >/dev/null || ! unconfined; then
		skip "no valgrind or no compiler" "instructions at $units units"
	elif counted=$(instructions "$units") && [ "$counted" = busy ]; then
		skip "three times out of time under valgrind: the machine is too busy" "instructions at $units units"
	else
		# Where the linker puts constants moves it by 70 a unit: memcpy(3) has another number for another alignment.
		at_most "$counted" $((2840000 + 16950 * units)) "instructions at $units units"
	fi
	if command -v strace >/dev/null && run "$units" strace -qq -o /dev/null 2>/dev/null; then
		at_most "$(system_calls "$units")" $((308 + 57 * units / 10)) "system calls at $units units"
	else
		skip "no strace, or it may not trace" "system calls at $units units"
	fi
done

tests/bench/make-root "$SCRATCH/10000" 10000 || exit 1
if "${CC:-cc}" -O2 -D_GNU_SOURCE -o "$SCRATCH/runner" tests/bench/runner.c &&
	"${CC:-cc}" -O2 -D_GNU_SOURCE -DDATABASE -o "$SCRATCH/bare" tests/bench/bare.c -lsqlite3; then
	at_most "$(more_faults)" 70 "page faults beyond those of a program that reads the database"
	at_most "$(memory 1000)" $((5 * 1024)) "KiB of memory at 1000 units"
	at_most "$(memory 10000)" $((9 * 1024)) "KiB of memory at 10000 units"
else
	skip "no compiler" "page faults at 0 units"
	skip "no compiler" "memory at 1000 units"
	skip "no compiler" "memory at 10000 units"
fi

is "$needed" "libc libinih libsqlite3" "libraries"

done_testing
