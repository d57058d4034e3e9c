# What is durable stays, whatever is killed. DURABLE_OPTIONS: of tests/durable/run; --rounds 20 is the long form.
.PHONY: test-durable
test-durable: $(BUILD)/coppice $(KERNEL_DEBUG)
	@tests/durable/run --coppice $(BUILD)/coppice --kernel $(KERNEL_DEBUG) $(DURABLE_OPTIONS)

TESTS += test-durable
