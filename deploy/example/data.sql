-- Rows as a web application writes them: five servers, one of them disabled, two more that the generator refuses, and
-- six overlays.

BEGIN;

INSERT INTO overlays (id, name, kind, script) VALUES
	(1, 'Tick rate 100', 'script', '#!/bin/bash
# Tick-rate plugin with the rates that go with it.
set -euo pipefail
base=https://github.com/SirPlease/L4D2-Competitive-Rework/raw/master/addons
mkdir -p left4dead2/addons left4dead2/cfg
for file in tickrate_enabler.so tickrate_enabler.vdf; do
	echo "fetching $file"
	curl -fsSL --retry 3 -o "left4dead2/addons/$file.new" "$base/$file"
	mv "left4dead2/addons/$file.new" "left4dead2/addons/$file"
done
cat >left4dead2/cfg/tickrate.cfg <<END
sm_cvar sv_minrate 100000
sm_cvar sv_maxrate 100000
sm_cvar sv_minupdaterate 100
sm_cvar sv_maxupdaterate 100
sm_cvar sv_mincmdrate 100
sm_cvar sv_maxcmdrate 100
sm_cvar net_splitpacket_maxrate 50000
sm_cvar fps_max 0
END
'),
	(2, 'Competitive maps', 'script', '#!/bin/bash
# Keeps the maps of the competitive pool: fetches what is new or changed, removes what left the list.
set -euo pipefail
index=https://l4d2center.com/maps/servers/index.csv
addons=left4dead2/addons
mkdir -p "$addons"
curl -fsSL --retry 3 -o /tmp/index.csv "$index"
declare -A listed=()
# name;size;md5;address, with a heading
while IFS=";" read -r name _ sum address; do
	if [ "$name" = Name ] || [ -z "$name" ]; then continue; fi
	if [[ "$name" == */* ]]; then echo "skipped $name: not a file name"; continue; fi
	listed[$name]=1
	if echo "$sum  $addons/$name" | md5sum --check --status 2>/dev/null; then continue; fi
	echo "fetching $name"
	curl -fsSL --retry 3 -o /tmp/map.7z "$address"
	7z x -y -bd -o/tmp/map /tmp/map.7z "$name" >/dev/null
	echo "$sum  /tmp/map/$name" | md5sum --check --status
	mv "/tmp/map/$name" "$addons/$name"
	rm -f /tmp/map.7z
done < <(tr -d "\r" </tmp/index.csv)
for file in "$addons"/*.vpk; do
	name=${file##*/}
	if [ -e "$file" ] && [ -z "${listed[$name]-}" ]; then echo "removing $name"; rm -- "$file"; fi
done
'),
	(3, 'SourceMod and Metamod', 'files', NULL),
	(4, 'Workshop: community campaigns', 'workshop', NULL),
	(5, 'Server settings: 100% "vanilla"', 'script', '#!/bin/bash
# Percent signs and quotes in a name reach the unit as plain text.
set -euo pipefail
mkdir -p left4dead2/cfg
printf "%s\n" "mp_disable_autokick 1" "sv_consistency 0" "sv_pure 0" >left4dead2/cfg/server.cfg
'),
	(7, 'Match plugins', 'files', NULL);

INSERT INTO servers (name, title, port, arguments, enabled) VALUES
	('2', 'Campaign, all night', 27015, '+map c1m1_hotel +exec server.cfg', 1),
	('competitive', 'Competitive, tick rate 100', 27016, '-tickrate 100 +map c5m1_waterfront +exec tickrate.cfg +sv_tags competitive,100%', 1),
	('custom-maps', 'Community campaigns', 27017, '+map c8m1_apartment +mp_gamemode coop', 1),
	('training', 'Training: the installation alone', 27018, '+map tutorial_standards +sv_cheats 1', 1),
	('event', 'Event server, off until Friday', 27019, '+map c2m1_highway', 0);

-- No constraint of the schema knows the host's port range, and a line break is easily pasted into a form.
INSERT INTO servers (name, title, port, arguments, enabled) VALUES
	('far-port', 'Port outside the range of this host', 28500, '+map c1m1_hotel', 1),
	('two-lines', 'Arguments with a line break', 27021, '+map c1m1_hotel' || char(10) || 'ExecStartPost=+/bin/sh', 1);

INSERT INTO server_overlays (server, position, overlay) VALUES
	('2', 1, 5),
	('2', 2, 3),
	('competitive', 1, 1),
	('competitive', 2, 7),
	('competitive', 3, 3),
	('competitive', 4, 2),
	('custom-maps', 1, 5),
	('custom-maps', 2, 4),
	('event', 1, 1),
	('event', 2, 3),
	('far-port', 1, 3);

COMMIT;
