# The differential test: one random stream on Linux and on Coppice (docs/testing.md). `make diff OPS=N SEEDS="A B..."` is the long run.

DIFF_STREAM := $(BUILD)/tests/diff-stream
DIFF_C := $(sort $(wildcard tests/diff/*.c))

$(DIFF_STREAM): $(DIFF_C) tests/diff/diff.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu17 -O2 -g $(WARNINGS) -Wno-unused-result -fno-pie -no-pie -static -o $@ $(DIFF_C)

ALL += $(DIFF_STREAM)

OPS ?= 1000000
SEEDS ?= 1 2 3 4

.PHONY: test-diff diff
test-diff: $(DIFF_STREAM) $(BUILD)/coppice $(KERNEL_DEBUG)
	@tests/diff/run --build $(BUILD) --kernel $(KERNEL_DEBUG) --count 8000 --seeds 1 2 3 4 5 6

diff: $(DIFF_STREAM) $(BUILD)/coppice $(KERNEL_RELEASE)
	@tests/diff/run --build $(BUILD) --kernel $(KERNEL_RELEASE) --count $(OPS) --seeds $(SEEDS)

TESTS += test-diff
