#!/bin/sh
# left4me-overlay: its command line, and what of its caller's surroundings changes nothing.
. tests/overlay/common.sh

# --- command line

fresh
"$overlay" --help | grep -q '^usage: left4me-overlay'
ok "--help"
[ "$("$overlay" --version)" = "left4me-overlay 1" ]
ok "--version"
for arguments in "" "mount" "umount" "mount a" "umount a 1" "mount a 1" "mount a installation 1" "remount a" \
	"mount a installation installation" "mount a 1 1 installation" "--bogus mount a installation" \
	"--root" "mount a --dry-run installation" "mount a 1 2,3 installation"; do
	# shellcheck disable=SC2086
	run $arguments
	refused 2 . "usage error: '$arguments'"
done
for root in "" relative /a/../b "$R/" //a /a/./b; do
	"$overlay" "--root=$root" umount a 2>"$err"
	status=$?
	refused 2 "normalised" "--root='$root' is refused"
done
long=$(printf 'a%.0s' $(seq 65))
for name in .. . a/b "" "$long" -x A aB _a "a b" "a	b" "a
b" a. é; do
	run mount "$name" installation
	refused 2 "is not the name of an instance" "mount refuses the name '$name'"
	run umount "$name"
	refused 2 "is not the name of an instance" "umount refuses the name '$name'"
done
for id in "" 0 00 01 -1 -x +7 7x " 7" "7 " 0x7 9223372036854775808 18446744073709551616 18446744073709551617 \
	.. ../1 1/../2 Installation "1
2"; do
	run mount a "$id" installation
	refused 2 "is not the id of an overlay" "the id '$id' is refused"
done
run mount "${long#a}" 1 installation
is "$status" 0 "a name of 64 characters"
run umount "${long#a}"
mkdir "$R/overlays/9223372036854775807"
run mount a 9223372036854775807 installation
is "$status" 0 "the id 2^63-1"
run umount a
[ -z "$(ls "$R/runtime/-x" 2>/dev/null)" ] && [ "$(find "$R/runtime" -mindepth 1 -maxdepth 1 | wc -l)" = 2 ]
ok "nothing was made for what was refused"
(cd / && "$overlay" mount a 1 installation 2>"$err")
grep -q "'/var/lib/left4me" "$err" || mounted
ok "the root is /var/lib/left4me"
if [ -c /dev/full ]; then
	"$overlay" --root="$R" --dry-run mount a installation >/dev/full 2>"$err"
	is $? 1 "a dry run that cannot print fails"
else
	skip "no /dev/full"
fi

# --- surroundings

fresh
mkdir "$stage/elsewhere" "$stage/config"
# Not LIBBLKID_DEBUG: util-linux 2.41 reads that in a constructor, before main() can clear it; it only prints.
hostile()
{
	env LEFT4ME_ROOT="$stage/elsewhere" LEFT4ME_INSTANCE=b LEFT4ME_DRY_RUN=1 LEFT4ME_NO_SETNS=1 L4D2_LAYERS=3 \
		LIBMOUNT_FORCE_MOUNT2=always LIBMOUNT_MOUNTINFO="$stage/config" LIBMOUNT_FSTAB="$stage/config" \
		LIBMOUNT_UTAB="$stage/config" LIBMOUNT_MTAB="$stage/config" LIBMOUNT_DEBUG=all \
		LD_LIBRARY_PATH="$stage/elsewhere" LD_BIND_NOW=1 LD_PRELOAD= LD_ORIGIN_PATH=/ POSIXLY_CORRECT=1 \
		JOURNAL_STREAM=1:1 TMPDIR="$stage/elsewhere" LANG=de_DE.UTF-8 LC_ALL=xx RUNTIME_DIRECTORY="$stage/elsewhere" \
		PATH="$stage/elsewhere" HOME="$stage/elsewhere" MALLOC_CHECK_=3 \
		"$overlay" --root="$R" "$@" >"$stage/out" 2>"$err"
}
hostile mount a 2 1 installation && [ "$(cat "$M/who")" = 2 ] && [ ! -s "$err" ] && [ ! -s "$stage/out" ] &&
	[ "$(find "$stage/elsewhere" "$stage/config" | wc -l)" = 2 ]
ok "a hostile environment changes nothing about mount"
hostile mount a 2 1 installation && [ "$(grep -c left4me: /proc/self/mountinfo)" = 1 ]
ok "... nor about a second one"
hostile umount a && ! mounted && [ ! -s "$err" ]
ok "... nor about umount"
fresh 499
# shellcheck disable=SC2046
hostile mount a $(layers_down_from 499) && [ "$(find "$M" -name 'only-*' | wc -l)" = 499 ]
ok "... nor about 500 layers"
hostile umount a
fresh
(umask 077; run mount a 1 installation) && [ "$(stat -c %a "$R/runtime/a" "$R/runtime/a/upper" | sort -u)" = 755 ]
ok "the caller's umask changes nothing"
# shellcheck disable=SC2016
sh -c 'exec 7<"$1" && exec "$overlay" --root="$R" umount a' sh "$M" 2>"$err"
is $? 0 "a descriptor of the mount, handed down, does not make it busy"
is "$(python3 "$here/bare.py" "$overlay" "--root=$R" mount a 1 installation)" 0 "without descriptors 0, 1 and 2"
is "$(cat "$M/who")" 1 "... it is mounted"
is "$(python3 "$here/bare.py" "$overlay" "--root=$R" umount a)" 0 "... and unmounted"
finish
