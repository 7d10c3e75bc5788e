# shellcheck shell=bash
# In a guest, behind guest.sh: commands as user left4me inside a unit with the web unit's hardening, the worker's place (S129).
install -d /run/systemd/system/as-web@.service.d /opt/as-web
ln -s /run/systemd/generator/left4me-web.service.d/10-hardening.conf /run/systemd/system/as-web@.service.d/
cat >/run/systemd/system/as-web@.service <<-'END_OF_UNIT'
	[Service]
	Type=oneshot
	User=left4me
	Group=left4me
	WorkingDirectory=/opt/left4me/src
	Environment=PYTHONDONTWRITEBYTECODE=1
	ExecStart=/bin/bash /opt/as-web/%i
	StandardOutput=truncate:/opt/as-web/%i.out
	StandardError=truncate:/opt/as-web/%i.err
	TimeoutStartSec=600
END_OF_UNIT

# in_web NAME COMMAND...: the command inside such a unit; OUT and ERR are what it wrote.
prepare_web() {
	local name=$1
	shift
	printf '%q ' "$@" >"/opt/as-web/$name"
}
# shellcheck disable=SC2034 # by the scenarios
in_web() {
	local name=$1 status
	prepare_web "$@"
	systemctl start "as-web@$name.service" 2>/dev/null
	status=$?
	OUT=$(cat "/opt/as-web/$name.out")
	ERR=$(cat "/opt/as-web/$name.err")
	systemctl reset-failed "as-web@$name.service" 2>/dev/null
	return $status
}
