# left4me: make, make check, make demo, make bench, make portable, make install DESTDIR= PREFIX=

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
LIBEXECDIR ?= $(PREFIX)/libexec/left4me
PKG_CONFIG ?= pkg-config
GENERATORDIR ?= $(or $(shell $(PKG_CONFIG) --define-variable=prefix=$(PREFIX) \
	--define-variable=rootprefix=$(PREFIX) --variable=systemdsystemgeneratordir systemd 2>/dev/null), \
	$(PREFIX)/lib/systemd/system-generators)

CC ?= cc
CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla
SANITIZE ?=
VERSION := 1

# A sanitized build has a directory of its own, so that the two never mix.
B := build$(if $(SANITIZE),/sanitize)
empty :=
space := $(empty) $(empty)
comma := ,
override CPPFLAGS += -Igenerator -DVERSION='"$(VERSION)"'
override CFLAGS += -std=c11 $(WARNINGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all)
override LDFLAGS += -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE))

core := $(filter-out generator/main.c generator/platform.c,$(wildcard generator/*.c))
core_objects := $(core:generator/%.c=$B/core/%.o) $B/core/platform.o $B/core/templates.o
helpers := left4me-overlay left4me-fetch-script
programs := left4me-generator $(basename $(notdir $(wildcard $(helpers:%=helpers/%.c))))
unit_tests := $(patsubst tests/%.c,$B/tests/%,$(wildcard tests/test-*.c))

all: $(programs:%=$B/%)

# The generator starts at every boot and reload: libc, sqlite3 and inih, no more.
$B/left4me-generator: $B/core/main.o $(core_objects)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs sqlite3 inih)

# What is inside a privileged program stands in its line.
$B/left4me-overlay: $B/helpers/left4me-overlay.o $B/helpers/overlay-mount.o $B/core/name.o $B/core/base.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs mount libsystemd)

$B/core/templates.c: templates/embed.sh $(wildcard templates/*.service templates/*.conf templates/*.slice \
		templates/*.target templates/*.timer templates/*.sudoers)
	@mkdir -p $(@D)
	templates/embed.sh $(filter-out $<,$^) > $@

$B/core/%.o: generator/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -MMD -MP -c -o $@ $<

# Linux only, behind one header.
$B/core/platform.o: CPPFLAGS += -U_POSIX_C_SOURCE -D_GNU_SOURCE

$B/core/templates.o: $B/core/templates.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/helpers/%.o: helpers/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -D_GNU_SOURCE $(CFLAGS) $(shell $(PKG_CONFIG) --cflags mount libsystemd) -MMD -MP -c -o $@ $<

$B/tests/%: tests/%.c $(core_objects)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -D_GNU_SOURCE $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(core_objects) \
		$(shell $(PKG_CONFIG) --libs sqlite3 inih)

check: all $(unit_tests)
	BUILD=$B prove $(PROVEFLAGS) $(unit_tests) $(wildcard tests/*.t)

clean:
	rm -rf build

.PHONY: all check clean
.DELETE_ON_ERROR:
-include $(wildcard $B/core/*.d $B/helpers/*.d $B/tests/*.d)
