/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small macros that every layer uses. Knows nothing of sockets, TURN or the kernel path.
 */
#ifndef TURNPIKE_BASE_MACROS_H
#define TURNPIKE_BASE_MACROS_H

#include <stdio.h>
#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * For our own mistakes, never for input. Kept in release builds: a relay that goes on with a
 * broken invariant is worse than one that is restarted.
 */
#define ASSERT(condition)                                                                    \
	do {                                                                                 \
		if (__builtin_expect(!(condition), 0)) {                                     \
			fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, \
				#condition);                                                 \
			abort();                                                             \
		}                                                                            \
	} while (0)

#endif
