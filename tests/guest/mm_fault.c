/*
 * mm_fault.c - which access faults, with which signal, code and address.
 *
 * Central rule: SEGV_MAPERR where there is no area, SEGV_ACCERR where the area forbids it, and si_addr is the byte that was accessed.
 * Next: mm_map.c.
 */
#include "check.h"

#include <alloca.h>
#include <sys/resource.h>

TEST(mm, unmapped_addresses_are_maperr)
{
	uint8_t *p = map_anon(1);

	CHECK(munmap(p, PAGE) == 0);
	CHECK_FAULT(probe_read(p + 17), SIGSEGV, SEGV_MAPERR, p + 17);
	CHECK_FAULT(probe_write(p + 18, 1), SIGSEGV, SEGV_MAPERR, p + 18);
	CHECK_FAULT(probe_read(NULL), SIGSEGV, SEGV_MAPERR, NULL);
	CHECK_FAULT(probe_write((void *)8, 1), SIGSEGV, SEGV_MAPERR, 8);
	CHECK_FAULT(probe_call(p, NULL), SIGSEGV, SEGV_MAPERR, p);
}

TEST(mm, forbidden_accesses_are_accerr)
{
	uint8_t *p = map_anon(4);

	fill(p, 4, 1);
	CHECK(mprotect(p, PAGE, PROT_READ) == 0);
	CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
	CHECK_FAULT(probe_write(p + 7, 1), SIGSEGV, SEGV_ACCERR, p + 7);
	CHECK_FAULT(probe_read(p + PAGE), SIGSEGV, SEGV_ACCERR, p + PAGE);
	CHECK_FAULT(probe_write(p + PAGE + 9, 1), SIGSEGV, SEGV_ACCERR, p + PAGE + 9);
	CHECK_FAULT(probe_call(p + 2 * PAGE, NULL), SIGSEGV, SEGV_ACCERR, p + 2 * PAGE);
	uint8_t *untouched = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_FAULT(probe_read(untouched), SIGSEGV, SEGV_ACCERR, untouched);
	CHECK_FAULT(probe_write((void *)(uintptr_t)&signal_name, 1), SIGSEGV, SEGV_ACCERR,
		    &signal_name);
	static const char text[] = "read-only data";
	CHECK_FAULT(probe_write((void *)(uintptr_t)text, 1), SIGSEGV, SEGV_ACCERR, text);
}

TEST(mm, kernel_addresses_are_maperr)
{
	static const uintptr_t addresses[] = { 0xffffffff80000000, 0xffff800000000000,
					       0xffffc00000000000, 0xfffffffffffff000,
					       0x00007ffffffff000 };

	for (size_t i = 0; i < COUNT_OF(addresses); i++) {
		CHECK_FAULT(probe_read((void *)addresses[i]), SIGSEGV, SEGV_MAPERR, addresses[i]);
		CHECK_FAULT(probe_write((void *)addresses[i], 1), SIGSEGV, SEGV_MAPERR,
			    addresses[i]);
	}
}

TEST(mm, non_canonical_addresses_are_general_protection)
{
	CHECK_EQ(probe_read((void *)0x0000800000000000), SIGSEGV);
	CHECK_EQ(probe_info.si_code, SI_KERNEL);
	CHECK(probe_info.si_addr == NULL);
	CHECK_EQ(probe_write((void *)0x1234567812345678, 1), SIGSEGV);
	CHECK_EQ(probe_info.si_code, SI_KERNEL);
}

static void code_put(uint8_t *p, uint8_t result)
{
	const uint8_t code[] = { 0xb8, result, 0, 0, 0, 0xc3 }; /* mov $result, %eax; ret */

	memcpy(p, code, sizeof(code));
}

