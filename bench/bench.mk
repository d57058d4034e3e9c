# The benchmarks, on Coppice and on Debian's cloud kernel: see run. BENCH_OPTIONS: its options, and names; QUICK=1: a few minutes.

BENCH_C := bench/frame.c $(sort $(wildcard bench/parts/*.c bench/list/*.c))
BENCH_OUT := $(BUILD)/bench
BENCH_CFLAGS := $(HOST_CFLAGS) -static -pthread

$(BENCH_OUT)/bench: $(BENCH_C) bench/frame.h $(wildcard bench/parts/*.h)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_CFLAGS) -o $@ $(BENCH_C)

$(BENCH_OUT)/init $(BENCH_OUT)/target: $(BENCH_OUT)/%: bench/%.c
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -static -o $@ $<

BENCH_FILES := $(BENCH_OUT)/bench $(BENCH_OUT)/init $(BENCH_OUT)/target $(BUILD)/coppice $(KERNEL_RELEASE)

# A second make, so that nothing is compiled before the packages are there. The full form writes what is committed.
.PHONY: bench bench-run
bench:
	@scripts/install-packages bench
	@$(MAKE) --no-print-directory -j$(JOBS) bench-run

BENCH_RESULTS := $(if $(QUICK)$(BENCH_OPTIONS),$(BENCH_OUT)/results,docs/benchmarks)

bench-run: $(BENCH_FILES)
	@bench/run --build $(BUILD) --output $(BENCH_RESULTS) $(if $(QUICK),--quick) $(BENCH_OPTIONS)
	@bench/plot $(BENCH_RESULTS)

BENCH_CHECK_FILES := $(BENCH_OUT)/bench $(BENCH_OUT)/target

ALL += $(BENCH_CHECK_FILES)

# Coppice's instructions, held against bench/baseline.json; bench-baseline writes that.
.PHONY: bench-check bench-baseline
bench-check bench-baseline: $(BENCH_CHECK_FILES) $(BUILD)/coppice $(KERNEL_RELEASE)
	@bench/check --build $(BUILD) $(if $(filter bench-baseline,$@),--rewrite)

TESTS += bench-check
