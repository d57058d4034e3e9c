/*
 * init.c - the first process of the comparison kernel: mounts what the benchmarks read, runs the command line of INIT_COMMAND (words between commas; the
 * kernel hands unknown words of its own command line down as environment), and ends the machine.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 64

int main(void)
{
	char *command = getenv("INIT_COMMAND"), *argv[WORDS_MAX + 1] = { "/bin/true" };
	int status = -1, words = 0;
	pid_t pid;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	for (char *word = command ? strtok(command, ",") : NULL; word && words < WORDS_MAX;
	     word = strtok(NULL, ","))
		argv[words++] = word;
	pid = fork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	puts(status == 0 ? "ok" : "failed");
	fflush(stdout);
	sync();
	reboot(RB_AUTOBOOT);
	return 1;
}
