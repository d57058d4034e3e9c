# What the project promises in figures: one static program, and a comparison with Debian's cloud kernel. On the kernel that users get.

FIGURES := $(BUILD)/tests/figures

$(FIGURES): tests/figures/figures.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 $(WARNINGS) -static -o $@ $<

ALL += $(FIGURES)

.PHONY: test-figures
test-figures: $(FIGURES) $(BUILD)/coppice $(KERNEL_RELEASE)
	@tests/figures/run $(BUILD) $(BUILD)/coppice $(KERNEL_RELEASE)

TESTS += test-figures
