#!/bin/bash
# In a guest whose systemd enforces less than the units say: one of Debian 12, or the next one without libseccomp (with a file
# without-seccomp). Servers run, no build does, and `check` names what is missing. Run by tests/next, since it needs other roots.
# shellcheck source=tests/system/guest.sh
. ./guest.sh
if [ "${1-}" = prepare ]; then
	set -e
	make_host
	insert_overlay 5 'echo the script runs'
	[ ! -e without-seccomp ] || rm /usr/lib/*/libseccomp.so.2*
	exit
fi
booted
diag "$(systemctl --version | head -n 1)"

for name in alpha beta gamma; do
	ok "$name is ready" wait_for 60 is_ready "$name"
done
said=$(left4me-generator check 2>&1)
is "$?" 1 "check fails"
if [ -e without-seccomp ]; then
	like "$said" 'libseccomp\.so\.2: is not installed: SystemCallFilter= .* ignored .*package libseccomp2' "it names libseccomp2"
	reason='no system call is filtered'
else
	like "$said" "PrivatePIDs= is ignored: systemd 252" "it names PrivatePIDs="
	like "$said" "is built without BPF_FRAMEWORK: RestrictNetworkInterfaces=" "it names BPF_FRAMEWORK"
	reason='not a PID namespace of its own'
fi
# PID 1 says file and line of what it ignores, and not always the key.
mapfile -t ignored < <(manager_log | sed -n 's|^\(/run/systemd/generator/[^:]*\):\([0-9]*\): .*ignoring.*|\1 \2|p' |
	while read -r file line; do sed -n "${line}s/=.*//p" "$file"; done | sort -u)
[ -e without-seccomp ] || ok "PID 1 ignores some (${ignored[*]})" test ${#ignored[@]} -ge 5
for key in "${ignored[@]}"; do
	like "$said" ": $key=" "it names $key=, which PID 1 ignores"
done

fails "a build fails" systemctl start build-overlay@5.service
log=$(journal build-overlay@5.service)
like "$log" "the sandbox is not in force: .*$reason" "for the sandbox that is not in force"
unlike "$log" '^the script runs$' "and its script has not run"
is "$(property left4me-server@alpha ActiveState)" active "servers run on"
done_testing
