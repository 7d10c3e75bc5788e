# left4me: make, make check, make demo, make bench, make fuzz SECONDS=, make portable, make install DESTDIR= PREFIX=, make uninstall, make deb, make dist

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
LIBEXECDIR ?= $(PREFIX)/libexec/left4me
PKG_CONFIG ?= pkg-config
GENERATORDIR ?= $(or $(shell $(PKG_CONFIG) --define-variable=prefix=$(PREFIX) \
	--define-variable=rootprefix=$(PREFIX) --define-variable=root_prefix=$(PREFIX) --variable=systemdsystemgeneratordir systemd 2>/dev/null), \
	$(PREFIX)/lib/systemd/system-generators)

CC ?= cc
CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla
SANITIZE ?=
# The number of the release has this one place; CHANGELOG.md says what is in it.
VERSION := $(shell sed -n '1s/^left4me (\(.*\)) .*/\1/p' deploy/debian/changelog)

# A sanitized build has a directory of its own, so that the two never mix.
B := build$(if $(SANITIZE),/sanitize)
empty :=
space := $(empty) $(empty)
comma := ,
override CPPFLAGS += -D_FILE_OFFSET_BITS=64 -Igenerator -I$B/core -DVERSION='"$(VERSION)"'
override CFLAGS += -std=c11 $(WARNINGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all)
override LDFLAGS += -Wl,--as-needed -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE))

