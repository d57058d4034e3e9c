/*
 * futex_robust.c - what a thread that ends leaves behind in user memory: the robust futexes that it
 * holds are marked, and the word that pthread_join waits for is cleared; who waits for them is woken.
 *
 * All that is read here is a program's data and may be anything: the list is bounded, and given up at
 * the first bad address.
 */
#include <linux/futex.h>

#include "arch/x86_64/usercopy.h"
#include "mm/space.h"
#include "proc/futex_priv.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

#define ROBUST_LIST_MAX 2048u
#define ENTRY_PI 1ull /* in the lowest bit of an entry's address: a lock with an owner */

static void wake_shared(u64 address)
{
	struct futex_word word = { address, true };

	(void)futex_wake(word, 1, FUTEX_BITSET_MATCH_ANY);
}

/*
 * One lock. pending: the thread was about to take or to give it up: then it may have set the word
 * free without having woken anybody. False: its address is bad.
 */
static bool robust_release(u64 address, u32 tid, bool pi, bool pending)
{
	u32 value, seen;

	if (address % sizeof(u32) || get_user(value, (u32 __user *)address))
		return false;
	if (pending && !pi && !(value & FUTEX_TID_MASK)) {
		wake_shared(address);
		return true;
	}
	while ((value & FUTEX_TID_MASK) == tid) {
		if (cas_user_u32((u32 __user *)address, value,
				 (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
			return false;
		if (seen == value) {
			/* Those with an owner: pi_states_exit. */
			if (!pi && value & FUTEX_WAITERS)
				wake_shared(address);
			return true;
		}
		value = seen;
	}
	return true;
}

static void robust_list_exit(struct thread *t)
{
	u64 head = t->robust_list, entry, pending;
	struct robust_list_head h;

	t->robust_list = 0;
	if (copy_from_user(&h, (void __user *)head, sizeof(h)))
		return;
	entry = (u64)h.list.next;
	pending = (u64)h.list_op_pending;
	for (u32 i = 0; (entry & ~ENTRY_PI) != head && i < ROBUST_LIST_MAX; i++) {
		u64 at = entry & ~ENTRY_PI, next;
		bool bad = get_user(next, (u64 __user *)at);

		if (at != (pending & ~ENTRY_PI) &&
		    !robust_release(at + (u64)h.futex_offset, t->tid, entry & ENTRY_PI, false))
			return;
		if (bad)
			break;
		entry = next;
		cpu_preempt_point();
	}
	if (pending & ~ENTRY_PI)
		robust_release((pending & ~ENTRY_PI) + (u64)h.futex_offset, t->tid,
			       pending & ENTRY_PI, true);
}

int futex_robust_list_of(u32 tid, u64 *head)
{
	struct process *p = pid_thread_process(tid ? tid : thread_current()->tid);
	struct thread *t;
	int err = -EPERM;

	if (!p)
		return -ESRCH;
	if (process_may_trace(p)) {
		spin_lock(&p->signal_lock);
		t = process_thread(p, tid ? tid : thread_current()->tid);
		if (t)
			*head = t->robust_list;
		err = t ? 0 : -ESRCH;
		spin_unlock(&p->signal_lock);
	}
	process_put(p);
	return err;
}

void futex_exit(struct thread *t)
{
	struct process *p = t->process;

	/* From here on nobody makes it the owner of a lock that is waited for. */
	spin_lock(&p->signal_lock);
	t->futex_exiting = true;
	spin_unlock(&p->signal_lock);
	if (t->robust_list)
		robust_list_exit(t);
	pi_states_exit(t);
	/* As Linux: nobody else can look at the word if nobody shares the space. */
	if (t->clear_child_tid && (p->nthreads > 1 || load_relaxed(&t->mm->users.n) > 1)) {
		if (put_user(0u, (u32 __user *)t->clear_child_tid) == 0)
			wake_shared(t->clear_child_tid);
	}
	t->clear_child_tid = 0;
}

void futex_exec(struct thread *t)
{
	futex_exit(t);
	spin_lock(&t->process->signal_lock);
	t->futex_exiting = false;
	spin_unlock(&t->process->signal_lock);
}
