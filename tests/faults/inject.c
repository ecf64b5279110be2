/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "calls.h"
#include "inject.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif
enum { LETS_THROUGH, HANDS_OVER };	/* SYSCALL_DISPATCH_FILTER_... */

/*
 * The instructions whose system calls the kernel carries out: one to make a call,
 * one for handlers to return by.
 */
long
gadget_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
	    uint64_t e, uint64_t f);
void
gadget_restore(void);
extern char gadget_begin[], gadget_end[];

asm(".pushsection .text\n"
    ".globl gadget_begin, gadget_call, gadget_restore, gadget_end\n"
    "gadget_begin:\n"
    "gadget_call:\n"
    "	mov %rdi, %rax\n"
    "	mov %rsi, %rdi\n"
    "	mov %rdx, %rsi\n"
    "	mov %rcx, %rdx\n"
    "	mov %r8, %r10\n"
    "	mov %r9, %r8\n"
    "	mov 8(%rsp), %r9\n"
    "	syscall\n"
    "	ret\n"
    "	nop\n"
    "gadget_restore:\n"
    "	mov $15, %eax\n"
    "	syscall\n"
    "	hlt\n"
    "gadget_end:\n"
    ".popsection\n");

/* As the kernel has it. */
struct action {
	void *handler;
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
#define WITH_RESTORER 0x04000000ul	/* SA_RESTORER */

static char selector;
static bool is_armed, is_paused;
static long blocks;
static struct inject_plan plan;
static struct inject_report report;
static const struct call *failed_call;
static unsigned in_a_row;	/* EINTR */
static int16_t *list;
static unsigned list_room, listed;

/* Deciding ----------------------------------------------------------------- */

static void
note(long number)
{
	if (list && listed < list_room)
		list[listed++] = (int16_t)number;
}

static unsigned
count_errors(const struct call *call)
{
	unsigned n = 0;

	while (n < CALL_ERRORS_MAX && call->errors[n])
		n++;
	return n;
}

static int
fail(const struct call *call, int error)
{
	if (error == EINTR && ++in_a_row > INJECT_EINTR_MAX)
		return 0;
	if (report.failed++ == 0) {
		report.name = call->name;
		report.error = error;
		failed_call = call;
	}
	report.has_left |= call->traits & CALL_REMOVES;
	return error;
}

/* What this point fails with; 0: it does not. */
static int
decide(const struct call *call)
{
	unsigned errors = count_errors(call);

	if (errors == 0 || report.is_out_of_choices)
		return 0;
	report.points++;
	if (plan.at == 0 || report.points < plan.at)
		return 0;
	if (report.points == plan.at) {
		if (plan.choice < errors)
			return fail(call, call->errors[plan.choice]);
		report.is_out_of_choices = true;
		return 0;
	}
	if (plan.mode == INJECT_SAME && call == failed_call)
		return fail(call, report.error);
	if (plan.mode == INJECT_ALL)
		return fail(call, call->errors[plan.choice % errors]);
	return 0;
}

static bool
allocation_fails(void)
{
	static const uint64_t none[6];

	if (!is_armed)
		return false;
	note(CALL_ALLOCATION);
	if (!decide(call_find(CALL_ALLOCATION, none)))
		return false;
	errno = ENOMEM;
	return true;
}

/* System calls --------------------------------------------------------------- */

#define BIT_OF(number) (UINT64_C(1) << ((number) - 1))

/* To the mask that the thread goes on with. */
static long
change_mask(ucontext_t *context, long how, const uint64_t *set, uint64_t *old)
{
	uint64_t *mask = (uint64_t *)&context->uc_sigmask;
	uint64_t before = *mask;

	if (set && how == SIG_BLOCK)
		*mask |= *set;
	else if (set && how == SIG_UNBLOCK)
		*mask &= ~*set;
	else if (set)
		*mask = *set;
	*mask &= ~(BIT_OF(SIGSYS) | BIT_OF(SIGKILL) | BIT_OF(SIGSTOP));
	if (old)
		*old = before;
	return 0;
}

static long
carry_out(long number, const uint64_t a[6], ucontext_t *context)
{
	if (number == SYS_rt_sigprocmask)
		return change_mask(context, (int)a[0],
				   (const uint64_t *)(uintptr_t)a[1],
				   (uint64_t *)(uintptr_t)a[2]);
	return gadget_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static long
dispatch(long number, const uint64_t a[6], ucontext_t *context)
{
	const struct call *call = call_find(number, a);
	int error;

	if (!is_armed)
		return carry_out(number, a, context);
	note(number);
	if (!call && report.unknown < 0)
		report.unknown = (int)number;
	error = call ? decide(call) : 0;
	if (!error)
		return carry_out(number, a, context);
	if (call->traits & CALL_CLOSES)
		carry_out(number, a, context);
	return -error;
}

static void
on_call(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	greg_t *registers = at->uc_mcontext.gregs;
	uint64_t arguments[6] = {
		(uint64_t)registers[REG_RDI], (uint64_t)registers[REG_RSI],
		(uint64_t)registers[REG_RDX], (uint64_t)registers[REG_R10],
		(uint64_t)registers[REG_R8], (uint64_t)registers[REG_R9],
	};

	(void)signal;
	registers[REG_RAX] = dispatch(info->si_syscall, arguments, at);
}

static long
set_action(int number, void *handler, unsigned long flags)
{
	struct action action = { handler, flags | WITH_RESTORER,
				 gadget_restore, 0 };

	return syscall(SYS_rt_sigaction, number, &action, NULL, 8);
}

static int
switch_dispatch(long on)
{
	if (!on)
		return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF,
			     0L, 0L, 0L);
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
		     gadget_begin, (long)(gadget_end - gadget_begin), &selector);
}

