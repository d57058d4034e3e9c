# The hosted machine: kernel/mm and kernel/lib as a Linux program, in three variants (with sanitizers; fast; on threads, for the races), and what is tested on it.
#
# Headers are found by -iquote: a kernel folder has the name of a system one (sys/), and <sys/...> must stay the system's.

HOSTED_OUT := $(BUILD)/hosted
HOSTED_C := $(sort $(wildcard kernel/mm/*.c kernel/lib/*.c hosted/*.c))
HOSTED_ORDERED := $(filter-out hosted/threads.c,$(HOSTED_C)) # CPUs take turns, in an order that a seed gives
HOSTED_THREADED := $(filter-out hosted/cpu.c,$(HOSTED_C)) # they are threads
HOSTED_TESTS := $(sort $(filter-out tests/unit/test_cli%,$(wildcard tests/unit/test_*.c)))
HOSTED_MODEL := $(sort $(wildcard tests/model/*.c))
HOSTED_CPPFLAGS := -D_GNU_SOURCE -DCOPPICE_HOSTED -DCOPPICE_DEBUG=1 -iquote kernel -iquote hosted -iquote tests/unit
HOSTED_CFLAGS := -std=gnu17 -g $(WARNINGS) -fno-strict-aliasing -fno-omit-frame-pointer
# Instrumented code makes the compiler see paths that do not exist: that warning is left to the other builds.
HOSTED_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -Wno-maybe-uninitialized

# $(1): output folder, $(2): extra flags, $(3): sources of the machine
define hosted_variant
$(1)/%.o: %.c
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(HOSTED_CPPFLAGS) $$(HOSTED_CFLAGS) $(2) -MMD -MP -c -o $$@ $$<

$(1)/machine.a: $(3:%.c=$(1)/%.o)
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

$(eval $(call hosted_variant,$(HOSTED_OUT)/checked,-O1 $(HOSTED_SANITIZE),$(HOSTED_ORDERED)))
$(eval $(call hosted_variant,$(HOSTED_OUT)/fast,-O2,$(HOSTED_ORDERED)))
# ThreadSanitizer knows no fences: what the kernel uses them for is not between data.
$(eval $(call hosted_variant,$(HOSTED_OUT)/threads,-O1 -pthread -fsanitize=thread -Wno-tsan -Wno-maybe-uninitialized -DHOSTED_THREADS,$(HOSTED_THREADED)))

HOSTED_TEST_BINARIES := $(HOSTED_TESTS:tests/unit/%.c=$(HOSTED_OUT)/checked/%)
MODEL := $(HOSTED_OUT)/checked/model
MODEL_FAST := $(HOSTED_OUT)/fast/model

# Unit tests, then random streams: 200,000 operations, and shorter ones in which every allocation fails once.
.PHONY: test-hosted
test-hosted: $(HOSTED_TEST_BINARIES) $(MODEL)
	@set -e; for t in $(HOSTED_TEST_BINARIES); do $$t; done
	@$(MODEL) --ops 20000 --streams 10
	@$(MODEL) --ops 400 --streams 50 --fail

# The races on CPUs that are threads, under ThreadSanitizer: TSAN_SEEDS orders of each; `make tsan TSAN_SEEDS=400` for longer.
TSAN_TESTS := test_lock test_protocol test_races test_huge_races test_swap test_object_swap test_writeback test_reap
TSAN_BINARIES := $(TSAN_TESTS:%=$(HOSTED_OUT)/threads/%)
TSAN_SEEDS ?= 200

.PHONY: test-tsan tsan
test-tsan: $(TSAN_BINARIES)
	@set -e; for t in $(TSAN_TESTS); do TSAN_OPTIONS=halt_on_error=1 $(HOSTED_OUT)/threads/$$t "*" 1 $(if $(filter tsan,$(MAKECMDGOALS)),$(TSAN_SEEDS),6); done

tsan: test-tsan

TESTS += test-hosted test-tsan
ALL += $(HOSTED_TEST_BINARIES) $(TSAN_BINARIES) $(MODEL) $(MODEL_FAST)

.SECONDARY: $(HOSTED_TESTS:%.c=$(HOSTED_OUT)/checked/%.o)
