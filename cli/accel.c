/*
 * accel.c - KVM or TCG?
 *
 * Central rule: believe only a guest that ran. A /dev/kvm that opens proves nothing: there are
 * machines where it exists and every guest hangs. So KVM is chosen when the processor has it, the
 * device opens, and our own kernel, started with the command line "probe", has powered off within
 * a time limit. The answer holds as long as boot, kernel and QEMU are the same, and is remembered
 * in a file.
 */
#include "accel.h"

#include <fcntl.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "vm.h"

#define PROBE_MEMORY (UINT64_C(64) << 20)
#define KEY_SIZE 256

const char *accel_name(enum accel accel)
{
	static const char *const names[] = {
		[ACCEL_AUTO] = "auto", [ACCEL_KVM] = "kvm", [ACCEL_TCG] = "tcg"
	};

	return names[accel];
}

/* Whether `word` is one of the space-separated words of `line`. */
static bool has_word(const char *line, const char *word)
{
	size_t length = strlen(word);

	while (*line) {
		size_t n = strcspn(line, " \t\n");

		if (n == length && strncmp(line, word, length) == 0)
			return true;
		line += n;
		line += strspn(line, " \t\n");
	}
	return false;
}

bool cpuinfo_has_virtualization(FILE *cpuinfo)
{
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	/* All processors of a machine are alike in this: the first line of flags is enough. */
	while (getline(&line, &size, cpuinfo) >= 0) {
		if (strncmp(line, "flags", 5) == 0) {
			found = has_word(line, "vmx") || has_word(line, "svm");
			break;
		}
	}
	free(line);
	return found;
}

static bool processor_can(void)
{
	FILE *cpuinfo = fopen("/proc/cpuinfo", "re");
	bool can;

	if (!cpuinfo)
		return false;
	can = cpuinfo_has_virtualization(cpuinfo);
	fclose(cpuinfo);
	return can;
}

static bool device_opens(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

enum accel accel_recall(const char *path, const char *key)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[KEY_SIZE + 16], *end;
	struct stat stat;
	ssize_t length = -1;

	if (fd < 0)
		return ACCEL_AUTO;
	if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_uid == geteuid())
		length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length < 0)
		return ACCEL_AUTO;
	text[length] = '\0';
	end = strchr(text, '\n');
	if (!end || strlen(key) != (size_t)(end - text) || strncmp(text, key, end - text) != 0)
		return ACCEL_AUTO;
	if (strcmp(end + 1, "kvm\n") == 0)
		return ACCEL_KVM;
	return strcmp(end + 1, "tcg\n") == 0 ? ACCEL_TCG : ACCEL_AUTO;
}

bool accel_remember(const char *path, const char *key, enum accel accel)
{
	char *temporary;
	bool done = false;
	int fd;

	/* Written beside and renamed, so that no reader sees half of it. */
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return false;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd >= 0) {
		done = dprintf(fd, "%s\n%s\n", key, accel_name(accel)) > 0;
		close(fd);
		done = done && rename(temporary, path) == 0;
		if (!done)
			unlink(temporary);
	}
	free(temporary);
	return done;
}

/*
 * The file of the answer, its directory made, or NULL where there is no directory of the user's
 * own. The caller frees it.
 */
static char *answer_path(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
	char *directory = NULL, *path = NULL;

	if (runtime && *runtime == '/') {
		if (asprintf(&directory, "%s/coppice", runtime) < 0)
			return NULL;
	} else if (home && *home == '/') {
		if (asprintf(&directory, "%s/.cache", home) < 0)
			return NULL;
		mkdir(directory, 0700);
		free(directory);
		if (asprintf(&directory, "%s/.cache/coppice", home) < 0)
			return NULL;
	} else {
		return NULL;
	}
	if ((mkdir(directory, 0700) == 0 || errno == EEXIST) &&
	    asprintf(&path, "%s/accelerator", directory) < 0)
		path = NULL;
	free(directory);
	return path;
}

/* What the answer depends on: the running host kernel, our kernel's file and QEMU's. */
static bool answer_key(const char *qemu, const char *kernel, char key[KEY_SIZE])
{
	char boot[64] = "";
	struct stat q, k;
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (file) {
		if (!fgets(boot, sizeof(boot), file))
			boot[0] = '\0';
		fclose(file);
	}
	boot[strcspn(boot, "\n")] = '\0';
	if (!boot[0] || stat(qemu, &q) != 0 || stat(kernel, &k) != 0)
		return false;
	snprintf(key, KEY_SIZE, "%s %ju:%ju:%jd.%09ld %ju:%ju:%jd.%09ld", boot, (uintmax_t)q.st_dev,
		 (uintmax_t)q.st_ino, (intmax_t)q.st_mtim.tv_sec, q.st_mtim.tv_nsec,
		 (uintmax_t)k.st_dev, (uintmax_t)k.st_ino, (intmax_t)k.st_mtim.tv_sec,
		 k.st_mtim.tv_nsec);
	return true;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/*
 * Wait until QEMU has closed its output, which it does by ending. False if the time is over first.
 */
static bool probe_wait(const struct vm *vm)
{
	int64_t deadline = now_ms() + ACCEL_PROBE_MS;
	struct pollfd pollfd = { .fd = vm->output, .events = POLLIN };
	char text[512];

	while (true) {
		int64_t left = deadline - now_ms();
		ssize_t n;

		if (left <= 0)
			return false;
		if (poll(&pollfd, 1, left) <= 0)
			continue;
		n = read(vm->output, text, sizeof(text));
		if (n == 0)
			return true;
	}
}

static bool probe(const char *qemu, const char *kernel)
{
	struct vm_config config = {
		.qemu = qemu,
		.kernel = kernel,
		.accel = ACCEL_KVM,
		.memory = PROBE_MEMORY,
		.cpus = 1,
		.probe = true,
	};
	struct vm vm;
	bool ended;
	int status;

	if (!vm_start(&vm, &config))
		return false;
	ended = probe_wait(&vm);
	status = vm_end(&vm);
	return ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

enum accel accel_choose(const char *qemu, const char *kernel, const char **why)
{
	enum accel accel = ACCEL_AUTO;
	char key[KEY_SIZE];
	char *path;

	if (!processor_can()) {
		*why = "the processor has no vmx or svm";
		return ACCEL_TCG;
	}
	if (!device_opens()) {
		*why = "/dev/kvm does not open";
		return ACCEL_TCG;
	}
	path = answer_path();
	if (path && !answer_key(qemu, kernel, key)) {
		free(path);
		path = NULL;
	}
	if (path)
		accel = accel_recall(path, key);
	if (accel == ACCEL_AUTO) {
		accel = probe(qemu, kernel) ? ACCEL_KVM : ACCEL_TCG;
		if (path)
			accel_remember(path, key, accel);
	}
	free(path);
	*why = accel == ACCEL_KVM ? "a guest was seen to run"
				  : "a guest was seen not to run with KVM";
	return accel;
}
