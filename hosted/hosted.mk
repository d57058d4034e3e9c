# The hosted machine: kernel/mm and kernel/lib as a Linux program, in two variants (with sanitizers; fast), and what is tested on it.
#
# Headers are found by -iquote: a kernel folder has the name of a system one (sys/), and <sys/...> must stay the system's.

HOSTED_OUT := $(BUILD)/hosted
HOSTED_C := $(sort $(wildcard kernel/mm/*.c kernel/lib/*.c hosted/*.c))
HOSTED_TESTS := $(sort $(filter-out tests/unit/test_cli%,$(wildcard tests/unit/test_*.c)))
HOSTED_MODEL := $(sort $(wildcard tests/model/*.c))
HOSTED_CPPFLAGS := -D_GNU_SOURCE -DCOPPICE_HOSTED -DCOPPICE_DEBUG=1 -iquote kernel -iquote hosted -iquote tests/unit
HOSTED_CFLAGS := -std=gnu17 -g $(WARNINGS) -fno-strict-aliasing -fno-omit-frame-pointer
# Instrumented code makes the compiler see paths that do not exist: that warning is left to the other builds.
HOSTED_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -Wno-maybe-uninitialized

# $(1): output folder, $(2): extra flags
define hosted_variant
$(1)/%.o: %.c
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(HOSTED_CPPFLAGS) $$(HOSTED_CFLAGS) $(2) -MMD -MP -c -o $$@ $$<

$(1)/machine.a: $(HOSTED_C:%.c=$(1)/%.o)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

$(1)/test_%: $(1)/tests/unit/test_%.o $(1)/machine.a
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $(2) -o $$@ $$^ -lcmocka

$(1)/model: $(HOSTED_MODEL:%.c=$(1)/%.o) $(1)/machine.a
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $(2) -o $$@ $$^

-include $(patsubst %.c,$(1)/%.d,$(HOSTED_C) $(HOSTED_TESTS) $(HOSTED_MODEL))
endef

$(eval $(call hosted_variant,$(HOSTED_OUT)/checked,-O1 $(HOSTED_SANITIZE)))
$(eval $(call hosted_variant,$(HOSTED_OUT)/fast,-O2))

HOSTED_TEST_BINARIES := $(HOSTED_TESTS:tests/unit/%.c=$(HOSTED_OUT)/checked/%)
MODEL := $(HOSTED_OUT)/checked/model
MODEL_FAST := $(HOSTED_OUT)/fast/model

# Unit tests, then random streams: 200,000 operations, and shorter ones in which every allocation fails once.
.PHONY: test-hosted
test-hosted: $(HOSTED_TEST_BINARIES) $(MODEL)
	@set -e; for t in $(HOSTED_TEST_BINARIES); do $$t; done
	@$(MODEL) --ops 20000 --streams 10
	@$(MODEL) --ops 400 --streams 50 --fail

TESTS += test-hosted
ALL += $(HOSTED_TEST_BINARIES) $(MODEL) $(MODEL_FAST)

.SECONDARY: $(HOSTED_TESTS:%.c=$(HOSTED_OUT)/checked/%.o)
