#!/bin/sh
# left4me-overlay: directories that turn into symbolic links while it works.
# RACE_TRIES=100000 tests/overlay-race.t tries harder than the 3000 times of an ordinary run.
# shellcheck disable=SC2119
. tests/overlay/common.sh

fresh
chown -R 980:981 "$R"
touch "$R/overlays/1/here" "$R/installation/here"
mkdir "$stage/victim"
mount -t tmpfs victim "$stage/victim"
for victim in "$stage/victim" "$stage/victim-near"; do
	mkdir -p "$victim/1" "$victim/a/upper" "$victim/a/work" "$victim/a/merged"
	touch "$victim/stolen" "$victim/1/stolen" "$victim/a/upper/stolen"
done
mkdir "$stage/victim/merged"
mount -t tmpfs victim "$stage/victim/merged"
exec python3 "$here/race.py" "$overlay" "$R" "$stage/victim" "${RACE_TRIES:-3000}"
