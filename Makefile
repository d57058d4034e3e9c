# Coppice: build, run, test, install. `make help` lists the targets.
#
# Everything that is made goes to $(BUILD). The kernel is built twice from the same sources:
# $(BUILD)/kernel.elf, which is installed, and $(BUILD)/debug/kernel.elf, with debug_assert, lock ranks
# and poisoning, which the tests run on. cli/cli.mk, hosted/hosted.mk and tests/tests.mk add what their
# folders build to ALL (files that `make` makes) and to TESTS (phony targets that `make test` runs, in
# order).

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
V ?= 0

CC := gcc
LD := ld
NM := nm
CLANG_FORMAT ?= clang-format

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(patsubst $(BUILD)/%,%,$(2))'
endif

ALL :=
TESTS :=

.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:

# --- the kernel ---

GCC_INCLUDE := $(shell $(CC) -print-file-name=include)
MULTIARCH := $(shell $(CC) -print-multiarch)

# Only uapi headers (linux/, asm/, elf.h) are taken from /usr/include: the kernel has no C library.
KERNEL_CPPFLAGS := -nostdinc -isystem $(GCC_INCLUDE) -isystem /usr/include \
	-isystem /usr/include/$(MULTIARCH) -Ikernel -Ikernel/arch/x86_64
KERNEL_CFLAGS := -std=gnu17 -ffreestanding -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fno-pic -fno-pie -fno-stack-protector -fno-strict-aliasing -fno-omit-frame-pointer -fno-common \
	-fno-delete-null-pointer-checks -fno-asynchronous-unwind-tables -fcf-protection=none -O2 -g
WARNINGS := -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Werror
KERNEL_CFLAGS += $(WARNINGS) -Wframe-larger-than=1024
KERNEL_LDFLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none --fatal-warnings

KERNEL_C := $(sort $(wildcard kernel/*/*.c kernel/*/*/*.c))
KERNEL_S := $(sort $(wildcard kernel/*/*.S kernel/*/*/*.S))
KERNEL_LDS := kernel/boot/kernel.lds
KERNEL_LIBS := $(shell $(CC) -print-libgcc-file-name) # bit counts and the like

include kernel/net/lwip/lwip.mk

# memcpy and memset must not be compiled into calls of themselves.
CFLAGS_kernel/lib/string.c := -fno-tree-loop-distribute-patterns

# The vDSO: a shared library for programs, of its own compiler flags; vdso_image.S takes it in.
VDSO := $(BUILD)/vdso/vdso.so
VDSO_LDS := kernel/arch/x86_64/vdso/vdso.lds
VDSO_CFLAGS := -std=gnu17 -ffreestanding -fPIC -fno-stack-protector -fcf-protection=none -O2 -g $(WARNINGS)
KERNEL_CPPFLAGS += -I$(BUILD)/vdso

$(VDSO): kernel/arch/x86_64/vdso/vdso.c kernel/arch/x86_64/vdso_data.h kernel/lib/types.h $(VDSO_LDS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CPPFLAGS) $(VDSO_CFLAGS) -c -o $(@:.so=.o) $<
	$(Q)$(LD) -shared -soname linux-vdso.so.1 --hash-style=both -Bsymbolic --build-id=sha1 --eh-frame-hdr \
		-z max-page-size=4096 -z noexecstack --no-undefined --strip-debug -T $(VDSO_LDS) -o $@ $(@:.so=.o)

# $(1): output folder, $(2): extra flags, $(3): kernel file
define kernel_variant
$(1)/%.c.o: %.c
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(KERNEL_CPPFLAGS) $$(KERNEL_CFLAGS) $$(CFLAGS_$$<) $(2) -MMD -MP -c -o $$@ $$<

