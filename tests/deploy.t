#!/bin/bash
# deploy/ (S115): accounts, directories, kernel settings and the configuration file with every key.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh

scratch deploy

# --- accounts and directories -----------------------------------------------------------------------------------------

host=$SCRATCH/host
mkdir -p "$host"/{etc,usr/lib,run,var/lib}
if [ "$(id -u)" -ne 0 ]; then
	skip "needs root" "sysusers.d and tmpfiles.d"
else
	run() { tests/debian-13 best -b "$SCRATCH" "$@" 2>&1; }
	cp -r deploy/sysusers.d deploy/tmpfiles.d "$host/usr/lib/"
	said=$(run systemd-sysusers --root="$host" left4me.conf)
	unlike "$said" 'warning|[Ff]ailed|[Ii]gnoring|conflict' "sysusers has nothing to say"
	like "$(cat "$host/etc/passwd")" '^left4me:x:980:980:[^:]*:/nonexistent:/usr/sbin/nologin$' "left4me is 980 (F17), and has no home that it can write"
	like "$(cat "$host/etc/group")" '^left4me:x:980:' "so is its group"

	tmpfiles() { run systemd-tmpfiles --create --root="$host" left4me.conf; }
	is "$(tmpfiles)" "" "tmpfiles has nothing to say"
	# the state directory is S5's
	while read -r mode owner path; do
		is "$(stat -c '%a %u:%g' "$host$path" 2>&1)" "$mode $owner" "$path"
	done <<-'END'
		755 0:0 /etc/left4me
		755 0:0 /etc/left4me/left4me.conf.d
		640 0:980 /etc/left4me/host.env
		755 980:980 /var/lib/left4me
		755 980:980 /var/lib/left4me/installation
		755 980:980 /var/lib/left4me/overlays
		755 980:980 /var/lib/left4me/workshop_cache
		755 980:980 /var/lib/left4me/runtime
		755 980:980 /var/lib/left4me/.steam
		755 980:980 /var/lib/left4me/steam
		755 0:0 /run/left4me
		755 0:0 /run/left4me/sudoers.d
		755 0:0 /run/left4me/root
		700 0:0 /run/left4me/server
		700 0:0 /run/left4me/overlay
		755 0:0 /run/left4me/view
		755 0:0 /run/left4me/mounted
	END
	is "$(cd "$host" && find etc/left4me var run -type f -printf '%p %s\n')" "etc/left4me/host.env 0" "an empty host.env, no other file"

	# A host that is in use: what is there stays, modes are put right.
	echo LEFT4ME_ROOT=/srv/left4me >"$host/etc/left4me/host.env"
	echo SECRET_KEY=x >"$host/etc/left4me/web.env"
	chmod 666 "$host"/etc/left4me/*.env
	touch "$host/var/lib/left4me/steam/kept"
	is "$(tmpfiles)" "" "a second time, with files there"
	is "$(cat "$host"/etc/left4me/*.env)" "LEFT4ME_ROOT=/srv/left4me
SECRET_KEY=x" "contents stay"
	is "$(stat -c '%a %u:%g' "$host"/etc/left4me/*.env | sort -u)" "640 0:980" "environment files are 0640 root:left4me (F16)"
	ok "files below the state directory stay" test -e "$host/var/lib/left4me/steam/kept"
fi

# --- kernel settings (S3, F20) ----------------------------------------------------------------------------------------

settings=$(sed -n 's/^\([a-z][^ ]*\) = /\1=/p' deploy/sysctl.d/99-left4me.conf | sort)
is "$(cut -d= -f1 <<<"$settings" | uniq -d)" "" "sysctl.d has each setting once"
# What those of fs. do is tried in tests/system/limits.sh.
is "$(grep -v '^fs\.' <<<"$settings")" "$(sort <<-'END'
	kernel.yama.ptrace_scope=2
	kernel.keys.maxbytes=1000000
	kernel.keys.maxkeys=20000
	net.core.default_qdisc=fq_codel
	net.core.netdev_budget=600
	net.core.netdev_max_backlog=5000
	net.core.rmem_default=524288
	net.core.rmem_max=8388608
	net.core.wmem_default=524288
	net.core.wmem_max=8388608
	net.ipv4.tcp_congestion_control=bbr
	net.ipv4.udp_rmem_min=16384
	net.ipv4.udp_wmem_min=16384
	vm.swappiness=10
END
)" "and those of the production host"

# --- modules that are not loaded on demand ------------------------------------------------------------------------------

aliases=$(grep -v '^\(#\|$\)' deploy/modprobe.d/left4me.conf)
is "$(grep -Evx 'alias net-pf-[0-9]+(-proto-[0-9]+(-type-[0-9]+)?)? off' <<<"$aliases")" "" "modprobe.d stops loading on demand and nothing else"
is "$(sort <<<"$aliases" | uniq -d)" "" "each kind of socket once"
# AF_UNIX, AF_INET, AF_INET6, AF_NETLINK with ss, nftables and IPsec, AF_PACKET and PPPoE are any host's.
is "$(grep -E ' net-pf-(1|2|10|16|17|24|44|16-proto-[^2].*) ' <<<"$aliases")" "" "what a host wants by default is not among them"
for kind in 40 38 16-proto-21 2-proto-132 10-proto-132 30 21; do
	like "$aliases" "^alias net-pf-$kind off\$" "net-pf-$kind is"
done

# --- the configuration file names every key with its default -----------------------------------------------------------

build=${BUILD:-build}
make_conf() { # LIBEXECDIR: as make install does it, out of the list of keys
	make -s B="$SCRATCH/make" LIBEXECDIR="$1" "$SCRATCH/make/text/etc/left4me/left4me.conf" >&2
	cat "$SCRATCH/make/text/etc/left4me/left4me.conf"
}
conf=$SCRATCH/left4me.conf
libexecdir=$(cut -d" " -f1 "$build/libexecdir" 2>/dev/null || echo /usr/local/libexec/left4me)
make_conf "$libexecdir" >"$conf"

# The same list as the compiler reads it: SECTION, KEY and default, NULL where it follows from something else.
keys=$(printf '%s\n' '#include "generator/keys.h"' '#define KEY(section, name, type, fallback, ...) @section name fallback@' \
	'KEYS(KEY)' | "${CC:-cc}" -E -P -DLIBEXECDIR="\"$libexecdir\"" -I. - | grep -o '@[^@]*@' | tr -d '@' | sed 's/ "\(.*\)"$/ \1/')
defined=$(awk '{ print $1 "." $2 }' <<<"$keys" | sort)
documented=$(awk '/^\[/ { section = substr($1, 2, length($1) - 2) } /^#[a-z_]+ =/ { print section "." substr($1, 2) }' "$conf" | sort)
ok "generator/keys.h has its list of keys" test "$(wc -l <<<"$defined")" -gt 20
is "$documented" "$defined" "left4me.conf has every key, in its section, once"
for key in $defined; do
	like "$(cat deploy/man/left4me.conf.5)" "^\\.It Ic ${key#*.}\$" "left4me.conf(5) has ${key#*.}"
done
while read -r section name fallback; do
	shown=$(awk -v s="[$section]" -v k="#$name =" '/^\[/ { in_section = ($0 == s) } in_section && index($0, k) == 1' "$conf")
	if [ "$fallback" = NULL ]; then
		like "$shown" "^#$name = [^ ]" "[$section] $name shows what it may be"
	else
		is "$shown" "#$name =${fallback:+ $fallback}" "[$section] $name is '$fallback'"
	fi
done <<<"$keys"
is "$(awk '/^#[a-z_]+ =/ { print previous } { previous = $0 }' "$conf" | grep -c '^\[')" 0 "each section begins with a comment"

like "$(make_conf /opt/helpers)" '^#helpers = /opt/helpers$' "[host] helpers is where make install puts them (S15)"

# Uncommented as a whole it is valid; no line is longer than inih takes.
is "$(awk 'length > 198' "$conf")" "" "no line is too long"
if [ -x "$build/left4me-generator" ]; then
	sed 's/^#\([a-z_]* =\)/\1/' "$conf" >"$SCRATCH/all.conf"
	is "$(grep -c '^[a-z_]* =' "$SCRATCH/all.conf")" "$(wc -l <<<"$defined")" "every key is set in a copy"
	said=$("$build/left4me-generator" render --no-database --config="$SCRATCH/all.conf" --format=tree --output="$SCRATCH/all" 2>&1)
	is "$? $said" "0 " "every key set to what the file says is accepted without a word"
	said=$("$build/left4me-generator" render --no-database --config="$conf" --format=tree --output="$SCRATCH/none" 2>&1)
	is "$? $said" "0 " "as shipped it is accepted"
	is "$(diff -ru --no-dereference "$SCRATCH/all" "$SCRATCH/none" 2>&1)" "" "the defaults it names are the defaults"
else
	skip "left4me-generator is not built" "left4me.conf is accepted"
fi

# --- an older systemd ----------------------------------------------------------------------------------------------------

mkdir "$SCRATCH/bin"
for version in 252 256 257 262; do
	printf '#!/bin/sh\necho "systemd %s (%s.1-1)"\n' $version $version >"$SCRATCH/bin/systemctl"
	chmod 755 "$SCRATCH/bin/systemctl"
	# shellcheck disable=SC2016 # make's
	said=$(PATH=$SCRATCH/bin:$PATH make -s --eval='warn: ; $(warn_of_old_systemd)' warn 2>&1)
	if [ $version -lt 257 ]; then
		like "$said" "^left4me: systemd $version is older than 257: no build runs.*left4me-generator check" "make install warns of systemd $version"
	else
		is "$said" "" "... not of $version"
	fi
done

# --- the rest ---------------------------------------------------------------------------------------------------------

version=$(sed -n '1s/^left4me (\(.*\)) .*/\1/p' deploy/debian/changelog)
is "$(sed -n 's/^## \([0-9.]*\) (.*)$/\1/p' CHANGELOG.md | head -n 1)" "$version" "the newest changes are those of the package's version"
if [ -x "$build/left4me-generator" ]; then
	is "$("$build/left4me-generator" --version)" "left4me-generator $version" "which the program has"