TEST(mm, code_runs_only_where_it_may_be_executed)
{
	uint8_t *p = map_anon(1);
	int result = 0;

	code_put(p, 42);
	CHECK_FAULT(probe_call(p, &result), SIGSEGV, SEGV_ACCERR, p);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECK_EQ(probe_call(p, &result), 0);
	CHECK_EQ(result, 42);
	CHECK_FAULT(probe_write(p, 1), SIGSEGV, SEGV_ACCERR, p);
	CHILD (0) {
		CHECK(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0);
		code_put(p, 43);
		CHECK_EQ(probe_call(p, &result), SIGSEGV);
		CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
		CHECK_EQ(probe_call(p, &result), 0);
		CHECK_EQ(result, 43);
	}
	CHECK_EQ(probe_call(p, &result), 0);
	CHECK_EQ(result, 42);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	code_put(p, 44);
	CHECK_EQ(probe_call(p, &result), 0);
	CHECK_EQ(result, 44);
}

TEST(mm, stack_and_heap_are_not_executable)
{
	uint8_t stack[16];
	int result;

	code_put(stack, 1);
	CHECK_FAULT(probe_call(stack, &result), SIGSEGV, SEGV_ACCERR, stack);
	uint8_t *heap = malloc(16);
	code_put(heap, 1);
	CHECK_FAULT(probe_call(heap, &result), SIGSEGV, SEGV_ACCERR, heap);
}

/* --- the stack --- */

static __attribute__((noinline)) int stack_use(int frames)
{
	volatile uint8_t frame[16 * 1024];

	frame[0] = frames;
	int below = frames ? stack_use(frames - 1) : 0;
	return below + (frame[0] == (uint8_t)frames);
}

TEST(mm, the_stack_grows_to_7_mib)
{
	CHECK_EQ(stack_use(7 * 64), 7 * 64 + 1);
}

TEST(mm, the_stack_grows_in_one_step)
{
	volatile uint8_t *far = alloca(4 << 20);

	far[0] = 1; /* 4 MiB below what was touched */
	CHECK_EQ(far[0], 1);
	CHECK_EQ(far[PAGE], 0);
}

TEST(mm, stacks_grow_apart_after_fork)
{
	pid_t pid = child_fork();

	if (pid == 0) {
		CHECK_EQ(stack_use(64), 65);
		_exit(0);
	}
	CHECK_EQ(stack_use(200), 201);
	child_expect(pid, 0);
}

static void stack_limit(size_t size)
{
	struct rlimit limit = { size, RLIM_INFINITY };

	CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
}

static uint8_t *overflow_low;

static void on_overflow(int signal, siginfo_t *info, void *context)
{
	uint8_t *at = info->si_addr;
	int here;

	(void)context;
	CHECK_EQ(signal, SIGSEGV);
	CHECK_EQ(info->si_code, SEGV_MAPERR);
	CHECK(at < overflow_low && at > overflow_low - (2 << 20));
	CHECK((uint8_t *)&here < overflow_low - (2 << 20) ||
	      (uint8_t *)&here > overflow_low + (1 << 20));
	_exit(42);
}

static uint8_t *stack_top(void)
{
	return __builtin_frame_address(0);
}

TEST(mm, stack_overflow_is_sigsegv_on_the_alternate_stack)
{
	CHILD (42) {
		stack_t alternate = { .ss_sp = map_anon(16), .ss_size = 16 * PAGE };
		struct sigaction sa = { .sa_sigaction = on_overflow,
					.sa_flags = SA_SIGINFO | SA_ONSTACK };

		stack_limit(1 << 20);
		overflow_low = stack_top();
		CHECK(sigaltstack(&alternate, NULL) == 0);
		CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
		stack_use(1000);
	}
	CHILD (-SIGSEGV) {
		stack_limit(1 << 20);
		stack_use(1000);
	}
	/* A handler that has no stack to run on is as good as none. */
	CHILD (-SIGSEGV) {
		struct sigaction sa = { .sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO };

		stack_limit(1 << 20);
		CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
		stack_use(1000);
	}
}

