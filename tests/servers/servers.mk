# Real servers, on Linux and on Coppice: see run. SERVER_OPTIONS: options of tests/servers/run, and names of scenarios.

# On the kernel with all checks.
.PHONY: test-servers
test-servers: $(BUILD)/coppice $(KERNEL_DEBUG)
	@tests/servers/run --coppice $(BUILD)/coppice --kernel $(KERNEL_DEBUG) $(SERVER_OPTIONS)

TESTS += test-servers

# The sizes that users have: a million keys, ten thousand requests. Not part of `make test`.
.PHONY: servers
servers: $(BUILD)/coppice $(KERNEL_RELEASE)
	@tests/servers/run --full --coppice $(BUILD)/coppice --kernel $(KERNEL_RELEASE) $(SERVER_OPTIONS)