$(1)/%.S.o: %.S
	$$(call say,AS,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(KERNEL_CPPFLAGS) $$(KERNEL_CFLAGS) $(2) -MMD -MP -c -o $$@ $$<

$(1)/kernel/arch/x86_64/vdso_image.S.o: $$(VDSO)

# All code in one object; with -flto among the flags this is where it is compiled. (Inlined across files, GCC warns of values that
# are set whenever they are read.)
$(1)/all.o: $(patsubst %,$(1)/%.o,$(KERNEL_C) $(KERNEL_S))
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(KERNEL_CFLAGS) -Wno-maybe-uninitialized $(2) -r -nostdlib -flinker-output=nolto-rel -o $$@ $$^

# Linked twice: the table of symbols lies behind all code, so it does not move what it names.
$(3): $(1)/all.o $(KERNEL_LDS) scripts/symbol-table
	$$(call say,LINK,$$@)
	$$(Q)scripts/symbol-table </dev/null >$(1)/symbols.S
	$$(Q)$$(CC) -c -o $(1)/symbols.o $(1)/symbols.S
	$$(Q)$$(LD) $$(KERNEL_LDFLAGS) -T $$(KERNEL_LDS) -o $(1)/kernel.pass1 $(1)/all.o $(1)/symbols.o $(KERNEL_LIBS)
	$$(Q)$$(NM) -n $(1)/kernel.pass1 | scripts/symbol-table >$(1)/symbols.S
	$$(Q)$$(CC) -c -o $(1)/symbols.o $(1)/symbols.S
	$$(Q)$$(LD) $$(KERNEL_LDFLAGS) -T $$(KERNEL_LDS) -o $$@ $(1)/all.o $(1)/symbols.o $(KERNEL_LIBS)

-include $(patsubst %,$(1)/%.d,$(KERNEL_C) $(KERNEL_S))
endef

KERNEL_RELEASE := $(BUILD)/kernel.elf
KERNEL_DEBUG := $(BUILD)/debug/kernel.elf
# The release kernel is optimized as a whole: its layers call each other across files on every path that is measured.
$(eval $(call kernel_variant,$(BUILD)/obj,-flto=auto,$(KERNEL_RELEASE)))
$(eval $(call kernel_variant,$(BUILD)/debug/obj,-DCOPPICE_DEBUG=1,$(KERNEL_DEBUG)))

ALL += $(KERNEL_RELEASE) $(KERNEL_DEBUG)

# What run, debug and `make kernel` use: make DEBUG=1 asks for the kernel with all checks.
KERNEL := $(if $(DEBUG),$(KERNEL_DEBUG),$(KERNEL_RELEASE))

# --- the other folders ---

HOST_CFLAGS := -std=gnu17 -O2 -g $(WARNINGS)

-include cli/cli.mk
-include hosted/hosted.mk
-include tests/tests.mk
-include tests/files/files.mk
-include tests/durable/durable.mk
-include tests/net/net.mk
-include tests/pressure/pressure.mk
-include tests/figures/figures.mk
-include tests/diff/diff.mk
-include tests/fuzz/fuzz.mk
-include tests/servers/servers.mk
-include bench/bench.mk
-include tests/spin/spin.mk

# --- targets for people ---

.PHONY: all kernel run run-example test test-all debug install clean format lint help

all: $(ALL)

kernel: $(KERNEL)

JOBS := $(shell nproc)

# A second make, so that nothing is compiled before the packages are there.
run:
	@scripts/install-packages run
	@$(MAKE) --no-print-directory -j$(JOBS) run-example

run-example: $(KERNEL) $(BUILD)/coppice
	@$(BUILD)/coppice run --kernel $(KERNEL) -- python3 examples/fork.py

test:
	@scripts/install-packages test
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(MAKE) --no-print-directory test-all

# lint is one of the tests.
test-all: all
	@scripts/run-tests $(MAKE) lint $(TESTS)

# The machine waits for gdb, started here with the kernel's symbols; PROGRAM is what it runs.
PROGRAM ?= /bin/true
debug: all
	@scripts/debug $(BUILD)/coppice $(KERNEL_DEBUG) $(PROGRAM)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/coppice
	install -m 755 $(BUILD)/coppice $(DESTDIR)$(PREFIX)/bin/coppice
	install -m 644 $(KERNEL_RELEASE) $(DESTDIR)$(PREFIX)/lib/coppice/kernel.elf
	install -D -m 644 cli/coppice.1 $(DESTDIR)$(PREFIX)/share/man/man1/coppice.1

clean:
	rm -rf $(BUILD)

SOURCES := $(sort $(wildcard kernel/*/*.[ch] kernel/*/*/*.[ch] kernel/*/*/*/*.[ch] hosted/*.[ch] cli/*.[ch] bench/*.[ch] bench/*/*.[ch] tests/*/*.[ch]))

format:
	$(call say,FORMAT,$(words $(SOURCES)) files)
	$(Q)$(CLANG_FORMAT) -i $(SOURCES)

lint:
	$(call say,FORMAT,$(words $(SOURCES)) files: check)
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(SOURCES)
	$(call say,LAYERS,kernel)
	$(Q)scripts/check-layers

help:
	@printf '%s\n' \
		'make                 kernel, debug kernel, coppice, tests' \
		'make kernel          the kernel alone (DEBUG=1: with all checks)' \
		'make run             install what is missing, build, run the example' \
		'make test            install what is missing, build, run all tests' \
		'make bench           the benchmarks, on Coppice and on Linux (QUICK=1: in minutes)' \
		'make stress          stress-ng (to be installed) on the kernel with all checks' \
		'make debug           a kernel that waits for gdb, and gdb (PROGRAM=/bin/true)' \
		'make install         PREFIX=/usr/local DESTDIR=' \
		'make format, lint    clang-format; format and layer checks' \
		'make clean           remove $$(BUILD) (default: build)' \
		'V=1 shows commands; BUILD=DIR puts everything elsewhere'
