# popgate. `make demo` and `make check` do all their own set-up on a fresh Debian 12, as root.
#
#   make            popgated and popgate
#   make demo       the main job on real BIRD in network namespaces; KEEP=1 leaves the lab up
#   make check      every test; CHECK_JOBS=N programs of tests at once; what failed is listed at the end
#   make bench      speed and size, as ratios within one run
#   make soak       the simulation, until stopped; SEED=N to begin elsewhere
#   make mutants    promises broken on purpose: which test notices; MUTANTS="NAME ..." for some of them
#   make recordings what the real BIRD= says, kept for the unit tests of its replies
#   make lint       who may use whom, what must stay pure, clang-format, clang-tidy and clang's warnings, man pages
#   make install    PREFIX=/usr/local DESTDIR=; make uninstall, with the same
#   make deb        packages of it, in build/deb, and what lintian says of them
#
# BIRD=/path/to/sbin/bird takes another BIRD than the installed one for demo, check and bench.
# BUILD=dir and SANITIZE=address,undefined make a build of another kind beside the usual one; V=1 shows the commands.

CC         ?= cc
BUILD      ?= build
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
VERSION    := $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
CHECK_JOBS ?= 4
SIM_EVENTS ?= 1200000
FUZZ_SECONDS ?= 6

PKGS   := libuv inih libmicrohttpd jansson libsystemd libcurl jose libssl libcrypto libsodium
WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
DEFS   := -D_GNU_SOURCE -DPOPGATE_VERSION='"$(VERSION)"' -DPOPGATE_SYSCONFDIR='"$(SYSCONFDIR)"'
ifdef SANITIZE
OPT    := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
else
OPT    := -O2 -g
DEFS   += -D_FORTIFY_SOURCE=2
endif

# Whoever runs make as a service: what is tested here is to speak to the tests' service manager alone.
unexport NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID LISTEN_FDS LISTEN_PID LISTEN_FDNAMES

# pkg-config is asked only when something is compiled: it may have to be installed first.
CPPFLAGS_ALL = -I. $(DEFS) $(shell pkg-config --cflags $(PKGS) cmocka) $(CPPFLAGS)
CFLAGS_ALL   = -std=c17 $(OPT) $(WARN) $(HARDEN) -MMD -MP $(CFLAGS)
LDFLAGS_ALL  = -pie -Wl,-z,relro,-z,now $(LDFLAGS)
LDLIBS_ALL   = $(shell pkg-config --libs $(PKGS)) -lpthread

