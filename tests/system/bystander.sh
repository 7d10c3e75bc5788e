# shellcheck shell=bash
# In a guest, behind guest.sh, with bystander.py beside: what everybody else on the host waits for during an attack.
#
#   bystander_prepare                  in `prepare`: a service that always restarts, a oneshot, a user with a sudo rule
#   bystander_watch LABEL COMMAND...   runs COMMAND, measuring meanwhile; then one test for each of restart of the service,
#                                      `systemctl start`, `sudo -n true` of another user, login on a terminal and a log line:
#                                      never slower than BYSTANDER_LIMIT ms (1000). The status is COMMAND's.

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

bystander_watch() { # LABEL COMMAND...
	local label=$1 status watcher name count median worst
	shift
	mkdir -p /run/bystander
	rm -f /run/bystander/over
	[ -p /run/bystander/fifo ] || mkfifo /run/bystander/fifo
	python3 bystander.py /run/bystander/over >/run/bystander/times &
	watcher=$!
	"$@"
	status=$?
	: >/run/bystander/over
	wait "$watcher"
	ok "$label: the bystander was measured" test "$(wc -l </run/bystander/times)" -eq 5
	while read -r name count median worst; do
		ok "$label: $name of a bystander: $median ms, at worst $worst of $count" test "$worst" -le "$BYSTANDER_LIMIT"
	done </run/bystander/times
	return "$status"
}
