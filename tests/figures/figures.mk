# What the project promises in figures: static programs, and a comparison with Debian's cloud kernel. On the kernel that users get.

FIGURES := $(BUILD)/tests/figures $(BUILD)/tests/throughput

$(FIGURES): $(BUILD)/tests/%: tests/figures/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 $(WARNINGS) -static -pthread -o $@ $<

ALL += $(FIGURES)

.PHONY: test-figures
test-figures: $(FIGURES) $(BUILD)/coppice $(KERNEL_RELEASE)
	@tests/figures/run $(BUILD) $(BUILD)/coppice $(KERNEL_RELEASE)

TESTS += test-figures
