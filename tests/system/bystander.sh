# shellcheck shell=bash
# In a guest, behind guest.sh, with bystander.py beside: what everybody else on the host waits for during an attack.
#
#   bystander_prepare                  in `prepare`: a service that always restarts, a oneshot, a user with a sudo rule
#   bystander_watch LABEL COMMAND...   runs COMMAND, measuring meanwhile; then one test for each of restart of the service,
#                                      `systemctl start`, `sudo -n true` of another user, login on a terminal and a log line:
#                                      never slower than BYSTANDER_LIMIT ms (1000). The status is COMMAND's.
#   bystander_calm SECONDS             for an emulated machine, whose second is no second, and for one that has other work
#                                      beside the tests: measures without an attack, and the limit becomes 1000 and eleven
#                                      times the worst of that: busy games leave others an eleventh of the CPUs, 1000 parts
#                                      to 100

BYSTANDER_LIMIT=1000

bystander_prepare() {
	cat >/etc/systemd/system/bystander.service <<-'UNIT'
		[Unit]
		Description=A service that has nothing to do with left4me
		StartLimitIntervalSec=0
		[Service]
		ExecStart=/bin/sh -c 'echo $$$$ >/run/bystander/fifo; exec sleep infinity'
		Restart=always
		RestartSec=0
	UNIT
	cat >/etc/systemd/system/bystander-oneshot.service <<-'UNIT'
		[Unit]
		StartLimitIntervalSec=0
		[Service]
		Type=oneshot
		ExecStart=/bin/true
	UNIT
	install -m 440 /dev/stdin /etc/sudoers.d/bystander <<<'other ALL=(root) NOPASSWD: /usr/bin/true'
}

bystander_measure() { # COMMAND...: the lines of bystander.py in /run/bystander/times
	local status watcher
	mkdir -p /run/bystander
	rm -f /run/bystander/over
	[ -p /run/bystander/fifo ] || mkfifo /run/bystander/fifo
	python3 bystander.py /run/bystander/over >/run/bystander/times &
	watcher=$!
	"$@"
	status=$?
	: >/run/bystander/over
	wait "$watcher"
	return "$status"
}

bystander_calm() { # SECONDS
	bystander_measure sleep "$1"
	BYSTANDER_LIMIT=$(awk '$4 > worst { worst = $4 } END { print 1000 + 11 * worst }' /run/bystander/times)
	diag "a bystander without an attack: $(awk '{ print $1, $4 }' /run/bystander/times | paste -sd, | sed 's/,/, /g') ms; limit $BYSTANDER_LIMIT ms"
}

bystander_watch() { # LABEL COMMAND...
	local label=$1 status name count median worst
	shift
	bystander_measure "$@"
	status=$?
	ok "$label: the bystander was measured" test "$(wc -l </run/bystander/times)" -eq 5
	while read -r name count median worst; do
		ok "$label: $name of a bystander: $median ms, at worst $worst of $count" test "$worst" -le "$BYSTANDER_LIMIT"
	done </run/bystander/times
	return "$status"
}
