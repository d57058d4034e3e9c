/*
 * ops_family.c - forks. A short-lived child does some operations of the stream and ends. A live
 * child stays, and does some whenever its parent gives it a turn. Both may fork themselves. The
 * parent waits meanwhile: the stream stays one.
 */
#include "diff.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEPTH_MAX 4
#define LIVE_MAX 3
#define CHILD_STATUS 7

struct child {
	pid_t pid;
	int to, from; /* pipes: a number of operations, and an answer when they are done */
};

static struct child children[LIVE_MAX];
static unsigned child_count;

static void run_operations(u64 n)
{
	for (u64 i = 0; i < n && board->index < options.count; i++)
		step();
}

/* In a new child: the siblings are not its children. */
static void forget_family(void)
{
	for (unsigned i = 0; i < child_count; i++) {
		close(children[i].to);
		close(children[i].from);
	}
	child_count = 0;
	depth++;
}

static void __attribute__((noreturn)) child_end(void)
{
	struct rng r = rng_of(~options.seed, board->index);
	bool all = rng_chance(&r, 3);

	family_end();
	if (!options.no_maps)
		maps_fold();
	if (all)
		memory_fold(rng_chance(&r, 2), rng_chance(&r, 8));
	_exit(CHILD_STATUS);
}

static void child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			fail("waitpid");
	fold((u64)status);
	say("%.*swaited: %x", (int)depth, "++++++++", status);
}

static void run_fork(struct rng *r)
{
	u64 n = 1 + rng_below(r, 30);

	if (depth >= DEPTH_MAX)
		return;
	say(" %lu\n", n);
	say_now();
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		forget_family();
		run_operations(n);
		child_end();
	}
	child_wait(pid);
}

static void __attribute__((noreturn)) live(int from, int to)
{
	u8 n;

	forget_family();
	while (read(from, &n, 1) == 1 && n) {
		run_operations(n);
		write(to, &n, 1);
	}
	child_end();
}

static void run_fork_live(struct rng *r)
{
	int down[2], up[2];

	if (depth >= DEPTH_MAX || child_count == LIVE_MAX)
		return;
	if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
		fail("pipe");
	say(" %u", child_count);
	say_now(); /* or both would have it to say */
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		close(down[1]);
		close(up[0]);
		live(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	children[child_count++] = (struct child){ pid, down[1], up[0] };
}

static void run_turn(struct rng *r)
{
	if (!child_count)
		return;
	struct child *c = &children[rng_below(r, child_count)];
	u8 n = (u8)(1 + rng_below(r, 40));

	say(" %lu %u\n", c - children, n);
	say_now();
	if (write(c->to, &n, 1) != 1 || read(c->from, &n, 1) != 1) {
		/* It has died: how will be seen when it is waited for. */
		fold(1);
	}
}

static void child_finish(unsigned index)
{
	struct child c = children[index];
	u8 n = 0;

	write(c.to, &n, 1);
	close(c.to);
	close(c.from);
	children[index] = children[--child_count];
	child_wait(c.pid);
}

static void run_finish(struct rng *r)
{
	if (!child_count)
		return;
	unsigned index = (unsigned)rng_below(r, child_count);

	say(" %u\n", index);
	say_now();
	child_finish(index);
}

bool has_family(void)
{
	return depth || child_count;
}

void family_end(void)
{
	while (child_count)
		child_finish(child_count - 1);
}

const struct operation family_operations[] = {
	{ "fork", 8, run_fork }, { "fork-live", 3, run_fork_live },
	{ "turn", 8, run_turn }, { "finish", 3, run_finish },
	{ NULL, 0, NULL },
};
