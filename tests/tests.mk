# The guest tests: one program in three builds (static, static PIE, dynamic), run by tests/run on Linux and on Coppice.

GUEST_C := $(sort $(wildcard tests/guest/*.c))
GUEST_OUT := $(BUILD)/tests
GUEST_CFLAGS := -std=gnu17 -O2 -g -fPIE -fno-strict-aliasing -fno-toplevel-reorder -Wall -Wextra -Werror -Wno-missing-field-initializers -Wno-nonnull -Wno-unused-result -Wno-stringop-overflow -Wno-stringop-overread

$(GUEST_OUT)/obj/%.o: tests/guest/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

GUEST_OBJ := $(patsubst tests/guest/%.c,$(GUEST_OUT)/obj/%.o,$(GUEST_C))

$(GUEST_OUT)/guest-tests: $(GUEST_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) -static -o $@ $^

$(GUEST_OUT)/guest-tests-pie: $(GUEST_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) -static-pie -o $@ $^

$(GUEST_OUT)/guest-tests-dynamic: $(GUEST_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) -pie -o $@ $^

-include $(GUEST_OBJ:.o=.d)

# What a program may do with a disk, and with more memory than there is; tests/run starts them where there is a disk.
SWAP_TESTS := $(GUEST_OUT)/swap-disk $(GUEST_OUT)/swap-failing

$(SWAP_TESTS): $(GUEST_OUT)/swap-%: tests/swap/%.c kernel/dev/swap_header.h
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -iquote kernel -static -o $@ $<

.PHONY: tests-build
tests-build: $(SWAP_TESTS) $(GUEST_OUT)/guest-tests $(GUEST_OUT)/guest-tests-pie $(GUEST_OUT)/guest-tests-dynamic

ALL += $(SWAP_TESTS) $(GUEST_OUT)/guest-tests $(GUEST_OUT)/guest-tests-pie $(GUEST_OUT)/guest-tests-dynamic

# On the kernel with all checks. GUEST_TEST_OPTIONS: options of tests/run, as --only PATTERN.
.PHONY: test-guest
test-guest: tests-build $(BUILD)/coppice $(KERNEL_DEBUG)
	@tests/run --build $(BUILD) --coppice $(BUILD)/coppice --kernel $(KERNEL_DEBUG) $(GUEST_TEST_OPTIONS)

TESTS += test-guest

# stress-ng's stressors, a quarter of an hour and more: not part of `make test`. STRESS_OPTIONS: options of tests/stress, and names of stressors.
.PHONY: stress
stress: $(BUILD)/coppice $(KERNEL_DEBUG)
	@tests/stress --coppice $(BUILD)/coppice --kernel $(KERNEL_DEBUG) $(STRESS_OPTIONS)

# Ten minutes of threads against each other on four CPUs. SECONDS: as long.
.PHONY: concurrency
concurrency: tests-build $(BUILD)/coppice $(KERNEL_DEBUG)
	@tests/concurrency $(BUILD)/coppice $(KERNEL_DEBUG) $(GUEST_OUT)/guest-tests $(SECONDS)
