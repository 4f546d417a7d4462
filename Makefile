# SPDX-License-Identifier: BSD-2-Clause
# Turnpike: `make run` and `make test` are all a new user needs; `make help` lists the rest.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
WERROR  ?= 1
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)

CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool || echo bpftool)
PKGS    := libbpf libmnl yaml-0.1 libevent_core jansson libcrypto zlib libsystemd
# Looked up when a compiler runs, not when this file is read: `make deps` may bring them first.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS)) -lpthread
TEST_LIBS  = $(shell pkg-config --libs cmocka)

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
          -Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough -Wunused-function \
          $(if $(filter 1,$(WERROR)),-Werror)
OPT    ?= -O2 -g
CFLAGS ?= $(OPT) -fno-strict-aliasing -fstack-protector-strong -D_FORTIFY_SOURCE=2
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DTURNPIKE_VERSION='"$(VERSION)"' $(WARN) $(CFLAGS) $(SAN) \
          -Iinclude -Iuserspace -Itests -I$(BUILD) $(PKG_CFLAGS) -MMD -MP

# A folder is a static library; what it may use is what the design allows it to include.
LIBS         := base wire auth turn io net kernel config control turnpikectl
USES_base    := base
USES_wire    := wire base
USES_auth    := auth $(USES_wire)
USES_turn    := turn $(USES_auth)
USES_io      := io $(USES_wire)
USES_net     := net base
USES_kernel  := kernel net base
USES_config  := config base
USES_control := control base
USES_daemon  := turn auth io wire kernel net config control base
USES_turnpikectl := turnpikectl control base

src  = $(wildcard userspace/$(1)/*.c)
obj  = $(patsubst %.c,$(BUILD)/%.o,$(1))
libs = $(patsubst %,$(BUILD)/lib%.a,$(1))

.PHONY: all
all: $(BUILD)/turnpiked $(BUILD)/turnpikectl

.DELETE_ON_ERROR:
.SECONDARY:

define library
$(BUILD)/lib$(1).a: $(call obj,$(filter-out %/main.c,$(call src,$(1))))
	@echo "  AR      $$@"
	$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call library,$(l))))

$(BUILD)/turnpiked: $(call obj,$(call src,daemon)) $(call libs,$(USES_daemon))
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(PKG_LIBS)

$(BUILD)/turnpikectl: $(BUILD)/userspace/turnpikectl/main.o $(call libs,$(USES_turnpikectl))
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(PKG_LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The XDP program, and the header that carries it inside the daemon.
BPF_CFLAGS := -std=gnu11 -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror \
              -idirafter /usr/include/$(shell $(CC) -dumpmachine) -Iinclude -Ibpf -MMD -MP

$(BUILD)/bpf/turnpike.bpf.o: bpf/turnpike.bpf.c
	@mkdir -p $(@D)
	@echo "  BPF     $<"
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(BUILD)/turnpike.skel.h: $(BUILD)/bpf/turnpike.bpf.o
	@echo "  SKEL    $@"
	$(Q)$(BPFTOOL) gen skeleton $< name turnpike_bpf > $@

# Whatever includes the skeleton must wait for it.
$(call obj,$(call src,kernel)): | $(BUILD)/turnpike.skel.h

include tests/tests.mk

.PHONY: deps run test demo install clean help lint fmt
## deps: install the packages that building and testing need (root, or sudo)
deps:
	@scripts/install-packages

## run: install what is missing, build, start a relay on this host, print how to use it
run: deps
	@$(MAKE) --no-print-directory all
	@scripts/run $(BUILD)

## demo: a call through the relay in network namespaces, with the kernel's counters live
demo: deps
	@$(MAKE) --no-print-directory all
	@scripts/demo $(BUILD)

## test: install what is missing, build, run every test; what needs root says so if skipped
test: deps
	@scripts/run-tests

## lint: include rules, format, clang-tidy, cppcheck, licences
lint:
	@scripts/lint

## fmt: let clang-format lay out the C files
fmt:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

## install: copy programs, man pages, systemd unit and sample configuration to DESTDIR/PREFIX
install: all
	install -D -m 755 $(BUILD)/turnpiked $(DESTDIR)$(PREFIX)/sbin/turnpiked
	install -D -m 755 $(BUILD)/turnpikectl $(DESTDIR)$(PREFIX)/bin/turnpikectl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 userspace/daemon/turnpiked.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 userspace/config/turnpiked.yaml.5
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 userspace/turnpikectl/turnpikectl.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/turnpike configs/default.yaml \
		configs/minimal.yaml
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|' configs/turnpike.service \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/turnpike.service

## clean: remove what was built
clean:
	rm -rf build

## help: this list
help:
	@grep -hE '^## ' $(MAKEFILE_LIST) | sed 's/^## //' | sort

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