templates := $(filter-out %.awk,$(wildcard templates/*))
core := $(filter-out generator/main.c generator/platform.c,$(wildcard generator/*.c))
core_objects := $(core:generator/%.c=$B/core/%.o) $B/core/platform.o $B/core/templates.o
programs := left4me-generator left4me-overlay left4me-fetch-script
unit_tests := $(patsubst tests/%.c,$B/tests/%,$(wildcard tests/test-*.c))

all: $(programs:%=$B/%)

# The generator starts at every boot and reload: libc, sqlite3 and inih, no more.
$B/left4me-generator: $B/core/main.o $(core_objects)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs sqlite3 inih)

# What is inside a privileged program stands in its line.
overlay_objects := left4me-overlay $(basename $(notdir $(wildcard helpers/overlay-*.c))) privileged
$B/left4me-overlay: $(overlay_objects:%=$B/helpers/%.o) $(patsubst %,$B/core/%.o,started escape name base)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs mount)

fetch_objects := left4me-fetch-script $(basename $(notdir $(wildcard helpers/fetch-*.c))) privileged
$B/left4me-fetch-script: $(fetch_objects:%=$B/helpers/%.o) $(patsubst %,$B/core/%.o,child database database-enter database-explain recovery escape name base platform)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs sqlite3)

# The templates in pieces; generator/template.h.
$B/core/templates.c $B/core/templates.h: templates/compile.awk $(templates)
	@mkdir -p $(@D)
	LC_ALL=C awk -v header=$(if $(filter %.h,$@),1,0) -f $< $(templates) > $@

$B/core/%.o: generator/%.c | $B/core/templates.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -MMD -MP -c -o $@ $<

# Another place for the helpers is another default of [host] helpers: compiled, commented and documented anew; that for data,
# another place where a message says that views and examples lie.
$B/core/config.o: override CPPFLAGS += -DLIBEXECDIR='"$(LIBEXECDIR)"'
$B/core/database-explain.o: override CPPFLAGS += -DVIEWS='"$(DATADIR)/left4me/schema/views.sql"'
$B/core/host-needs.o: override CPPFLAGS += -DEXAMPLES='"$(DATADIR)/left4me/examples"'
$B/core/config.o $B/core/database-explain.o $B/core/host-needs.o: $B/libexecdir
$B/libexecdir: FORCE
	@mkdir -p $(@D)
	@echo '$(LIBEXECDIR) $(DATADIR)' | cmp -s - $@ || echo '$(LIBEXECDIR) $(DATADIR)' > $@
FORCE:

$B/text/etc/left4me/left4me.conf: deploy/left4me.conf.awk generator/keys.h $B/libexecdir
	@mkdir -p $(@D)
	LC_ALL=C awk -v libexecdir='$(LIBEXECDIR)' -f $< generator/keys.h > $@

$B/text/%: deploy/% $B/libexecdir
	@mkdir -p $(@D)
	sed 's|/usr/local/libexec/left4me|$(LIBEXECDIR)|' $< > $@

$B/core/templates.o: $B/core/templates.c
	$(CC) $(CPPFLAGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -MMD -MP -c -o $@ $<

$B/helpers/%.o: helpers/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -D_GNU_SOURCE $(CFLAGS) $(shell $(PKG_CONFIG) --cflags mount) -MMD -MP -c -o $@ $<

$B/tests/%: tests/%.c $(core_objects)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -D_GNU_SOURCE $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(core_objects) \
		$(shell $(PKG_CONFIG) --libs sqlite3 inih)

# Those that boot a system are apart: make check-system.
TESTS ?= $(filter-out tests/system%,$(sort $(wildcard tests/*.t)))
check: all $(unit_tests)
	BUILD=$B prove $(PROVEFLAGS) $(unit_tests) $(TESTS)

# Emulated machines last.
SYSTEM_TESTS ?= $(shell grep -L 'system/tap vm' tests/system*.t) $(shell grep -l 'system/tap vm' tests/system*.t)
check-system: all
	BUILD=$B prove $(PROVEFLAGS) $(SYSTEM_TESTS)

# Rewrites the expectations of tests/cases and tests/messages.txt; their diff is then reviewed like code.
golden: all
	tests/golden.t --write
	tests/messages.t --write

demo:
	deploy/demo

bench: all
	tests/bench/run
	tests/bench-overlay
	tests/bench-build

bench-system:
	tests/system/bench

# tests/fuzz/README.md
fuzz:
	tests/fuzz/run $(SECONDS)

# The core against another C library, POSIX alone, with no header beside but sqlite3.h and ini.h.
portable: $B/core/templates.c
	tests/portable

INSTALL ?= install
SYSCONFDIR ?= /etc
D = $(DESTDIR)

# A package has left4me-reload.service of its own, for after a generator that failed. In /usr/local/lib/systemd/system it would
# be bundlewrap's to purge.
install: all build/text/etc/left4me/left4me.conf build/text/man/left4me.conf.5
	$(INSTALL) -D -t $D$(GENERATORDIR) build/left4me-generator
	$(INSTALL) -d $D$(BINDIR)
	ln -sfn $(GENERATORDIR)/left4me-generator $D$(BINDIR)/left4me-generator
	$(INSTALL) -D -t $D$(LIBEXECDIR) build/left4me-overlay build/left4me-fetch-script
	$(INSTALL) -D -t $D$(LIBEXECDIR) deploy/selftest deploy/user-home deploy/after-install
	$(INSTALL) -D -t $D$(LIBEXECDIR)/selftest.d deploy/selftest.d/probe deploy/selftest.d/decoy
	$(INSTALL) -D -m 644 -t $D$(LIBEXECDIR)/selftest.d deploy/selftest.d/outside.sh
	$(INSTALL) -D -m 644 -t $D$(LIBEXECDIR)/selftest.d/probes $(wildcard deploy/selftest.d/probes/*.py)
	$(if $(filter /usr,$(PREFIX)),$(INSTALL) -D -m 644 templates/reload.service $D$(PREFIX)/lib/systemd/system/left4me-reload.service)
	$(INSTALL) -D -m 644 deploy/sysusers.d/left4me.conf $D$(PREFIX)/lib/sysusers.d/left4me.conf
	$(INSTALL) -D -m 644 deploy/tmpfiles.d/left4me.conf $D$(PREFIX)/lib/tmpfiles.d/left4me.conf
	$(INSTALL) -D -m 644 deploy/sysctl.d/99-left4me.conf $D$(PREFIX)/lib/sysctl.d/99-left4me.conf
	$(INSTALL) -D -m 644 deploy/modprobe.d/left4me.conf $D$(PREFIX)/lib/modprobe.d/left4me.conf
	$(INSTALL) -D -m 440 deploy/sudoers.d/left4me $D$(SYSCONFDIR)/sudoers.d/left4me
	for file in build/text/etc/left4me/left4me.conf deploy/etc/left4me/sandbox-resolv.conf; do \
		test -e $D$(SYSCONFDIR)/left4me/$${file##*/} || \
		$(INSTALL) -D -m 644 -t $D$(SYSCONFDIR)/left4me $$file || exit; done
	$(INSTALL) -D -m 644 -t $D$(DATADIR)/left4me/examples deploy/etc/left4me/host.env deploy/etc/left4me/web.env
	$(INSTALL) -D -t $D$(DATADIR)/left4me/examples deploy/worker/left4me-worker
	$(INSTALL) -D -m 644 -t $D$(DATADIR)/left4me/examples $(wildcard deploy/worker/*.py)
	$(INSTALL) -D -t $D$(DATADIR)/left4me/examples deploy/steam/update-game
	$(INSTALL) -D -t $D$(DATADIR)/left4me/examples deploy/metrics/left4me-metrics
	$(INSTALL) -D -m 644 -t $D$(DATADIR)/left4me/examples $(wildcard deploy/metrics/left4me-metrics.*)
	$(INSTALL) -D -t $D$(LIBEXECDIR) deploy/migrate-check
	$(INSTALL) -D -m 644 -t $D$(LIBEXECDIR)/migrate.d $(wildcard deploy/migrate.d/*.py)
	$(INSTALL) -D -m 644 -t $D$(DATADIR)/left4me deploy/migrate.md
	$(INSTALL) -D -m 644 -t $D$(DATADIR)/left4me/schema $(wildcard deploy/schema/*.sql) deploy/schema/alembic-views.py
	$(INSTALL) -D -m 644 -t $D$(MANDIR)/man7 $(wildcard deploy/man/*.7)
	$(INSTALL) -D -m 644 -t $D$(MANDIR)/man8 $(wildcard deploy/man/*.8)
	$(INSTALL) -D -m 644 -t $D$(MANDIR)/man5 build/text/man/left4me.conf.5 deploy/man/left4me-views.5
	$(INSTALL) -D -m 644 -t $D$(DATADIR)/bash-completion/completions $(wildcard deploy/completion/bash/*)
	$(if $D$(filter-out /usr /usr/local,$(PREFIX)),,$(set_up))

define warn_of_old_systemd
@version=$$(systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p'); test "$${version:-0}" -ge 257 || \
		echo "left4me: systemd $$version is older than 257: no build runs, and servers lack part of their sandbox;" \
			"left4me-generator check says which" >&2
endef

# As the Debian package does it, on the host itself. Not every kernel setting is a container's to make.
define set_up
systemd-sysusers left4me.conf
	$(LIBEXECDIR)/user-home
	systemd-tmpfiles --create left4me.conf
	/usr/lib/systemd/systemd-sysctl 99-left4me.conf || echo "left4me: not all of 99-left4me.conf is in force" >&2
	$(LIBEXECDIR)/after-install
	$(warn_of_old_systemd)
endef

# Without DESTDIR servers and builds are stopped first and named. What is there is seen from an installation beside.
uninstall:
	rm -rf build/uninstall
	$(MAKE) --no-print-directory -s install DESTDIR=$(CURDIR)/build/uninstall
	LIBEXECDIR=$(LIBEXECDIR) deploy/uninstall build/uninstall "$D"

# build/left4me_$(VERSION)_ARCHITECTURE.deb, with the packages that deploy/debian/control names.
deb:
	@deploy/debian/build $(VERSION)

# build/left4me-$(VERSION).tar.gz, of what is committed: from one commit always the same bytes.
dist:
	@mkdir -p build
	@git diff --quiet HEAD || echo "make dist: what is not committed is not in it" >&2
	git archive --prefix=left4me-$(VERSION)/ --output=build/left4me-$(VERSION).tar HEAD
	gzip -9nf build/left4me-$(VERSION).tar

clean:
	rm -rf build

.PHONY: all check check-system fuzz golden demo bench bench-system portable install uninstall deb dist clean
.DELETE_ON_ERROR:
-include $(wildcard $B/core/*.d $B/helpers/*.d $B/tests/*.d)