MAINS := controller/daemon/main.c controller/cli/popgate.c
ROOMS := base birdctl dns dns/responder probes controller/config controller/core controller/api controller/daemon controller/cli
LIB   := $(filter-out $(MAINS),$(wildcard $(addsuffix /*.c,$(ROOMS))))
LAB   := $(wildcard tests/lab/*.c)
UNIT  := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
E2E   := $(patsubst tests/e2e/%.c,%,$(wildcard tests/e2e/test_*.c))
LONGEST := test_unseen test_services test_bird_trouble # they wait, and so begin first
BENCH := $(patsubst tests/bench/%.c,%,$(wildcard tests/bench/bench_*.c))
FUZZ  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
SIM   := $(wildcard tests/sim/*.c)
DEMO  := tests/lab/demo/demo.c
RECORD := tests/lab/record/record.c
TESTED := $(addprefix $(BUILD)/,$(UNIT) sim)
Q      := $(if $(V),,@)
obj    = $(patsubst %.c,$(BUILD)/%.o,$(1))

.PHONY: all
all: $(BUILD)/popgated $(BUILD)/popgate

# Said once, before a compiler says it of each file.
TOOLS = $(BUILD)/tools
$(TOOLS):
	@{ set -- $(CC) && command -v "$$1" && pkg-config --exists $(PKGS); } > /dev/null 2>&1 || { \
	    echo "popgate needs a C compiler, pkg-config and $(PKGS)." >&2; \
	    echo "On Debian, as root: make packages-build" >&2; exit 1; }
	@mkdir -p $(@D) && touch $@

$(BUILD)/%.o: %.c | $(TOOLS)
	@mkdir -p $(@D)
	@echo "  CC  $@"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c $< -o $@

# Everything but the two main()s, in an archive: each program takes what it uses.
ARCHIVE = $(BUILD)/libpopgate.a
$(ARCHIVE): $(call obj,$(LIB))
	@rm -f $@
	@echo "  AR  $@"
	$(Q)ar rcs $@ $^
$(BUILD)/liblab.a: $(call obj,$(LAB))
	@rm -f $@
	@echo "  AR  $@"
	$(Q)ar rcs $@ $^

LINK = @echo "  LD  $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(filter %.o,$^) $(filter %.a,$^) -o $@ -Wl,--as-needed $(LDLIBS_ALL)
CMOCKA = $(shell pkg-config --libs cmocka)

$(BUILD)/popgated: $(call obj,controller/daemon/main.c) $(ARCHIVE)
	$(LINK)
$(BUILD)/popgate: $(call obj,controller/cli/popgate.c) $(ARCHIVE)
	$(LINK)
$(BUILD)/sim: $(call obj,$(SIM)) $(ARCHIVE)
	$(LINK)
$(addprefix $(BUILD)/,$(UNIT)): $(BUILD)/%: $(BUILD)/tests/unit/%.o $(BUILD)/tests/test.o $(ARCHIVE)
	$(LINK) $(CMOCKA)
$(addprefix $(BUILD)/,$(E2E)): $(BUILD)/%: $(BUILD)/tests/e2e/%.o $(BUILD)/tests/test.o $(BUILD)/liblab.a $(ARCHIVE)
	$(LINK) $(CMOCKA)
$(addprefix $(BUILD)/,$(BENCH)): $(BUILD)/%: $(BUILD)/tests/bench/%.o $(BUILD)/liblab.a $(ARCHIVE)
	$(LINK) $(CMOCKA)
$(BUILD)/demo: $(call obj,$(DEMO)) $(BUILD)/liblab.a $(ARCHIVE)
	$(LINK) $(CMOCKA)
$(BUILD)/record: $(call obj,$(RECORD)) $(BUILD)/liblab.a $(ARCHIVE)
	$(LINK) $(CMOCKA)
$(addprefix $(BUILD)/,$(FUZZ)): $(BUILD)/%: $(BUILD)/tests/fuzz/%.o $(ARCHIVE)
	@echo "  LD  $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -fsanitize=fuzzer $^ -o $@ -Wl,--as-needed $(LDLIBS_ALL)

-include $(wildcard $(patsubst %.c,$(BUILD)/%.d,$(MAINS) $(LIB) $(wildcard tests/*.c tests/*/*.c tests/*/*/*.c)))

# ---- set-up: what is missing, from Debian; services that packages would start stay off, after a reboot too ----

BUILD_PACKAGES := gcc make pkg-config libc6-dev libuv1-dev libcurl4-openssl-dev libinih-dev libmicrohttpd-dev \
	libjansson-dev libsystemd-dev libcmocka-dev libjose-dev libssl-dev libsodium-dev
LAB_PACKAGES   := bird2 unbound nsd knot nginx dbconfig-sqlite3 glewlwyd sqlite3 iproute2 e2fsprogs \
	procps dnsutils
CHECK_PACKAGES := clang clang-format clang-tidy libclang-rt-14-dev mandoc systemd knot-dnsutils dnsperf
BENCH_PACKAGES := exabgp dnsperf
DEB_PACKAGES   := build-essential debhelper lintian

POLICY := /usr/sbin/policy-rc.d
# What systemd and its elders begin with: links of units, and of init scripts.
ENABLED = $$(find /etc/systemd/system /etc/systemd/user /etc/rc[2-5S].d \( -path '*.wants/*' -o -path '*.requires/*' -o \
    -path '/etc/rc*/S*' \) -type l 2>/dev/null)
