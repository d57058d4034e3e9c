/*
 * redis: the server, unmodified, with the given amount of values in memory: how long its fork took when it began to save, and how long a client waited for SET
 * while it was saving. The client sends at a fixed pace, whether or not the answers have come, and a request's time runs from when it was due, so that a
 * server that stands still is late for all that was due meanwhile. The server listens at a Unix socket and saves to a tmpfs, not compressed.
 */
#define _GNU_SOURCE
#include "../frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVER "/usr/bin/redis-server"
#define SOCKET "/tmp/bench.redis"
#define SAVED "/tmp/dump.rdb"
#define WARMING 100      /* requests */
#define VALUE 4000       /* with its header it takes 4 KiB of the server's memory */
#define PACE_NS 4000000l /* between two requests */
#define WAIT_NS 60000000000l
#define REQUESTS_MAX 65536
#define ANSWER_MAX 8192

static int server_socket;

static pid_t server_start(void)
{
	static char *argv[] = { SERVER,
				"--port",
				"0",
				"--unixsocket",
				SOCKET,
				"--save",
				"",
				"--dir",
				"/tmp",
				"--rdbcompression",
				"no",
				"--rdbchecksum",
				"no",
				"--enable-debug-command",
				"yes",
				"--loglevel",
				"warning",
				"--logfile",
				"/tmp/bench.redis.log",
				NULL };
	pid_t pid = fork();

	if (pid < 0)
		fatal("fork");
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void server_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	long end = now() + WAIT_NS;

	server_socket = socket(AF_UNIX, SOCK_STREAM, 0);
	while (connect(server_socket, (struct sockaddr *)&address, sizeof(address))) {
		if (now() > end)
			fatal("connect");
		usleep(10000);
	}
}

static void send_all(const char *p, size_t size)
{
	while (size) {
		ssize_t n = write(server_socket, p, size);

		if (n <= 0)
			fatal("write");
		p += n;
		size -= (size_t)n;
	}
}

/* An inline command, and its whole answer, one line or a bulk string, in `answer`. */
static void ask(const char *command, char *answer)
{
	size_t have = 0, want = 0;

	send_all(command, strlen(command));
	send_all("\r\n", 2);
	do {
		ssize_t n = read(server_socket, answer + have, ANSWER_MAX - 1 - have);

		if (n <= 0)
			fatal("read");
		have += (size_t)n;
		answer[have] = 0;
		if (!want && strstr(answer, "\r\n"))
			want = answer[0] == '$' ? (size_t)(strstr(answer, "\r\n") - answer) + 4 +
							  strtoul(answer + 1, NULL, 10)
						: have;
	} while (!want || have < want);
	if (answer[0] == '-') {
		fputs(answer, stderr);
		fatal(command);
	}
}

static long info(const char *section, const char *field)
{
	char command[64], answer[ANSWER_MAX];
	char *at;

	snprintf(command, sizeof(command), "INFO %s", section);
	ask(command, answer);
	at = strstr(answer, field);
	if (!at)
		fatal(field);
	return atol(at + strlen(field) + 1);
}

/* Reads what there is and counts the answers in it: each is "+OK\r\n", and nothing else is under way. */
static long answers_read(void)
{
	char buffer[ANSWER_MAX];
	ssize_t n = recv(server_socket, buffer, sizeof(buffer), MSG_DONTWAIT);
	long count = 0;

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		fatal("recv");
	for (ssize_t i = 0; i < n; i++)
		count += buffer[i] == '\n';
	return count;
}

static void wait_until(long due)
{
	long left = due - now();
	struct timespec t = { .tv_nsec = left > 0 ? left : 0 };
	struct pollfd p = { .fd = server_socket, .events = POLLIN };

	ppoll(&p, 1, &t, NULL);
}

static bool saved(void)
{
	return access(SAVED, F_OK) == 0;
}

/* One SET, not inline: the server takes those apart byte by byte. */
static void set(unsigned long number)
{
	static char request[VALUE + 128];
	char key[32];
	int key_length = snprintf(key, sizeof(key), "key:%lu", number);
	size_t head = (size_t)sprintf(request, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n",
				      key_length, key, VALUE);

	memset(request + head, 'x', VALUE);
	memcpy(request + head + VALUE, "\r\n", 2);
	send_all(request, head + VALUE + 2);
}

/*
 * Has the server save, with requests at their pace until the file is there, `least` of them in any case, and all have been answered: their times, in order of
 * size; returns how many.
 */
static long save_under_load(long keys, long least, long *took)
{
	unsigned long seed = 1;
	long sent = 0, answered = 0, start;
	char answer[ANSWER_MAX];
	bool done = false;

	unlink(SAVED);
	start = now();
	ask("BGSAVE", answer);
	while (!done || answered < sent) {
		long t = now(), n;

		for (n = answers_read(); n; n--, answered++)
			took[answered] = t - (start + answered * PACE_NS);
		done = done || sent == REQUESTS_MAX || (sent >= least && saved());
		if (!done && t >= start + sent * PACE_NS) {
			seed = seed * 6364136223846793005ul + 1442695040888963407ul;
			set((seed >> 33) % (unsigned long)keys);
			sent++;
			continue;
		}
		wait_until(done ? t + PACE_NS : start + sent * PACE_NS);
	}
	while (info("persistence", "rdb_bgsave_in_progress"))
		usleep(10000);
	qsort(took, (size_t)sent, sizeof(*took), compare_longs);
	return sent;
}

static void populate(long keys)
{
	char answer[ANSWER_MAX], command[64];

	snprintf(command, sizeof(command), "DEBUG POPULATE %ld key %d", keys, VALUE);
	ask(command, answer);
}

/* A small save first, so that what runs has run before, as in a server that saves now and then. */
static void run(long mib)
{
	static long took[REQUESTS_MAX];
	long keys = mib * (long)(MIB / PAGE), count, start;
	pid_t pid;

	if (access(SERVER, X_OK))
		bench_skip("no redis-server");
	pid = server_start();
	server_connect();
	populate(MIB / PAGE);
	save_under_load(MIB / PAGE, WARMING, took);
	populate(keys);
	start = now();
	count = save_under_load(keys, 0, took);
	bench_result((double)info("stats", "latest_fork_usec"));
	bench_also("set_median", "us", (double)took[count / 2] / 1000);
	bench_also("set_p99", "us", (double)took[count * 99 / 100] / 1000);
	bench_also("set_max", "us", (double)took[count - 1] / 1000);
	bench_also("save", "ms", (double)(now() - start) / 1e6);
	close(server_socket);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(SAVED);
	unlink(SOCKET);
}

BENCH(redis, .unit = "us",
      .what = "Redis: its fork for BGSAVE; SET meanwhile, its median, 99 of 100, the longest; the "
	      "saving",
      .args = { 64, 256, 1024 }, .arg_unit = "MiB", .mode = IN_TIME, .machine = "redis",
      .once = true, .run = run)
