/*
 * init.c - the first process of the comparison kernel: mounts what the benchmarks read, brings the loopback interface up, runs the command line of
 * INIT_COMMAND (words between commas; the kernel hands unknown words of its own command line down as environment), and ends the machine. The program gets an
 * environment of one variable, FIRST_INSTRUCTION: the time-stamp counter at this one's start.
 */
#define _GNU_SOURCE
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define WORDS_MAX 64

static unsigned long long first;

__attribute__((constructor(101))) static void stamp(void)
{
	first = __rdtsc();
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		perror("init: lo");
	close(fd);
}

int main(void)
{
	char *command = getenv("INIT_COMMAND"), *argv[WORDS_MAX + 1] = { "/bin/true" };
	char variable[64], *environment[] = { variable, NULL };
	int status = -1, words = 0;
	pid_t pid;

	snprintf(variable, sizeof(variable), "FIRST_INSTRUCTION=%llu", first);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, "size=80%");
	loopback_up();
	for (char *word = command ? strtok(command, ",") : NULL; word && words < WORDS_MAX;
	     word = strtok(NULL, ","))
		argv[words++] = word;
	pid = fork();
	if (pid == 0) {
		execve(argv[0], argv, environment);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	puts(status == 0 ? "ok" : "failed");
	fflush(stdout);
	sync();
	reboot(RB_AUTOBOOT);
	return 1;
}