fi

# make dist: all that is committed and nothing else, and the same again. Another user's clone git does not touch.
if git rev-parse HEAD >/dev/null 2>&1; then
	for copy in first second; do
		make -s dist >/dev/null 2>&1 && cp "build/left4me-$version.tar.gz" "$SCRATCH/$copy.tar.gz"
		sleep 1
	done
	ok "make dist: the same bytes again" cmp "$SCRATCH/first.tar.gz" "$SCRATCH/second.tar.gz"
	is "$(tar -tzf "$SCRATCH/first.tar.gz" | grep -v '/$' | sort)" "$(git ls-tree -r --name-only HEAD | sed "s|^|left4me-$version/|" | sort)" \
		"all that is committed, in one directory"
else
	skip "no git repository" "make dist"
fi

is "$(sed -n '/Permission/,$p' LICENSE | tr -s ' \n' ' ')" "$(sed -n '/Permission/,$s/^ \.\{0,1\}//p' deploy/debian/copyright | tr -s ' \n' ' ')" \
	"its copyright file has the text of LICENSE"

is "$(cat deploy/sudoers.d/left4me)" "@includedir /run/left4me/sudoers.d" "the sudoers stub is one line"
is "$(sed -n 's/^nameserver //p' deploy/etc/left4me/sandbox-resolv.conf | xargs)" "1.1.1.1 8.8.8.8" "public resolvers (S90)"
unlike "$(grep -v '^#' deploy/etc/left4me/web.env)" . "web.env ships no secret"

installs=$(make -n install DESTDIR=/nowhere 2>&1)
for page in deploy/man/*; do
	like "$installs" "/man${page##*.} .*/man/${page##*/}( |\$)" "make install has ${page##*/}"
done
if command -v mandoc >/dev/null; then
	for page in deploy/man/*; do
		# Which other pages are installed here is not the page's business.
		is "$(mandoc -Tlint -Wstyle "$page" 2>&1 | grep -Ev 'referenced manual not found|mandoc\.db')" "" "mandoc has nothing to say about ${page##*/}"
	done
else
	skip "mandoc is not installed" "man pages"
fi

done_testing