define install
	@missing=$$(dpkg-query -W -f='$${Package} $${db:Status-Status}\n' $(1) 2>/dev/null | \
	    awk -v all="$(1)" '$$2 == "installed" {have[$$1] = 1} \
	        END {n = split(all, want); for (i = 1; i <= n; i++) if (!(want[i] in have)) print want[i]}'); \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" != 0 ]; then echo "missing, and only root can install: "$$missing >&2; exit 1; fi; \
	    echo "installing:" $$missing; \
	    policy=; before=$(ENABLED); \
	    leave() { \
	        for link in $(ENABLED); do echo "$$before" | grep -qxF "$$link" || rm -f "$$link"; done; \
	        rm -f $$policy; \
	    }; \
	    trap leave EXIT; trap 'exit 1' INT TERM HUP; \
	    if [ ! -e $(POLICY) ]; then \
	        policy=$(POLICY); printf '#!/bin/sh\nexit 101\n' > $$policy; chmod 755 $$policy; \
	    fi; \
	    apt-get -qq update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $$missing > /dev/null; \
	fi
endef

.PHONY: packages-build packages-lab packages-check packages-bench packages-deb
packages-build:
	$(call install,$(BUILD_PACKAGES))
packages-lab: packages-build
	$(call install,$(LAB_PACKAGES))
packages-check: packages-lab
	$(call install,$(CHECK_PACKAGES))
packages-bench: packages-lab
	$(call install,$(BENCH_PACKAGES))
packages-deb: packages-build
	$(call install,$(DEB_PACKAGES))

# ---- what the README names ----

# A second make, so that nothing is compiled before the packages are there.
AGAIN = $(MAKE) --no-print-directory
TIMED = @began=$$(date +%s); took() { echo "== $$1: $$(($$(date +%s) - began)) s"; }; $(AGAIN)

.PHONY: demo check bench soak mutants recordings lint clean
demo: packages-lab
	@$(AGAIN) $(BUILD)/popgated $(BUILD)/popgate $(BUILD)/demo
	@POPGATED=$(BUILD)/popgated POPGATE=$(BUILD)/popgate $(BUILD)/demo $(if $(KEEP),--keep)

check: packages-check packages-deb
	$(TIMED) -j$$(nproc) all $(TESTED) $(addprefix $(BUILD)/,$(E2E) $(BENCH) demo record) && took "build"
	$(TIMED) check-unit check-sim && took "unit tests, simulation"
	$(TIMED) BUILD=$(BUILD)/asan SANITIZE=address,undefined -j$$(nproc) \
	    $(addprefix $(BUILD)/asan/,sim $(UNIT)) && took "build for the sanitizers"
	$(TIMED) BUILD=$(BUILD)/asan SANITIZE=address,undefined SIM_EVENTS=150000 check-unit check-sim && \
	    took "unit tests, simulation under the sanitizers"
	$(TIMED) BUILD=$(BUILD)/fuzz CC=clang SANITIZE=address,undefined,fuzzer-no-link -j$$(nproc) \
	    $(addprefix $(BUILD)/fuzz/,$(FUZZ)) && took "build for fuzzing"
	$(TIMED) BUILD=$(BUILD)/fuzz check-fuzz && took "fuzzing"
	$(TIMED) check-install && took "installation"
	$(TIMED) check-deb && took "packages"
	$(TIMED) check-e2e && took "end to end"
	@echo "make check: everything passed"

# What needs neither root nor a network; the package is built with it.
.PHONY: test
test: $(addprefix $(BUILD)/,$(UNIT))
	@$(AGAIN) check-unit

.PHONY: check-unit check-sim check-fuzz check-e2e check-install
check-unit:
	@tests/lint/each.sh
	@tests/each.sh $(CHECK_JOBS) $(addprefix $(BUILD)/,$(UNIT))
check-sim:
	$(BUILD)/sim --events $(SIM_EVENTS) $(if $(SEED),--seed $(SEED))
check-fuzz:
	@printf '%s\n' $(FUZZ) | xargs -P $$(nproc) -I@ sh -c 'mkdir -p $(BUILD)/found/$$0; echo "== $$0"; \
	    $(BUILD)/$$0 -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(BUILD)/found/ -verbosity=0 \
	    $(BUILD)/found/$$0 tests/fuzz/corpus/$${0#fuzz_} > $(BUILD)/$$0.log 2>&1 || \
	    { tail -40 $(BUILD)/$$0.log; echo "== $$0 FAILED"; exit 1; }' @
