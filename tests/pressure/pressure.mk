# More memory in use than there is. PRESSURE_OPTIONS=--full: in full size, a quarter of an hour.
$(BUILD)/tests/fill: tests/pressure/fill.c
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -static -o $@ $<

ALL += $(BUILD)/tests/fill

.PHONY: test-pressure
test-pressure: $(BUILD)/coppice $(KERNEL_DEBUG) $(BUILD)/tests/fill
	@tests/pressure/run --coppice $(BUILD)/coppice --kernel $(KERNEL_DEBUG) --fill $(BUILD)/tests/fill $(PRESSURE_OPTIONS)

TESTS += test-pressure
