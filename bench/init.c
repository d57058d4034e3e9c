/*
 * init.c - the first process of the comparison kernel: runs /bin/true (busybox) as `coppice run -- /bin/true` does, then ends the machine.
 */
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/true", "true", (char *)0);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (write(1, status == 0 ? "ok\n" : "failed\n", status == 0 ? 3 : 7) < 0)
		_exit(1);
	sync();
	reboot(RB_AUTOBOOT);
	return 1;
}
