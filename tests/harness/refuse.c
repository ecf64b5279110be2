/* SPDX-License-Identifier: MIT */
/* A kernel that lacks a system call, or does nothing when it is called, for one
   process. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>

#include "harness.h"

/* told: an errno, or 0. */
static void
answer_call(uint32_t number, uint32_t told)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | told),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]),
				      filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		fail("seccomp: %s", strerror(errno));
}

void
refuse_call(uint32_t number)
{
	answer_call(number, ENOSYS);
}

void
pretend_call(uint32_t number)
{
	answer_call(number, 0);
}
