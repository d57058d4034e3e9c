# Random system calls with hostile arguments (docs/testing.md). `make fuzz CALLS=N FUZZ_SEEDS="A B..."` is the long run.

SYSCALL_FUZZ := $(BUILD)/tests/syscall-fuzz
FUZZ_C := $(sort $(wildcard tests/fuzz/*.c))

$(SYSCALL_FUZZ): $(FUZZ_C) tests/fuzz/fuzz.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 -g $(WARNINGS) -Wno-unused-result -fno-stack-protector -fno-pie -no-pie -static -o $@ $(FUZZ_C)

ALL += $(SYSCALL_FUZZ)

CALLS ?= 1000000
FUZZ_SEEDS ?= 1 2

.PHONY: test-fuzz fuzz
test-fuzz: $(SYSCALL_FUZZ) $(BUILD)/coppice $(KERNEL_DEBUG)
	@tests/fuzz/run --build $(BUILD) --kernel $(KERNEL_DEBUG) --calls 20000 1

fuzz: $(SYSCALL_FUZZ) $(BUILD)/coppice $(KERNEL_DEBUG)
	@tests/fuzz/run --build $(BUILD) --kernel $(KERNEL_DEBUG) --calls $(CALLS) $(FUZZ_SEEDS)

TESTS += test-fuzz
