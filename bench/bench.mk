# The benchmarks, on Coppice and on Debian's cloud kernel: see run. BENCH_OPTIONS: its options, and names; QUICK=1: a few minutes.

BENCH_C := bench/frame.c $(sort $(wildcard bench/list/*.c))
BENCH_OUT := $(BUILD)/bench
BENCH_CFLAGS := $(HOST_CFLAGS) -static -pthread

$(BENCH_OUT)/bench: $(BENCH_C) bench/frame.h
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_CFLAGS) -o $@ $(BENCH_C)

$(BENCH_OUT)/init $(BENCH_OUT)/target: $(BENCH_OUT)/%: bench/%.c
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -static -o $@ $<

.PHONY: bench
bench: $(BENCH_OUT)/bench $(BENCH_OUT)/init $(BENCH_OUT)/target $(BUILD)/coppice $(KERNEL_RELEASE)
	@bench/run --build $(BUILD) $(if $(QUICK),--quick) $(BENCH_OPTIONS)
