/* ping_pong.c - see ping_pong.h. */
#include "ping_pong.h"

#include "../frame.h"

#include <unistd.h>

#define ROUND_TRIPS 500

void ping_pong(int there, int back, int child_in, int child_out)
{
	pid_t pid = fork();
	long start = 0;
	char c = 0;

	if (pid < 0)
		fatal("fork");
	if (pid == 0) {
		for (int i = 0; i <= ROUND_TRIPS; i++) {
			if (read(child_in, &c, 1) != 1 || write(child_out, &c, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i <= ROUND_TRIPS; i++) {
		if (i == 1)
			start = now();
		if (write(there, &c, 1) != 1 || read(back, &c, 1) != 1)
			fatal("ping-pong");
	}
	bench_result((double)(now() - start) / ROUND_TRIPS);
	child_wait(pid);
}
