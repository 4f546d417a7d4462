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

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

.PHONY: check unit-tests bpf-tests
## check: unit and protocol tests under ASan and UBSan; no root
check:
	@$(MAKE) --no-print-directory BUILD=build/asan SAN='$(SANITIZE)' OPT='-O1 -g1' unit-tests
	@scripts/run-programs build/asan unit flow

unit-tests: $(UNIT_TESTS) $(FLOW_TESTS)
bpf-tests: $(BPF_TESTS)
