# SPDX-License-Identifier: GPL-2.0-or-later
# bluegreen: build, test, install. `make help` lists the targets.

VERSION    := 0.1.0
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
STATEDIR   ?= /var/lib
RUNDIR     ?= /run
SBINDIR    ?= $(PREFIX)/sbin
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec/bluegreen
MANDIR     ?= $(PREFIX)/share/man
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d

BUILD ?= build
CC    ?= cc
V     ?= 0
WERROR ?= 0
SANITIZE ?=
PKG_CONFIG ?= pkg-config

comma := ,
Q := $(if $(filter 1,$(V)),,@)
say = @$(if $(filter 1,$(V)),:,printf '  %-7s %s\n' $(1) $(2))

CFLAGS ?= -O2 -g
CPPFLAGS_ALL := -Isrc -Iinclude -D_GNU_SOURCE -DBLUEGREEN_VERSION='"$(VERSION)"' \
	-DBLUEGREEN_SYSCONFDIR='"$(SYSCONFDIR)"' -DBLUEGREEN_STATEDIR='"$(STATEDIR)"' \
	-DBLUEGREEN_RUNDIR='"$(RUNDIR)"' -DBLUEGREEN_LIBEXECDIR='"$(LIBEXECDIR)"' \
	-DBLUEGREEN_SBINDIR='"$(SBINDIR)"' $(CPPFLAGS)
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wundef -Wno-missing-field-initializers -Wno-unused-parameter
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
HARDEN := -fstack-protector-strong -fno-common -fvisibility=hidden
ifeq ($(SANITIZE),)
HARDEN += -D_FORTIFY_SOURCE=2
else
HARDEN += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
# What a sanitizer puts in between confuses these.
WARNINGS += -Wno-format-truncation -Wno-maybe-uninitialized
SANITIZED_OBJ := $(BUILD)/tests/sanitize/options.o
endif
# What `make sanitize` builds with. AddressSanitizer brings LeakSanitizer.
SANITIZERS := address,undefined,float-cast-overflow
CFLAGS_ALL := -std=gnu11 $(WARNINGS) $(HARDEN) -fPIE $(CFLAGS)
# Tables of constants with pointers in them are most of what is relocated: packed, that takes 2 KiB of the agent, not 60.
LDFLAGS_ALL := -Wl,-z,relro,-z,now -Wl,-z,pack-relative-relocs -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)

# Installed packages answer here; `make deps` installs what is missing.
NL_CFLAGS     = $(shell $(PKG_CONFIG) --cflags libnl-3.0 libnl-route-3.0)
AGENT_LIBS    = $(shell $(PKG_CONFIG) --libs libnl-3.0 libnl-route-3.0 libcap libseccomp json-c) -lnftnl -liniparser
JSON_LIBS     = $(shell $(PKG_CONFIG) --libs json-c)
CURL_LIBS     = $(shell $(PKG_CONFIG) --libs libcurl)
INIPARSER_INC = $(if $(wildcard /usr/include/iniparser/iniparser.h),-I/usr/include/iniparser)
SYSTEMD      ?= $(shell $(PKG_CONFIG) --exists libsystemd && echo 1 || echo 0)
CPPFLAGS_ALL += $(NL_CFLAGS) $(INIPARSER_INC)

