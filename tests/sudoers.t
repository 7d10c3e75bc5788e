#!/bin/bash
# The sudo rules of the example host: literal, in order, 0440, all that should be there and no other; taken by sudo and sudo-rs.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh
PATH=$PATH:/usr/sbin:/sbin
generator=${BUILD:-build}/left4me-generator

command -v sqlite3 >/dev/null || skip_all "sqlite3 is not installed"

scratch sudoers
chmod 755 "$SCRATCH"
root=$SCRATCH/host
units=$root/run/systemd/generator
deploy/example/make-root "$root" || exit 1
"$generator" --root="$root" "$units" "$units.early" "$units.late" 2>"$SCRATCH/said"
is $? 0 "the generator ran"
rules=$root/run/left4me/sudoers.d/left4me

is "$(stat -c %a "$rules")" 440 "mode 0440"
[ "$(id -u)" -ne 0 ] || is "$(stat -c %u:%g "$rules")" 0:0 "owner root"
is "$(cd "${rules%/*}" && ls -A)" left4me "no other file: a name without a dot would be read too"

# What the database asks for, written down a second time and by other means.
unit_rules() { # UNIT VERBS...
	local unit=$1 verb
	shift
	for verb; do
		echo "/usr/bin/systemctl $verb $unit"
	done
	echo "/usr/bin/journalctl --no-pager -a -o json -n 200 -u $unit"
	echo "/usr/bin/journalctl --no-pager -a -o json -n 200 -u $unit -f"
	echo "/usr/bin/journalctl --no-pager -a -o json -n all -u $unit -f"
}
expected() {
	local name
	echo "/usr/bin/systemctl restart left4me-reload.service"
	echo "/usr/bin/systemctl start left4me-check.service"
	for name in 2 competitive custom-maps event training; do
		unit_rules "left4me-server@$name.service" start stop restart reset-failed
	done
	for name in 1 2 5; do
		unit_rules "build-overlay@$name.service" start stop
	done
}
body=$(grep -v '^#' "$rules")
prefix='left4me ALL=(root) NOPASSWD: '
all=$(expected | sed "s/^/$prefix/")
is "$(comm -23 <(sort <<<"$all") <(sort <<<"$body"))" "" "every rule that should be there is"

# A refused row keeps stop, and its log may be read; it cannot be started.
rest=$(comm -13 <(sort <<<"$all") <(sort <<<"$body"))
is "$(grep -vE '(far-port|two-lines)\.service( -f)?$' <<<"$rest")" "" "nothing else but for the refused rows"
for name in far-port two-lines; do
	like "$rest" "systemctl stop left4me-server@$name\\.service\$" "refused $name keeps stop"
	unlike "$rest" "systemctl (start|restart) left4me-server@$name\\.service" "refused $name has no start"
done

# The same for different hosts: command by command, units by the bytes of their names.
in_order() { # SERVERS STOPPABLE-SERVERS BUILDS STOPPABLE-BUILDS
	local verb
	each() { # BEFORE NAMES BEHIND
		local name
		for name in $2; do
			echo "$prefix$1$name$3"
		done
	}
	log() { # UNIT@ NAMES
		each "/usr/bin/journalctl --no-pager -a -o json -n 200 -u $1" "$2" .service
		each "/usr/bin/journalctl --no-pager -a -o json -n 200 -u $1" "$2" ".service -f"
		each "/usr/bin/journalctl --no-pager -a -o json -n all -u $1" "$2" ".service -f"
	}
	echo "$prefix/usr/bin/systemctl restart left4me-reload.service"
	echo "$prefix/usr/bin/systemctl start left4me-check.service"
	for verb in start restart reset-failed; do
		each "/usr/bin/systemctl $verb left4me-server@" "$1" .service
	done
	each "/usr/bin/systemctl stop left4me-server@" "$2" .service
	log left4me-server@ "$2"
	each "/usr/bin/systemctl start build-overlay@" "$3" .service
	each "/usr/bin/systemctl stop build-overlay@" "$4" .service
	log build-overlay@ "$4"
}
servers="2 competitive custom-maps event training"
is "$body" "$(in_order "$servers" "2 competitive custom-maps event far-port training two-lines" "1 2 5" "1 2 5")" \
	"in this order, none twice"

# What runs without a row keeps stop and its log, as long as it runs; what has a row gains nothing by running.
started=$root/run/systemd/units
mkdir -p "$started"
for unit in left4me-server@gone left4me-server@2 left4me-server@far-port build-overlay@77 build-overlay@1 left4me-server@Gone \
	left4me-server@-gone left4me-server@ build-overlay@077 build-overlay@0 build-overlay@9223372036854775808 \
	left4me-web "left4me-server@a b" 'left4me-server@a\x2db' left4me-server@a:b 'left4me-server@*' other@gone; do
	ln -s 00 "$started/invocation:$unit.service"
done
ln -s 00 "$started/invocation:left4me-server@half.servic"
ln -s 00 "$started/log-level-max:left4me-server@quiet.service"
reload() {
	rm -rf "$units" && mkdir "$units" && "$generator" --root="$root" "$units" "$units.early" "$units.late" 2>/dev/null
	grep -v '^#' "$rules"
}
running=$(reload)
gone() {
	unit_rules left4me-server@gone.service stop
	unit_rules build-overlay@77.service stop
}
is "$(comm -13 <(sort <<<"$body") <(sort <<<"$running"))" "$(gone | sed "s/^/$prefix/" | sort)" \
	"what runs without a row can be stopped, and no more"
is "$(comm -23 <(sort <<<"$body") <(sort <<<"$running"))" "" "all other rules stay"
is "$running" "$(in_order "$servers" "2 competitive custom-maps event far-port gone training two-lines" "1 2 5" "1 2 5 77")" \
	"still in order, none twice"
rm -rf "$started"
is "$(reload)" "$body" "gone with the last of what ran"

is "$(LC_ALL=C sort <<<"$body" | uniq -d)" "" "no rule twice"
is "$(grep -vE "^${prefix//[()]/\\&}/usr/bin/(systemctl|journalctl) [a-z0-9@._ -]+\$" <<<"$body")" "" "one literal command a line"
unlike "$body" 'libexec|left4me-(overlay|fetch-script)' "no helper is called by sudo: units run them (S20, S113)"
unlike "${body//"$prefix"/}" '[][*?^!=,:\\]' "no pattern character, nothing that sudo-rs refuses"
unlike "$body" '^(Defaults|[A-Za-z]+_Alias)' "no Defaults, no alias"

# --- the programs themselves ------------------------------------------------------------------------------------------

# Whether a visudo takes a file, and that it does not take a broken one.
judge() { # NAME COMMAND...
	local name=$1
	shift
	ok "$name takes the rules" "$@" -c -f "$rules"
	{ cat "$rules"; echo 'left4me ALL=(root NOPASSWD: /usr/bin/systemctl'; } >"$SCRATCH/broken"
	chmod 440 "$SCRATCH/broken"
	! "$@" -c -f "$SCRATCH/broken" >/dev/null 2>&1
	tap_result $? "$name does not take everything"
	rm -f "$SCRATCH/broken"
}
if command -v visudo >/dev/null; then
	judge "visudo ($(visudo -V | sed -n '1s/.* //p'))" visudo
else
	skip "sudo is not installed" "visudo"
fi
if command -v visudo-rs >/dev/null; then
	judge "visudo-rs" visudo-rs
elif tests/debian-13 run true 2>/dev/null; then
	judge "Debian 13's visudo" tests/debian-13 run -b "$SCRATCH" visudo
	judge "Debian 13's visudo-rs" tests/debian-13 run -b "$SCRATCH" visudo-rs
else
	skip "no sudo-rs here, and no Debian 13 root or not root: see tests/run" "visudo-rs"
fi

# The stub in /etc, the directory from tmpfiles.d and the rules together, by both.
install_and_list() { # run in a throw-away root: $1 = rules, $2 = stub, $3 = sudo program
	cat <<-'END'
		set -e
		grep -q ^left4me: /etc/passwd || useradd --system -u 980 -U left4me
		install -d -m 755 /run/left4me/sudoers.d
		install -m 440 "$1" /run/left4me/sudoers.d/left4me
		install -m 440 "$2" /etc/sudoers.d/left4me
		program=$3
		list() { setpriv --reuid=left4me --regid=left4me --clear-groups "$program" -n -l "$@" >/dev/null 2>&1; }
		allowed() { list "$@" || { echo "denied: $*"; exit 1; }; }
		denied() { if list "$@"; then echo "allowed: $*"; exit 1; fi; }
		allowed /usr/bin/systemctl start left4me-server@competitive.service
		allowed /usr/bin/systemctl stop left4me-server@far-port.service
		allowed /usr/bin/journalctl --no-pager -a -o json -n 200 -u build-overlay@1.service -f
		allowed /usr/bin/systemctl restart left4me-reload.service
		denied /usr/bin/systemctl daemon-reload
		denied /usr/bin/systemctl start left4me-server@competitive.service left4me-server@2.service
		denied /usr/bin/systemctl start left4me-server@far-port.service
		denied /usr/bin/systemctl start left4me-server@other.service
		denied /usr/bin/systemctl start ssh.service
		denied /usr/bin/systemctl edit left4me-server@competitive.service
		denied /usr/bin/journalctl --no-pager -a -o json -n 200 -u ssh.service
	END
}
if tests/debian-13 run true 2>/dev/null; then
	cp deploy/sudoers.d/left4me "$SCRATCH/stub"
	for program in sudo sudo-rs; do
		ok "$program of Debian 13 allows these and no others" \
			tests/debian-13 run -b "$SCRATCH" bash -c "$(install_and_list)" - "$rules" "$SCRATCH/stub" "$program"
	done
else
	skip "no Debian 13 root, or not root: see tests/run" "sudo and sudo-rs with the stub"
fi

done_testing