bool
inject_prepare(void)
{
	if (set_action(SIGSYS, (void *)(uintptr_t)on_call, SA_SIGINFO) < 0 ||
	    switch_dispatch(1) < 0)
		return false;
	switch_dispatch(0);
	return true;
}

void
inject_handle(int number, void (*handler)(int))
{
	set_action(number, (void *)(uintptr_t)handler, 0);
}

/* For one who traces us: here it begins and ends. */
static void
mark(const char *text)
{
	int error = errno;

	syscall(SYS_write, -1, text, strlen(text));
	errno = error;
}

void
inject_begin(const struct inject_plan *asked)
{
	plan = *asked;
	memset(&report, 0, sizeof(report));
	report.unknown = -1;
	failed_call = NULL;
	in_a_row = 0;
	listed = 0;
	switch_dispatch(1);
	mark(INJECT_MARK_BEGIN);
	is_armed = true;
	*(volatile char *)&selector = HANDS_OVER;
}

void
inject_end(struct inject_report *ret)
{
	*(volatile char *)&selector = LETS_THROUGH;
	is_armed = false;
	mark(INJECT_MARK_END);
	switch_dispatch(0);
	*ret = report;
}

void
inject_pause(void)
{
	*(volatile char *)&selector = LETS_THROUGH;
	is_paused = is_armed;
	is_armed = false;
}

void
inject_go_on(void)
{
	is_armed = is_paused;
	if (is_armed)
		*(volatile char *)&selector = HANDS_OVER;
}

void
inject_list(int16_t *calls, unsigned room)
{
	list = calls;
	list_room = room;
}

unsigned
inject_listed(void)
{
	return listed;
}

/* Allocations ------------------------------------------------------------------ */

/* glibc's own, under the names that it keeps for those who replace them. */
void *
__libc_malloc(size_t size);
void *
__libc_calloc(size_t count, size_t size);
void *
__libc_realloc(void *block, size_t size);
void *
__libc_memalign(size_t alignment, size_t size);
void
__libc_free(void *block);

static void *
counted(void *block)
{
	if (block)
		__atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
	return block;
}

long
inject_blocks(void)
{
	return blocks;
}

void *
malloc(size_t size)
{
	return allocation_fails() ? NULL : counted(__libc_malloc(size));
}

void *
calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : counted(__libc_calloc(count, size));
}

void *
realloc(void *block, size_t size)
{
	void *moved;

	if (allocation_fails())
		return NULL;
	moved = __libc_realloc(block, size);
	return block ? moved : counted(moved);
}

void *
reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, bytes);
}

int
posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *block = allocation_fails() ? NULL :
			counted(__libc_memalign(alignment, size));

	if (!block)
		return ENOMEM;
	*ret = block;
	return 0;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return allocation_fails() ? NULL :
				    counted(__libc_memalign(alignment, size));
}

void
free(void *block)
{
	if (block)
		__atomic_sub_fetch(&blocks, 1, __ATOMIC_RELAXED);
	__libc_free(block);
}