check-e2e:
	@POPGATED=$(BUILD)/popgated POPGATE=$(BUILD)/popgate tests/each.sh $(CHECK_JOBS) \
	    $(addprefix $(BUILD)/,$(LONGEST) $(filter-out $(LONGEST),$(E2E)))
# all is made here, not only by the make below: beside another goal two would link the same program at once.
check-install: all
	@rm -rf $(BUILD)/stage && $(AGAIN) -s install DESTDIR=$(BUILD)/stage PREFIX=/usr SYSCONFDIR=/etc
	@$(BUILD)/stage/usr/sbin/popgated --check-config $(BUILD)/stage/etc/popgate/popgate.conf
	@SYSTEMD_UNIT_PATH=$(abspath $(BUILD))/stage/usr/lib/systemd/system: \
	    systemd-analyze verify --man=no popgated.service popgate-failsafe.service popgate-unattended.service popgated.socket 2>&1 | \
	    { ! grep -vE 'popgated? is not executable: No such file|Unknown key .RestartMode.'; }
	@cd $(BUILD)/stage/usr/lib/systemd/system && \
	    systemd-analyze security --no-pager --offline=yes --threshold=21 ./popgated.service > /dev/null 2>&1 && \
	    systemd-analyze security --no-pager --offline=yes --threshold=5 ./popgate-failsafe.service > /dev/null 2>&1 && \
	    systemd-analyze security --no-pager --offline=yes --threshold=5 ./popgate-unattended.service > /dev/null 2>&1
	@for unit in failsafe unattended; do sed -n '/^User=/,$$p' systemd/popgate-$$unit.service > $(BUILD)/$$unit.as; done; \
	    cmp $(BUILD)/failsafe.as $(BUILD)/unattended.as # as whom they run, and hardened alike
	@systemd-sysusers --root=$(abspath $(BUILD))/stage --dry-run \
	    $(abspath $(BUILD))/stage/usr/lib/sysusers.d/popgate.conf > /dev/null 2>&1
	@echo "== installs; units and users are well-formed"

bench: packages-bench
	@$(AGAIN) -j$$(nproc) all $(addprefix $(BUILD)/,$(BENCH))
	@for bench in $(BENCH); do \
	    POPGATED=$(BUILD)/popgated POPGATE=$(BUILD)/popgate $(BUILD)/$$bench --json $(BUILD)/$$bench.json || exit 1; done

soak: packages-build
	@$(AGAIN) $(BUILD)/sim
	$(BUILD)/sim --forever --seed $(if $(SEED),$(SEED),1000000)

mutants: packages-lab
	@TESTS="$(UNIT)" tests/mutants/run $(MUTANTS)

recordings: packages-lab
	@$(AGAIN) $(BUILD)/popgated $(BUILD)/record
	@POPGATED=$(BUILD)/popgated $(BUILD)/record tests/unit/recordings

