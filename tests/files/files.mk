# The file test: the kernel's vfs and memfs in a Linux process, on the hosted machine, compared with Linux call by call.
#
# The kernel's sources are compiled here as in the kernel, without the C library's headers: only their functions are linked.

FILES_OUT := $(BUILD)/files
FILES_KERNEL := $(addprefix kernel/fs/,dentry.c file.c file_data.c files.c inode.c inotify.c iter.c memfs.c memfs_dir.c memfs_super.c memfs_xattr.c \
	mount.c name.c open.c read_ahead.c walk.c xattr.c) tests/files/vfs_side.c
FILES_HOST := tests/files/host_side.c tests/files/main.c
FILES_CPPFLAGS := -ffreestanding -nostdinc -isystem $(GCC_INCLUDE) -isystem /usr/include -isystem /usr/include/$(MULTIARCH) \
	-DCOPPICE_DEBUG=1 -Dthread_current=files_thread_current -iquote hosted -iquote kernel
FILES_SANITIZE := -O1 $(HOSTED_SANITIZE)

$(FILES_KERNEL:%.c=$(FILES_OUT)/%.o): $(FILES_OUT)/%.o: %.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FILES_CPPFLAGS) $(HOSTED_CFLAGS) $(FILES_SANITIZE) -MMD -MP -c -o $@ $<

$(FILES_HOST:%.c=$(FILES_OUT)/%.o): $(FILES_OUT)/%.o: %.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTED_CFLAGS) $(FILES_SANITIZE) -MMD -MP -c -o $@ $<

$(FILES_OUT)/files: $(FILES_KERNEL:%.c=$(FILES_OUT)/%.o) $(FILES_HOST:%.c=$(FILES_OUT)/%.o) $(HOSTED_OUT)/checked/machine.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(FILES_SANITIZE) -o $@ $^

-include $(FILES_KERNEL:%.c=$(FILES_OUT)/%.d) $(FILES_HOST:%.c=$(FILES_OUT)/%.d)

ALL += $(FILES_OUT)/files

# A process that has changed its root cannot look for leaks; the hosted machine's census does that.
.PHONY: test-files
test-files: $(FILES_OUT)/files
	ASAN_OPTIONS=detect_leaks=0 $< 20000 $(shell seq 1 15)
	ASAN_OPTIONS=detect_leaks=0 $< --lower 20000 $(shell seq 1 15)
	ASAN_OPTIONS=detect_leaks=0 $< --fail 20000 $(shell seq 1 10)
	ASAN_OPTIONS=detect_leaks=0 $< --fail --lower 20000 $(shell seq 1 10)

TESTS += test-files
