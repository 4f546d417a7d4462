# SPDX-License-Identifier: BSD-2-Clause
# Test programs. A unit test is tests/unit/MODULE_FILE.c and links MODULE and what it may use;
# tests/flow/*.c links turn; tests/bpf/*.c links the kernel and turn libraries. `make check` runs
# units and flows under ASan and UBSan in a build folder of their own.

UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c))
FLOW_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/flow/test_*.c))
BPF_TESTS  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bpf/test_*.c))

support := $(call obj,$(wildcard tests/support/*.c))
module   = $(firstword $(subst _, ,$(notdir $(1))))

# The daemon is no library: a test of it names the sources, and who plays what they call.
SOURCES_daemon_flows := $(wildcard userspace/daemon/flows*.c tests/unit/played/*.c)
SOURCES_daemon_shortage := userspace/daemon/shortage.c

define unit_test
$(1): $(call obj,$(patsubst $(BUILD)/%,%.c,$(1)) $(SOURCES_$(notdir $(1)))) $(support) \
		$(call libs,$(USES_$(call module,$(1))))
	@echo "  LD      $$@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $$@ $$^ $$(TEST_LIBS) $$(PKG_LIBS)
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_test,$(t))))

$(FLOW_TESTS): $(BUILD)/tests/flow/test_%: $(BUILD)/tests/flow/test_%.o \
		$(call obj,$(filter-out tests/flow/test_%,$(wildcard tests/flow/*.c))) \
		$(support) $(call libs,$(USES_turn))
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

$(BPF_TESTS): $(BUILD)/tests/bpf/test_%: $(BUILD)/tests/bpf/test_%.o \
		$(call obj,$(filter-out tests/bpf/test_%,$(wildcard tests/bpf/*.c))) \
		$(support) $(call libs,turn auth wire kernel net base)
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

$(call obj,$(wildcard tests/bpf/*.c)): | $(BUILD)/turnpike.skel.h

# The benchmark: XDP programs of its own, and a program that compares them with the relay's.
BENCH := $(BUILD)/tests/bench/bench

$(BUILD)/tests/bench/bench.bpf.o: tests/bench/bench.bpf.c
	@mkdir -p $(@D)
	@echo "  BPF     $<"
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(BUILD)/bench.skel.h: $(BUILD)/tests/bench/bench.bpf.o
	@echo "  SKEL    $@"
	$(Q)$(BPFTOOL) gen skeleton $< name bench_bpf > $@

bench_sources := $(filter-out %.bpf.c,$(wildcard tests/bench/*.c)) \
		 tests/bpf/twin_frame.c tests/bpf/twin_host.c
$(call obj,$(bench_sources)): | $(BUILD)/bench.skel.h
$(BUILD)/tests/bench/machine.o: ALL_CFLAGS += \
	-DBENCH_CLANG_VERSION='"$(shell $(CLANG) --version | head -1)"'

$(BENCH): $(call obj,$(bench_sources)) $(call libs,wire kernel net base)
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(PKG_LIBS)

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

.PHONY: check unit-tests bpf-tests
## check: unit and protocol tests under ASan and UBSan; no root
check:
	@$(MAKE) --no-print-directory BUILD=build/asan SAN='$(SANITIZE)' OPT='-O1 -g1' unit-tests
	@scripts/run-programs build/asan unit flow

unit-tests: $(UNIT_TESTS) $(FLOW_TESTS)
# Benchmarks are only built with the tests, so that they keep building.
bpf-tests: $(BPF_TESTS) $(BENCH)

.PHONY: bench bench-program
## bench: nanoseconds per packet of each form and packets per second, next to bare programs (root)
bench: deps
	@$(MAKE) --no-print-directory bench-program
	@$(BENCH) $(BUILD)/bench/program.json

bench-program: $(BENCH)
