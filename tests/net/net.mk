# The network between the guest and this machine: published ports, and servers of the host. Included by the top Makefile.
.PHONY: test-net
test-net: $(BUILD)/coppice $(KERNEL_DEBUG)
	@tests/net/run --coppice $(BUILD)/coppice --kernel $(KERNEL_DEBUG) $(if $(INET),,--absent)

TESTS += test-net