TEST(mm, the_stack_keeps_its_distance_from_other_mappings)
{
	CHILD (-SIGSEGV) {
		uint8_t *near = (uint8_t *)((uintptr_t)stack_top() & ~(PAGE - 1)) - (2 << 20);

		CHECK(mmap(near, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == near);
		memset(near, 7, PAGE);
		stack_use(62); /* to 1 MiB above the mapping and nearer: the guard gap is 1 MiB */
		stack_use(130);
	}
}

TEST(mm, growsdown_areas_grow_down_to_the_guard_gap)
{
	uint8_t *base = mmap(NULL, 600 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(base != MAP_FAILED);
	CHECK(munmap(base, 600 * PAGE) == 0);
	CHECK(mmap(base, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == base);
	uint8_t *grows = base + 400 * PAGE;
	CHECK(mmap(grows, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == grows);
	CHECK_EQ(probe_write(grows - 10, 1), 0);
	CHECK_EQ(probe_write(base + 300 * PAGE, 1), 0);
	CHECK_STR(maps_shape(base, 401), "rw-p*1 .*299 rw-p*101");
	CHECK_EQ(probe_write(base + 100 * PAGE, 1), SIGSEGV);
	CHECK_EQ(grows[-10], 1);
}

TEST(mm, a_child_grows_what_the_parent_does_not)
{
	uint8_t *base = mmap(NULL, 600 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *grows = base + 500 * PAGE;

	CHECK(munmap(base, 600 * PAGE) == 0);
	CHECK(mmap(grows, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == grows);
	CHILD (0) {
		CHECK_EQ(probe_write(grows - 5 * PAGE, 1), 0);
		CHECK_STR(maps_shape(base + 490 * PAGE, 11), ".*5 rw-p*6");
	}
	CHECK_STR(maps_shape(base + 490 * PAGE, 11), ".*10 rw-p*1");
}

/* --- accesses that span pages --- */

static uint8_t *split_page;

static void on_split_access(int signal, siginfo_t *info, void *context)
{
	(void)context;
	_exit(signal == SIGSEGV && info->si_code == SEGV_MAPERR && info->si_addr == split_page ? 42
											       : 1);
}

TEST(mm, an_access_across_a_page_border_reports_the_missing_part)
{
	uint8_t *p = map_anon(2);

	CHECK(munmap(p + PAGE, PAGE) == 0);
	struct sigaction sa = { .sa_sigaction = on_split_access, .sa_flags = SA_SIGINFO };
	split_page = p + PAGE;
	CHILD (42) {
		CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
		*(volatile uint64_t *)(p + PAGE - 4) = 5;
	}
	CHECK_EQ(p[PAGE - 4], 0);
}

TEST(mm, zero_page_reads_then_writes)
{
	uint8_t *p = map_anon(64);

	CHECK(all_bytes(p, 64 * PAGE, 0));
	fill(p, 32, 5);
	CHECK(filled(p, 32, 5));
	CHECK(all_bytes(p + 32 * PAGE, 32 * PAGE, 0));
}

TEST(mm, atomic_and_locked_writes_break_copy_on_write)
{
	uint64_t *p = (uint64_t *)map_anon(3);

	p[0] = 1;
	CHILD (0) {
		__atomic_fetch_add(p, 41, __ATOMIC_SEQ_CST);
		CHECK_EQ(p[0], 42);
		uint64_t expected = 0;
		/* A failed compare-and-swap writes all the same, as far as the processor is concerned. */
		CHECK(!__atomic_compare_exchange_n(p + 1, &expected, 7, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST) ||
		      p[1] == 7);
	}
	CHECK_EQ(p[0], 1);
	CHECK_EQ(p[1], 0);
	/* One store over two pages. */
	volatile uint64_t *across = (uint64_t *)((uint8_t *)p + PAGE - 4);
	CHILD (0) {
		*across = 0x1122334455667788;
		CHECK_EQ(*across, 0x1122334455667788);
	}
	CHECK_EQ(*across, 0);
}
