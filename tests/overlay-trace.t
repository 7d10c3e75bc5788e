#!/bin/sh
# left4me-overlay: which files it opens; memory errors.
# shellcheck disable=SC2034,SC2119,SC2319 # common.sh reads `needs`; ok() reads $?
needs=strace
. tests/overlay/common.sh

# Every name given to a call, apart from the root, /proc, libraries, and what libselinux looks at.
foreign_files()
{
	strace -f -e trace=%file,openat2,open_tree,move_mount -o "$stage/log" "$overlay" --root="$R" "$@" 2>"$err"
	grep -v '^[0-9]*  *\(exit\|+++\|---\|execve(\)' "$stage/log" | grep -o '"[^"]*"' | tr -d '"' | sort -u | grep '^/' |
		grep -vE "^($R|/proc|/proc/.*|/lib.*|/usr/lib/.*|/usr/local/lib/.*|/etc/ld\.so\.(cache|preload)|/sys/fs/selinux|/selinux|/etc/selinux/.*|/run|/run/left4me/view/left4me-server@a|/run/left4me/mounted/a|/etc/left4me/host\.env|/run/left4me/server/a|/run/systemd/journal/socket)\$"
}

fresh
is "$(foreign_files mount a 3 2 1 installation)" "" "mount opens nothing foreign"
is "$(cat "$M/who")" 3 "... and has mounted"
is "$(foreign_files mount a 3 2 1 installation)" "" "mount again opens nothing foreign"
is "$(foreign_files umount a)" "" "umount opens nothing foreign"
! mounted
ok "... and has unmounted"
is "$(foreign_files umount a)" "" "umount again opens nothing foreign"
strace -f -e trace=all -o "$stage/log" "$overlay" --root="$R" mount a 1 installation
is "$(grep host.env "$stage/log" | grep -c stat) $(grep -c host.env "$stage/log")" "1 1" "of host.env it looks at nothing but its identity"
[ "$(grep -c 'setns(' "$stage/log")" = 1 ] &&
	[ "$(sed '/setns(/,$d' "$stage/log" | grep -v 'execve(' | grep -c "$R")" = 0 ] &&
	[ "$(sed -n '/setns(/,$p' "$stage/log" | grep -c "openat([^,]*, \"$R\"")" = 1 ]
ok "the root is opened once, and nothing below it before PID 1's namespace is entered"
! grep -qE 'execve\(.*execve|(fork|clone3?)\(' "$stage/log" && [ "$(grep -c 'execve(' "$stage/log")" = 1 ]
ok "it starts no program"
! grep -E "openat2" "$stage/log" | grep -vq 'resolve=[A-Z_|]*RESOLVE_NO_SYMLINKS|RESOLVE_BENEATH'
ok "every openat2 has RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS"
run umount a

# Layers one by one came with Linux 6.8: 6.6 refuses the option, 6.1 the mount, both with EINVAL and no more than that.
einval() # WHICH PREFIX...: the mount with an error of the kernel's at the call of that number
{
	which=$1
	shift
	strace -E ASAN_OPTIONS=detect_leaks=0 -o "$stage/log" -e trace=fsconfig -e "inject=fsconfig:error=EINVAL:when=$which" "$@" \
		"$overlay" --root="$R" mount a 1 installation 2>"$err"
	status=$?
}
fresh
if setarch --uname-2.6 true 2>/dev/null; then
	einval 2 setarch --uname-2.6
	refused 1 "'.*merged': needs Linux 6\.8 or later.*this is 2\.6\." "an older kernel that refuses the first layer is named"
	einval 1000
	run umount a
	einval "$(($(grep -c FSCONFIG_SET "$stage/log") + 1))" setarch --uname-2.6
	refused 1 "needs Linux 6\.8 or later.*this is 2\.6\." "... and one that refuses the mount"
else
	skip "no setarch"
	skip "no setarch"
fi
einval 2
[ "$status" = 1 ] && ! grep -q '6\.8' "$err"
ok "a newer kernel that refuses a layer is not said to be old"

# Options that the kernel has a default of its own for: mountinfo shows them only where they differ from that.
strace -e trace=fsconfig -o "$stage/log" "$overlay" --root="$R" mount a 1 installation
is "$(sed -n 's/^fsconfig([0-9]*, FSCONFIG_SET_STRING, "\([a-z_]*\)", "off", 0) *= 0$/\1/p' "$stage/log" | sort | paste -sd' ' -)" \
	"index metacopy redirect_dir xino" "each option of the kernel's own choice is switched off"
run umount a

# every way of ending, under a checker
each_way()
{
	fresh
	mkdir -p "$R/runtime/a/upper/some/dir"
	touch "$R/runtime/a/upper/some/file"
	chown -R 980:981 "$R/runtime/a"
	for arguments in "--help" "mount" "mount A installation" "mount a x installation" "--dry-run mount a 1 installation" \
		"mount a 9 installation" "mount a 3 2 1 installation" "mount a 1 installation" "--dry-run umount a" \
		"umount a" "umount a"; do
		# shellcheck disable=SC2086
		"$@" --root="$R" $arguments >>"$stage/out" 2>>"$stage/checked"
		echo "$arguments: $?"
	done
	mkdir -p "$R/runtime/a/work/work/d/e"
	"$@" --root="$R" umount a 2>>"$stage/checked"
	echo "leftover: $?"
	setfattr -n user.fuseoverlayfs.origin -v y "$R/runtime/a/upper/some/file"
	"$@" --root="$R" mount a 1 installation 2>>"$stage/checked"
	echo "taint: $?"
}

plain=$(each_way "$overlay")
if make -s SANITIZE=address,undefined "CC=${CC:-cc}" build/sanitize/left4me-overlay >"$err" 2>&1; then
	: >"$stage/checked"
	is "$(each_way "$PWD/build/sanitize/left4me-overlay")" "$plain" "sanitized: every way ends as it does without"
	! grep -n 'Sanitizer\|runtime error' "$stage/checked" | sed 's/^/# /' | grep .
	ok "... and nothing is reported"
else
	skip "a sanitized program cannot be built here: $(tail -n1 "$err")"
fi

# Older valgrinds know none of the calls that matter; then only what comes before them is checked.
if [ "$build" = "$PWD/build/sanitize" ] || ! command -v valgrind >/dev/null; then
	skip "valgrind is not installed, or not for a sanitized program"
else
	: >"$stage/checked"
	each_way valgrind -q --leak-check=full --error-exitcode=99 "$overlay" >"$stage/ways"
	! grep -q ': 99$' "$stage/ways"
	ok "valgrind finds nothing"
	if grep -q 'unhandled .* syscall' "$stage/checked"; then
		skip "this valgrind does not know openat2, so nothing was mounted"
	else
		is "$(cat "$stage/ways")" "$plain" "... and every way ends as it does without"
	fi
fi
finish