sources = $(sort $(wildcard $(addprefix src/,$(addsuffix /*.c,$(1)))))
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

# What each program is made of: the floors of ARCHITECTURE.md. Of the roles that tests link, all but their main.
API_SRC    := $(filter-out src/api/main.c,$(call sources,api))
AGENT_SRC  := $(call sources,base model os conf zone traffic health journal agent) $(API_SRC)
DAEMON_SRC := $(call sources,daemon)
PROBE_SRC  := $(call sources,probe)
SHIM_SRC   := $(call sources,shim)
FEED_SRC   := $(filter-out src/feed/main.c,$(call sources,feed))
CLIENT_SRC := $(call sources,client)
CLI_SRC    := $(call sources,cli)
SHARED_SRC := $(call sources,base model)

PROGRAMS := $(BUILD)/bluegreend $(BUILD)/bluegreen-api $(BUILD)/bluegreen-probe $(BUILD)/bluegreen-zone \
	$(BUILD)/bluegreen-digest $(BUILD)/bluegreen-feed $(BUILD)/bluegreen
# Optional at build time: without libsystemd zones are put into directories of our own below /sys/fs/cgroup.
PROGRAMS += $(if $(filter 1,$(SYSTEMD)),$(BUILD)/bluegreen-scope)
LIBRARY  := $(BUILD)/libbluegreen.so.0 $(BUILD)/libbluegreen.a

UNIT_SRC  := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN  := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRC))
# The demo builds the tools, and needs no SQLite.
HAVE_SQLITE := $(shell $(PKG_CONFIG) --exists sqlite3 && echo 1)
TOOL_SRC  := $(filter-out $(if $(HAVE_SQLITE),,tests/tools/ledger.c),$(sort $(wildcard tests/tools/*.c demo/*.c)))
TOOL_BIN  := $(patsubst %.c,$(BUILD)/%,$(TOOL_SRC))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_BIN := $(patsubst %.c,$(BUILD)/%,$(BENCH_SRC))
FAIL_AT_SRC := $(sort $(wildcard tests/drivers/fail_at*.c))
# The feed with calls of its own wrapped: what its tests must notice.
FEED_LIARS := feed_behind feed_sick
PRELOADED  := tests/drivers/die_at tests/drivers/faulty tests/drivers/valgrind_calls
DRIVER_SRC := $(filter-out $(PRELOADED:=.c) $(FAIL_AT_SRC) $(FEED_LIARS:%=tests/drivers/%.c),\
	$(sort $(wildcard tests/drivers/*.c)))
DRIVER_BIN := $(patsubst %.c,$(BUILD)/%,$(DRIVER_SRC)) $(patsubst %,$(BUILD)/%.so,$(PRELOADED)) \
	$(BUILD)/tests/drivers/fail_at.so $(FEED_LIARS:%=$(BUILD)/tests/drivers/%)
FUZZ_SRC  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
# Fuzzing wants clang's libFuzzer; without it the tier is skipped and says so.
FUZZ_CC   ?= clang
HAVE_FUZZ := $(shell command -v $(FUZZ_CC) >/dev/null 2>&1 && ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 && echo 1)
FUZZ_BIN  := $(if $(HAVE_FUZZ),$(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(FUZZ_SRC)))

# The targets that the README names build with every core, whatever make was told.
PARALLEL_MAKE = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all check-build unit check check-vm demo bench bench-report fuzz faults soak analyse sanitize valgrind fresh install \
	uninstall deps lint format clean help tools
.DEFAULT_GOAL := all

all: $(PROGRAMS) $(LIBRARY) ## build everything
tools: $(TOOL_BIN) $(DRIVER_BIN)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# Paths and flags are compiled in: another PREFIX or another compiler builds again.
FLAGS_NOW := $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' >$@
FORCE:

# --- compiling -------------------------------------------------------------------------------

# The library: position-independent, with what it uses of base.
$(BUILD)/pic/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(filter-out -fPIE,$(CFLAGS_ALL)) -fPIC -MMD -MP -c $< -o $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# The shim is static: nothing of the zone's file system is loaded into it, and it stays below 1 MiB. No sanitizer's
# library can be linked so: undefined behaviour ends it with SIGILL, and that is all.
UNSANITISED = $(filter-out -fsanitize=% -fno-sanitize-recover=%,$(1))
TRAPPED = $(if $(findstring undefined,$(SANITIZE)),-fsanitize=undefined -fsanitize-undefined-trap-on-error)
$(BUILD)/static/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(call UNSANITISED,$(filter-out -fPIE,$(CFLAGS_ALL))) $(TRAPPED) -ffunction-sections \
		-fdata-sections -MMD -MP -c $< -o $@

# Programs say in a build with sanitizers what these look for and where they say it. What is preloaded into one does not,
# nor what tests run in zones and as clients: an app's filter is too narrow for a sanitizer's own calls.
SANITIZED := $(filter-out %/bluegreen-zone,$(PROGRAMS)) $(UNIT_BIN) $(BENCH_BIN) $(filter-out %.so,$(DRIVER_BIN))
$(SANITIZED): $(SANITIZED_OBJ)
$(BUILD)/tests/sanitize/options.o: CPPFLAGS_ALL += -DREPORTS='"$(abspath $(BUILD))/sanitizer.reports"'
LOOSE := $(TOOL_BIN) $(TOOL_BIN:=.o) $(filter %.so,$(DRIVER_BIN)) $(BUILD)/pic/tests/drivers/%.o
$(LOOSE): CFLAGS_ALL := $(call UNSANITISED,$(CFLAGS_ALL))
$(LOOSE): LDFLAGS_ALL := $(call UNSANITISED,$(LDFLAGS_ALL))

$(BUILD)/libagent.a: $(call objects,$(AGENT_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/bluegreend: $(call objects,$(DAEMON_SRC)) $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(AGENT_LIBS)

$(BUILD)/bluegreen-api: $(BUILD)/src/api/main.o $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(JSON_LIBS) $(shell $(PKG_CONFIG) --libs libcap libseccomp)

$(BUILD)/bluegreen-probe: $(call objects,$(PROBE_SRC)) $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(CURL_LIBS) $(shell $(PKG_CONFIG) --libs libcap libseccomp)

$(BUILD)/bluegreen-digest: $(call objects,$(call sources,digest)) $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(shell $(PKG_CONFIG) --libs nettle libcap libseccomp)

# The feed role without its main, for the program and its tests.
$(BUILD)/libfeed.a: $(call objects,$(FEED_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/bluegreen-feed: $(BUILD)/src/feed/main.o $(BUILD)/libfeed.a $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(shell $(PKG_CONFIG) --libs nettle libcap libseccomp) -lpthread

$(BUILD)/bluegreen-scope: $(call objects,$(call sources,scope)) $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(shell $(PKG_CONFIG) --libs libsystemd)

SHIM_OBJ := $(patsubst %.c,$(BUILD)/static/%.o,$(SHIM_SRC) $(SHARED_SRC) src/os/clock.c src/os/message.c src/os/pidfd.c)
$(BUILD)/bluegreen-zone: $(SHIM_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) -static -Wl,--gc-sections $(call UNSANITISED,$(LDFLAGS_ALL)) $^ -o $@ -lcap

CLIENT_OBJ := $(patsubst %.c,$(BUILD)/pic/%.o,$(CLIENT_SRC) src/base/text.c src/base/json_ascii.c)
$(BUILD)/libbluegreen.so.0: $(CLIENT_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,libbluegreen.so.0 $(LDFLAGS_ALL) $^ -o $@ $(JSON_LIBS)
	$(Q)ln -sf libbluegreen.so.0 $(BUILD)/libbluegreen.so

$(BUILD)/libbluegreen.a: $(CLIENT_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/bluegreen: $(call objects,$(CLI_SRC)) $(BUILD)/libbluegreen.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(JSON_LIBS)

# --- tests ------------------------------------------------------------------------------------

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libfeed.a $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(AGENT_LIBS) $(shell $(PKG_CONFIG) --libs nettle) -lpthread -lcmocka

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libfeed.a $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(AGENT_LIBS) -lpthread

$(BUILD)/tests/drivers/%: $(BUILD)/tests/drivers/%.o $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(AGENT_LIBS) -lpthread

# Preloaded: into the agent by tests/drivers/die_at_lib.sh, into the feed by tests/unit/feed_faults.h.
$(BUILD)/tests/drivers/%.so: $(BUILD)/pic/tests/drivers/%.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(LDFLAGS_ALL) $^ -o $@ -ldl

feed_behind_WRAPS := wal_begin wal_next_id wal_commit wal_abort wal_doubt wal_when_safe
feed_sick_WRAPS := fdatasync
$(FEED_LIARS:%=$(BUILD)/tests/drivers/%): $(BUILD)/tests/drivers/%: $(BUILD)/src/feed/main.o $(BUILD)/tests/drivers/%.o \
		$(BUILD)/libfeed.a $(BUILD)/libagent.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $(patsubst %,-Wl$(comma)--wrap=%,$($(@F)_WRAPS)) $^ -o $@ \
		$(shell $(PKG_CONFIG) --libs nettle libcap libseccomp) -lpthread

# By tests/drivers/fault_walk.c, which asks the agent what to do as any program does.
$(BUILD)/tests/drivers/fail_at.so: $(patsubst %.c,$(BUILD)/pic/%.o,$(FAIL_AT_SRC))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(LDFLAGS_ALL) $^ -o $@ -ldl

$(BUILD)/tests/drivers/fault_walk: $(BUILD)/tests/drivers/fault_walk.o $(BUILD)/libbluegreen.a
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ $(JSON_LIBS) -lpthread

$(BUILD)/tests/tools/%: $(BUILD)/tests/tools/%.o
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ -lpthread

$(BUILD)/tests/tools/ledger: $(BUILD)/tests/tools/ledger.o
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ -lpthread $(shell $(PKG_CONFIG) --libs sqlite3)

$(BUILD)/demo/%: $(BUILD)/demo/%.o
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $^ -o $@ -lpthread

unit: $(UNIT_BIN) $(BUILD)/bluegreen-feed $(BUILD)/tests/drivers/faulty.so ## unit tests: no root, seconds
	$(Q)BUILD=$(BUILD) tests/run unit

check: ## every test tier that this machine can run
	$(Q)tools/deps build demo test compat || tools/deps --check build
	$(Q)$(PARALLEL_MAKE) check-build
	$(Q)BUILD=$(BUILD) tests/run

check-build: all tools $(UNIT_BIN) $(FUZZ_BIN)

fuzz: $(FUZZ_BIN) ## fuzz for SECONDS (default 60) or RUNS each
	$(Q)BUILD=$(BUILD) FUZZ_SECONDS=$(or $(SECONDS),$(if $(RUNS),,60)) FUZZ_RUNS=$(RUNS) tests/run fuzz

faults: all tools ## let each call of the agent fail in turn, for SECONDS each series (default: all of them, hours)
	$(Q)BUILD=$(BUILD) VERBOSE=1 FAULT_ALL=1 FAULT_SECONDS=$(or $(SECONDS),0) tests/world/enter tests/world/fault_walk.sh

# One instrumented archive for all fuzz targets. FUZZ_SANITIZE= is several times as fast and sees only what aborts.
FUZZ_SANITIZE ?= address,undefined
FUZZ_WITH   = $(if $(FUZZ_SANITIZE),$(comma)$(FUZZ_SANITIZE))
FUZZ_CFLAGS = -std=gnu11 -g $(if $(FUZZ_SANITIZE),-O1 -fno-sanitize-recover=all,-O2) -fsanitize=fuzzer-no-link$(FUZZ_WITH)
$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(FUZZ_CC) $(CPPFLAGS_ALL) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

FUZZ_PARTS := $(call sources,base model os conf journal) $(API_SRC) $(FEED_SRC) $(filter-out src/probe/main.c,$(PROBE_SRC))
$(BUILD)/libfuzz.a: $(patsubst %.c,$(BUILD)/fuzz/%.o,$(FUZZ_PARTS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h) $(BUILD)/libfuzz.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(CPPFLAGS_ALL) $(FUZZ_CFLAGS) -fsanitize=fuzzer$(FUZZ_WITH) $< $(BUILD)/libfuzz.a -o $@ \
		-liniparser $(JSON_LIBS) -lcap -lseccomp $(shell $(PKG_CONFIG) --libs nettle) $(FUZZ_MORE)

# Only what it says of an app's answers; libcurl is slow to load.
$(BUILD)/tests/fuzz/fuzz_verdict $(BUILD)/tests/fuzz/fuzz_probe: FUZZ_MORE = $(CURL_LIBS)

check-vm: all tools ## the tiers that boot systemd in a container and in a VM
	$(Q)BUILD=$(BUILD) tests/run systemd vm

analyse: $(BUILD)/flags ## clang-tidy, cppcheck and gcc's analyser over src/: minutes
	$(Q)tools/deps analyse
	$(Q)BUILD=$(BUILD) tests/run analyse

fresh: ## the README's commands on minimal Debian 12 and 13: root, the network, an hour
	$(Q)tools/deps fresh
	$(Q)BUILD=$(BUILD) tests/run fresh

# Lines are all that a report needs of debug information; it halves the time to build.
sanitize: ## units and worlds with AddressSanitizer, LeakSanitizer and UBSan: root, an hour and more
	$(Q)$(PARALLEL_MAKE) BUILD=$(BUILD)-sanitize SANITIZE=$(SANITIZERS) CFLAGS="-O1 -g1" FUZZ_BIN= check-build
	$(Q)BUILD=$(BUILD)-sanitize tests/run sanitize

valgrind: ## the agent and its roles under valgrind, for ROUNDS (default 100) of two deploys: root, minutes
	$(Q)tools/deps valgrind
	$(Q)$(PARALLEL_MAKE) BUILD=$(BUILD)-valgrind CPPFLAGS="$(CPPFLAGS) -DSANITIZED" all tools \
		$(BUILD)-valgrind/tests/unit/test_feed_role
	$(Q)BUILD=$(BUILD)-valgrind VERBOSE=1 ROUNDS=$(ROUNDS) tests/world/enter tests/sanitize/valgrind.sh

demo: ## a real app released blue-green under load, in a private world
	$(Q)tools/deps build demo
	$(Q)$(PARALLEL_MAKE) all tools
	$(Q)BUILD=$(BUILD) tests/world/enter demo/demo.sh

bench: all tools $(BENCH_BIN) ## measure against proxies, sandboxes and a floor, in one run
	$(Q)BUILD=$(BUILD) tests/bench/run

bench-report: bench ## the same, and its tables and picture into doc/
	$(Q)install -D -m 644 -t doc $(BUILD)/bench/bench.md $(BUILD)/bench/bench.svg

soak: all tools ## everything at once at random, for MINUTES (default 10); SEED repeats one
	$(Q)BUILD=$(BUILD) MINUTES=$(or $(MINUTES),10) SEED=$(SEED) tests/world/enter tests/world/soak.sh everything_at_once

deps: ## install the Debian packages that are missing
	$(Q)tools/deps

lint: ## static checks of the sources
	$(Q)BUILD=$(BUILD) tests/run check

format: ## clang-format everything in place
	$(Q)find src include tests demo -name '*.[ch]' -print0 | xargs -0 clang-format -i

# --- installing -------------------------------------------------------------------------------

D = $(DESTDIR)
SUBST = sed -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' \
	-e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' -e 's|@STATEDIR@|$(STATEDIR)|g' -e 's|@RUNDIR@|$(RUNDIR)|g' \
	-e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@VERSION@|$(VERSION)|g'

# Programs, library, headers, units, examples, man pages. sysusers and tmpfiles take effect at boot or by hand:
#   systemd-sysusers && systemd-tmpfiles --create && systemctl enable --now bluegreend
install: all ## install below $(DESTDIR)$(PREFIX)
	install -d $(D)$(SBINDIR) $(D)$(BINDIR) $(D)$(LIBEXECDIR) $(D)$(LIBDIR)/pkgconfig $(D)$(PREFIX)/include/bluegreen
	install -m 755 $(BUILD)/bluegreend $(D)$(SBINDIR)/
	install -m 755 $(BUILD)/bluegreen $(D)$(BINDIR)/
	install -m 755 $(filter %-zone %-api %-probe %-digest %-feed %-scope,$(PROGRAMS)) $(D)$(LIBEXECDIR)/
	install -m 644 $(BUILD)/libbluegreen.a $(BUILD)/libbluegreen.so.0 $(D)$(LIBDIR)/
	ln -sf libbluegreen.so.0 $(D)$(LIBDIR)/libbluegreen.so
	$(SUBST) units/libbluegreen.pc.in | install -m 644 /dev/stdin $(D)$(LIBDIR)/pkgconfig/libbluegreen.pc
	install -m 644 include/bluegreen/*.h $(D)$(PREFIX)/include/bluegreen/
	install -d $(D)$(UNITDIR) $(D)$(SYSUSERSDIR) $(D)$(TMPFILESDIR)
	$(SUBST) units/bluegreend.service | install -m 644 /dev/stdin $(D)$(UNITDIR)/bluegreend.service
	$(SUBST) units/sysusers.d/bluegreen.conf | install -m 644 /dev/stdin $(D)$(SYSUSERSDIR)/bluegreen.conf
	$(SUBST) units/tmpfiles.d/bluegreen.conf | install -m 644 /dev/stdin $(D)$(TMPFILESDIR)/bluegreen.conf
	install -d $(D)$(SYSCONFDIR)/bluegreen/apps
	test -e $(D)$(SYSCONFDIR)/bluegreen/bluegreen.conf || \
		install -m 644 conf/bluegreen.conf $(D)$(SYSCONFDIR)/bluegreen/
	install -m 644 conf/apps/web.conf.example $(D)$(SYSCONFDIR)/bluegreen/apps/
	for page in man/*.[1-8]; do section=$${page##*.}; install -d $(D)$(MANDIR)/man$$section && \
		install -m 644 $$page $(D)$(MANDIR)/man$$section/ || exit 1; done
	install -d $(D)$(PREFIX)/share/bash-completion/completions
	install -m 644 completions/bluegreen.bash $(D)$(PREFIX)/share/bash-completion/completions/bluegreen

uninstall: ## remove what install put there; configuration and state stay
	rm -f $(D)$(SBINDIR)/bluegreend $(D)$(BINDIR)/bluegreen
	rm -f $(addprefix $(D)$(LIBEXECDIR)/bluegreen-,zone api probe digest feed scope)
	rm -f $(D)$(PREFIX)/include/bluegreen/bluegreen.h
	-rmdir --ignore-fail-on-non-empty $(D)$(LIBEXECDIR) $(D)$(PREFIX)/include/bluegreen
	rm -f $(D)$(LIBDIR)/libbluegreen.* $(D)$(LIBDIR)/pkgconfig/libbluegreen.pc
	rm -f $(D)$(UNITDIR)/bluegreend.service $(D)$(SYSUSERSDIR)/bluegreen.conf $(D)$(TMPFILESDIR)/bluegreen.conf
	for page in man/*.[1-8]; do rm -f $(D)$(MANDIR)/man$${page##*.}/$${page#man/}; done
	rm -f $(D)$(PREFIX)/share/bash-completion/completions/bluegreen
	rm -f $(D)$(SYSCONFDIR)/bluegreen/apps/web.conf.example

clean: ## remove what was built
	$(Q)rm -rf $(BUILD)

# The systems that `make fresh` makes have files of that name, too.
-include $(shell find $(BUILD) -path '$(BUILD)/fresh*' -prune -o -name '*.d' -type f -print 2>/dev/null)
