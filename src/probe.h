/* SPDX-License-Identifier: MIT */
/* Layer 0. May include: nothing. */
/*
 * Points at which a tracer (bpftrace, perf, systemtap, gdb) may look: static
 * probes of the provider "cubby", described in cubby_probes(7).
 *
 * Each is one nop, and a note in a section that is not loaded: it says where the
 * nop is and where the arguments are just then. So an argument is something that
 * is at hand anyway, and never computed for the probe. Without sys/sdt.h (Debian:
 * systemtap-sdt-dev), or with CUBBY_NO_PROBES, there is nothing.
 *
 * A new probe stands in the manual page, and is tested, before it is of use:
 * tests/checks/probes.py.
 */
#ifndef CUBBY_PROBE_H
#define CUBBY_PROBE_H

#if !defined(CUBBY_NO_PROBES) && defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROBE1(name, a)		STAP_PROBE1(cubby, name, a)
#define PROBE2(name, a, b)	STAP_PROBE2(cubby, name, a, b)
#define PROBE3(name, a, b, c)	STAP_PROBE3(cubby, name, a, b, c)
#endif
#endif

#ifndef PROBE1
#define PROBE1(name, a)		((void)(a))
#define PROBE2(name, a, b)	((void)(a), (void)(b))
#define PROBE3(name, a, b, c)	((void)(a), (void)(b), (void)(c))
#endif

#endif
