# shellcheck shell=bash
# TAP for shell tests: `. tests/tap.sh`, then is, like, ok, skip ...; done_testing last.

TAP_COUNT=0
TAP_FAILED=0

tap_result() { # STATUS NAME
	TAP_COUNT=$((TAP_COUNT + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $TAP_COUNT - $2"
	else
		TAP_FAILED=$((TAP_FAILED + 1))
		echo "not ok $TAP_COUNT - $2"
	fi
	return "$1"
}

diag() { while IFS= read -r line; do echo "# $line"; done <<<"$1" >&2; }

ok() { # NAME COMMAND...
	local name=$1 output status
	shift
	output=$("$@" 2>&1)
	status=$?
	tap_result "$status" "$name" || diag "$* gave $status: $output"
}

is() { # GOT EXPECTED NAME
	[ "$1" = "$2" ]
	tap_result $? "$3" || diag "got:      $1
expected: $2"
}

like() { # TEXT EXTENDED-REGEX NAME
	grep -Eq -- "$2" <<<"$1"
	tap_result $? "$3" || diag "no match for $2 in: $1"
}

unlike() { # TEXT EXTENDED-REGEX NAME
	! grep -Eq -- "$2" <<<"$1"
	tap_result $? "$3" || diag "match for $2 in: $1"
}

skip() { # REASON NAME
	TAP_COUNT=$((TAP_COUNT + 1))
	echo "ok $TAP_COUNT - $2 # SKIP $1"
}

skip_all() { # REASON
	echo "1..0 # SKIP $1"
	exit 0
}

# Makes SCRATCH, a directory that is gone at exit.
scratch() { # WORD
	SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/left4me-$1.XXXXXX") || exit 1
	chmod 755 "$SCRATCH"    # root's database is read by another user
	trap 'rm -rf "$SCRATCH"' EXIT
}

done_testing() {
	echo "1..$TAP_COUNT"
	[ "$TAP_FAILED" -eq 0 ]
	exit $?
}
