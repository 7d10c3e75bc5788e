#!/bin/bash
# Scenario 9: what an operator puts into /etc wins as systemd.unit(5) says, `systemctl cat` shows every part; and what
# `left4me-generator check` says about the host itself.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	exit
fi

etc=/etc/systemd/system
unit() { echo "left4me-server@$1.service"; }
drop_in() { # DIRECTORY FILE LINE...
	mkdir -p "$etc/$1"
	printf '%s\n' '[Service]' "${@:3}" >"$etc/$1/$2"
}
check() { left4me-generator check 2>/dev/null; }
# The check as an operator and as the service's user; both find the same.
check_finds() { # EXTENDED-REGEX LABEL [EXTENDED-REGEX of further lines]
	local found
	found=$(check)
	is "$?" 1 "$2: check says that there is a problem"
	like "$found" "$1" "$2: check names it"
	is "$(grep -vE "${3-$1}" <<<"$found")" "" "$2: and nothing else"
	worker /usr/bin/systemctl start left4me-check.service 2>/dev/null
	is "$(property left4me-check.service Result)" exit-code "$2: left4me-check.service fails"
	like "$(journal left4me-check.service | tail -n 8)" "$1" "$2: with the same message"
}
check_is_clean() { # LABEL
	is "$(check)" "" "$1: check finds nothing"
	ok "$1: left4me-check.service is content" worker /usr/bin/systemctl start left4me-check.service
}

ok "the boot finishes" booted
host_is_up boot
check_is_clean boot

# --- drop-ins ----------------------------------------------------------------------------------------------------------

drop_in left4me-server@.service.d 50-all.conf 'Environment=FROM_ALL=1' 'TasksMax=100' 'Nice=3'
drop_in left4me-server@alpha.service.d 60-one.conf 'Nice=7' 'MemoryMax=3G'
ok "drop-ins: daemon-reload" reload
is "$(property "$(unit alpha)" Nice)/$(property "$(unit alpha)" TasksMax)" 7/100 "a drop-in for one wins over that for all, and that over ours"
is "$(property "$(unit alpha)" MemoryMax)" 3221225472 "it wins over the unit"
is "$(property "$(unit beta)" Nice)/$(property "$(unit beta)" TasksMax)" 3/100 "the others have what is for all"
is "$(property "$(unit beta)" MemoryMax)" 2147483648 "and keep the rest"
is "$(property "$(unit beta)" NoNewPrivileges)/$(property "$(unit beta)" PrivatePIDs)" yes/yes "hardening stays"
is "$(systemctl cat "$(unit alpha)" | sed -n 's/^# \(\/[^ ]*\)$/\1/p' | paste -sd' ')" \
	"/run/systemd/generator/$(unit alpha) /run/systemd/generator/left4me-server@.service.d/10-hardening.conf $etc/left4me-server@.service.d/50-all.conf $etc/left4me-server@alpha.service.d/60-one.conf" \
	"systemctl cat shows every part, in order"
like "$(systemctl cat "$(unit alpha)")" '^MemoryMax=3G$' "with its text"
ok "restart" systemctl restart "$(unit alpha)"
ok "it is ready" wait_for 10 is_ready alpha
is "$(awk '{ print $19 }' "/proc/$(property "$(unit alpha)" MainPID)/stat")" 7 "and runs with what the drop-in says"
check_is_clean "drop-ins"
rm -r "$etc"/left4me-server@.service.d "$etc"/left4me-server@alpha.service.d

# --- a mask ------------------------------------------------------------------------------------------------------------

ok "systemctl stop" systemctl stop "$(unit beta)"
ok "systemctl mask" systemctl mask "$(unit beta)"
reload
is "$(property "$(unit beta)" LoadState)" masked "a masked server is masked"
fails "it does not start" systemctl start "$(unit beta)"
ok "the target starts without it" systemctl start left4me.target
is "$(mounts | paste -sd' ')" "alpha gamma" "it is not mounted"
check_is_clean "mask"
ok "systemctl unmask" systemctl unmask "$(unit beta)"
reload
systemctl reset-failed "$(unit beta)" 2>/dev/null
ok "then it starts" systemctl start "$(unit beta)"
fails "systemctl enable is refused: the database says what is enabled" systemctl enable "$(unit beta)"
fails "and leaves no link" test -e "$etc/multi-user.target.wants/$(unit beta)"

