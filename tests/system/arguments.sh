#!/bin/bash
# What systemd itself makes of quoted lines: of any, compared with tests/fuzz/systemd.c by which the fuzzers judge, and of
# those that the generator writes for hundreds of rows, compared with the rows. A stand-in writes down what it was given.
# shellcheck source=tests/system/guest.sh
. ./guest.sh

mkdir /run/dump
chmod 777 /run/dump
cat >dump.pl <<'END'
my $name = shift;
open my $file, '>', "/run/dump/$name" or die;
print $file join("\0", defined $ENV{X} ? "=$ENV{X}" : '-', @ARGV), "\0";
END

make_database
python3 arguments.py insert "$DATABASE" || exit 1
# The real unit's Environment=, but the stand-in for the game, without a mount or hardening: those take their time.
dropins=/etc/systemd/system/left4me-server@.service.d
mkdir -p "$dropins"
: >"$dropins/10-hardening.conf"
cat >"$dropins/50-dump.conf" <<'END'
[Service]
Type=oneshot
User=root
WorkingDirectory=/
StandardOutput=null
Restart=no
Nice=0
ExecStartPre=
ExecStart=
ExecStart=/usr/bin/perl /opt/system-test/files/dump.pl %i $L4D2_ARGS
ExecStopPost=
END
cp units/*.service /run/systemd/system/
systemctl daemon-reload
cd units && systemctl start -- *.service
cd .. || exit 1
sed -n 's|.* start \(left4me-server@.*\)|\1|p' /run/left4me/sudoers.d/left4me | xargs systemctl start --
python3 arguments.py check
