# The `coppice` command, and its tests. Included by the top Makefile.
#
# Headers are found by -iquote: a kernel folder has the name of a system one (sys/), and <sys/...> must stay the system's.

VERSION ?= 0.1.0

CLI_C := $(sort $(wildcard cli/*.c))
CLI_O := $(patsubst %.c,$(BUILD)/%.o,$(CLI_C))
CLI_CPPFLAGS := -D_GNU_SOURCE -DCOPPICE_VERSION='"$(VERSION)"' -iquote cli -iquote kernel

$(BUILD)/cli/%.o: cli/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $(CLI_CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/coppice: $(CLI_O)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $^

# A test is linked with all of the command but its main function. test_cli_run starts the command itself, with cli_guest in QEMU's place.
CLI_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/test_cli*.c)))

$(CLI_TESTS): $(BUILD)/tests/unit/%: tests/unit/%.c $(filter-out %/main.o,$(CLI_O))
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $(CLI_CPPFLAGS) -MMD -MP -o $@ $< $(filter %.o,$^) -lcmocka

$(BUILD)/tests/unit/cli_guest: tests/unit/cli_guest.c $(BUILD)/cli/frame.o $(BUILD)/cli/bytes.o $(BUILD)/cli/message.o
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $(CLI_CPPFLAGS) -MMD -MP -o $@ $< $(filter %.o,$^)

$(BUILD)/tests/unit/test_cli_run: | $(BUILD)/coppice $(BUILD)/tests/unit/cli_guest

-include $(CLI_O:.o=.d) $(CLI_TESTS:=.d) $(BUILD)/tests/unit/cli_guest.d

.PHONY: test-cli
test-cli: $(CLI_TESTS)
	@set -e; for t in $^; do $$t; done

ALL += $(BUILD)/coppice
TESTS += test-cli