SOURCES = $(wildcard $(addsuffix /*.[ch],$(ROOMS)) tests/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch])
lint: packages-check
	$(TIMED) lint-rooms && took "who uses whom"
	$(TIMED) lint-format && took "format"
	$(TIMED) lint-tidy && took "clang and clang-tidy"
	$(TIMED) lint-man && took "man pages"
	@echo "make lint: everything is in order"

.PHONY: lint-rooms lint-format lint-tidy lint-man
lint-rooms:
	@tests/lint/arrows.sh
	@tests/lint/docs.sh
	@tests/lint/purity.sh $(CC) $(CPPFLAGS_ALL)
lint-format:
	@clang-format --dry-run -Werror $(SOURCES)
# clang-tidy compiles as clang does, with our warnings, which .clang-tidy makes its own.
lint-tidy:
	@printf '%s\n' $(filter %.c,$(SOURCES)) | xargs -P $$(nproc) -I{} sh -c \
	    'clang-tidy --quiet {} -- "$$@" 2>&1 | { ! grep -vE "^[0-9]+ warnings? generated\.$$"; }' tidy \
	    -std=c17 $(WARN) $(CPPFLAGS_ALL)
lint-man:
	@mandoc -T lint -W warning docs/*.[158]

clean:
	rm -rf build

# ---- installation ----

define install_as # mode, source, destination; @NAME@ in it become the paths of this installation
	@install -D -m $(1) /dev/null $(DESTDIR)$(3)
	@sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' $(2) > $(DESTDIR)$(3)
endef

.PHONY: install
install: all
	install -D -m 755 $(BUILD)/popgated $(DESTDIR)$(PREFIX)/sbin/popgated
	install -D -m 755 $(BUILD)/popgate $(DESTDIR)$(PREFIX)/bin/popgate
	install -D -m 644 docs/popgate.1 $(DESTDIR)$(PREFIX)/share/man/man1/popgate.1
	install -D -m 644 docs/popgate.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/popgate.conf.5
	install -D -m 644 docs/popgated.8 $(DESTDIR)$(PREFIX)/share/man/man8/popgated.8
	install -D -m 644 etc/completion/popgate.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/popgate
	install -D -m 644 etc/completion/_popgate $(DESTDIR)$(ZSHDIR)/_popgate
	$(call install_as,644,systemd/popgated.service,$(UNITDIR)/popgated.service)
	$(call install_as,644,systemd/popgate-failsafe.service,$(UNITDIR)/popgate-failsafe.service)
	$(call install_as,644,systemd/popgate-unattended.service,$(UNITDIR)/popgate-unattended.service)
	$(call install_as,644,systemd/popgated.socket,$(UNITDIR)/popgated.socket)
	install -D -m 644 systemd/popgate.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/popgate.conf
	install -D -m 644 systemd/popgate.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/popgate.conf
	@test -e $(DESTDIR)$(SYSCONFDIR)/popgate/popgate.conf || \
	    install -D -m 644 etc/popgate.conf $(DESTDIR)$(SYSCONFDIR)/popgate/popgate.conf

# What is configured and what operators want (/etc/popgate, /var/lib/popgate) stays. One that runs would go on without a fail-safe.
.PHONY: uninstall
uninstall: all
	@[ -n "$(DESTDIR)" ] || ! systemctl --quiet is-active popgated.service 2> /dev/null || { \
	    echo "popgated runs: systemctl disable --now popgated && popgated --withdraw-all; then make uninstall" >&2; exit 1; }
	@rm -rf $(BUILD)/installed && $(AGAIN) -s install DESTDIR=$(abspath $(BUILD))/installed
	@cd $(BUILD)/installed && find .$(PREFIX) .$(UNITDIR) .$(ZSHDIR) -type f | sed 's|^[.]|$(DESTDIR)|' | xargs rm -fv

# ---- Debian's packages: built from a copy, so that nothing but $(BUILD) is touched; no variable of this make reaches them ----

define build_deb # where; what goes before the command
	@cd $(1)/popgate && env -u MAKEFLAGS CC="$(CC)" DEB_BUILD_OPTIONS="nocheck parallel=$$(nproc)" $(2) \
	    dpkg-buildpackage -us -uc > ../build.log 2>&1 || { tail -40 ../build.log; exit 1; }
endef

DEB := $(abspath $(BUILD))/deb
.PHONY: deb check-deb
deb: packages-deb
	@rm -rf $(DEB) && mkdir -p $(DEB)/popgate
	@tar -c --exclude=./build --exclude=./.git --mode=u=rwX,go=rX --mtime="$$(dpkg-parsechangelog -S Date)" . | \
	    tar -xp -C $(DEB)/popgate
	$(call build_deb,$(DEB))
	@lintian --allow-root --fail-on error,warning $(DEB)/*.changes
	@ls $(DEB)/*.deb

# Once more, from the source package: in another place, time and language the same bytes come of it.
check-deb: deb
	@mkdir $(DEB)/again && dpkg-source --no-check -x $(DEB)/*.dsc $(DEB)/again/popgate > /dev/null
	$(call build_deb,$(DEB)/again,TZ=Asia/Kathmandu LC_ALL=C.UTF-8)
	@cd $(DEB) && for file in *.deb *.tar.xz; do cmp $$file again/$$file || exit 1; done
	@echo "== the package is built; lintian has nothing to say, and what comes of it twice is the same"
