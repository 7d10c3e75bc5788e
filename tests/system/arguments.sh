#!/bin/bash
# What systemd itself makes of quoted lines: of any, compared with tests/fuzz/systemd.c by which the fuzzers judge, and of
# those that the generator writes for hundreds of rows, compared with the rows. A stand-in writes down what it was given.
# shellcheck source=tests/system/guest.sh
. ./guest.sh

mkdir /run/dump
chmod 777 /run/dump
cat >dump.pl <<'END'
#!/usr/bin/perl
my $name = shift;
# As left4me-overlay, which is given a directory, the unit and what to become.
splice @ARGV, 0, 9 if $name eq 'enter' and $ARGV[1] =~ /^left4me-server@(.*)/ and $name = $1;
open my $file, '>', "/run/dump/$name" or die;
print $file join("\0", defined $ENV{X} ? "=$ENV{X}" : '-', @ARGV), "\0";
END

make_database
python3 arguments.py insert "$DATABASE" || exit 1
# The real unit's ExecStart=, but the stand-in for the helper, without a mount or hardening: those take their time.
chmod 755 dump.pl
mount --bind dump.pl /usr/local/libexec/left4me/left4me-overlay
# No variable of the operator's changes what is in the row.
printf 'L4D2_PORT=1\nL4D2_ARGS=-variable\nL4D2_LAYERS=9\nHOME=/variable\n' >/etc/left4me/host.env
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
ExecStopPost=
END
cp units/*.service /run/systemd/system/
systemctl daemon-reload
cd units && systemctl start -- *.service
cd .. || exit 1
sed -n 's|.* start \(left4me-server@.*\)|\1|p' /run/left4me/sudoers.d/left4me | xargs systemctl start --
python3 arguments.py check