# A unit of the operator's own for one instance.
systemctl cat "$(unit gamma)" | sed -n '/^\[Unit\]/,/^# \//p' | sed '/^# \//d; s/^Nice=.*/Nice=9/' >"$etc/$(unit gamma)"
reload
is "$(property "$(unit gamma)" FragmentPath)/$(property "$(unit gamma)" Nice)" "$etc/$(unit gamma)/9" "a whole unit in /etc wins"
is "$(property "$(unit gamma)" DropInPaths)" /run/systemd/generator/left4me-server@.service.d/10-hardening.conf "and is hardened too"
rm "$etc/$(unit gamma)"
reload

# --- what check says of the host ---------------------------------------------------------------------------------------

# F15: a file of that name replaces ours, without a word from systemd.
drop_in left4me-server@.service.d 10-hardening.conf 'NoNewPrivileges=yes'
reload
is "$(property "$(unit alpha)" PrivatePIDs)" no "a 10-hardening.conf in /etc replaces ours"
check_finds "$etc/left4me-server@.service.d/10-hardening.conf replaces /run/systemd/generator/left4me-server@.service.d/10-hardening.conf" \
	"10-hardening.conf for servers" 10-hardening.conf
rm -r "$etc/left4me-server@.service.d"
reload
drop_in build-overlay@.service.d 10-hardening.conf 'NoNewPrivileges=yes'
reload
check_finds "build-overlay.*$etc/build-overlay@.service.d/10-hardening.conf replaces" "10-hardening.conf for builds" 10-hardening.conf
rm -r "$etc/build-overlay@.service.d"
drop_in left4me-workshop-refresh.service.d 10-hardening.conf 'NoNewPrivileges=yes'
reload
check_finds "^left4me-workshop-refresh.*$etc/left4me-workshop-refresh.service.d/10-hardening.conf replaces" \
	"10-hardening.conf for the workshop refresh" 10-hardening.conf
rm -r "$etc/left4me-workshop-refresh.service.d"
reload
is "$(property "$(unit alpha)" PrivatePIDs)" yes "once it is gone ours is back"
check_is_clean "10-hardening.conf gone"

# Units of the same name that configuration management wrote: the same is fine, anything else is out of date.
lib=/usr/local/lib/systemd/system
mkdir -p "$lib"
sed -e '/^#/d' -e '/^$/d' /run/systemd/generator/left4me-web.service >"$lib/left4me-web.service"
reload
is "$(property left4me-web.service FragmentPath)" /run/systemd/generator/left4me-web.service "the generator's unit wins over one in $lib"
check_is_clean "the same unit in $lib"
sed -i 's/^RestartSec=.*/RestartSec=30/' "$lib/left4me-web.service"
reload
check_finds "^$lib/left4me-web\.service: differs from the generator's left4me-web\.service" "another unit in $lib"
rm "$lib/left4me-web.service"
sed -e 's/^CPUWeight=.*/CPUWeight=1/' /run/systemd/generator/l4d2-game.slice >"$etc/l4d2-game.slice"
reload
check_finds "^$etc/l4d2-game\.slice: differs from the generator's" "another slice in /etc"
rm "$etc/l4d2-game.slice"
reload

# libbpf, which systemd goes without silently.
library=$(readlink -f "$(ldconfig -p | sed -n 's/.*libbpf\.so\.1 .* => //p')")
mv "$library" /root/libbpf
check_finds "^libbpf\.so\.1: is not installed" "no libbpf"
mv /root/libbpf "$library"
check_is_clean "libbpf is back"

# The state directory of another owner.
chown 1000:1000 "$STATE"
check_finds "^$STATE: is owned by 1000:1000, not by 980:980" "another owner"
chown left4me:left4me "$STATE"

# A configuration with a mistake costs its own key and is reported.
printf '[game]\nmemory_max = lots\nnice = 4\n' >/etc/left4me/left4me.conf.d/50-test.conf
reload
check_finds "/etc/left4me/left4me.conf.d/50-test.conf:2: " "a wrong value"
is "$(property "$(unit alpha)" MemoryMax)/$(property "$(unit alpha)" Nice)" 2147483648/4 "a wrong value costs its own key only"
chown 980:980 /etc/left4me/left4me.conf.d/50-test.conf
reload
check_finds "/etc/left4me/left4me.conf.d/50-test.conf" "a configuration file of another owner"
is "$(property "$(unit alpha)" Nice)" -5 "a configuration file of another owner is not read"
rm /etc/left4me/left4me.conf.d/50-test.conf
reload
check_is_clean "in the end"
is "$(mounts | paste -sd' ')" "alpha beta gamma" "all is mounted"
done_testing
