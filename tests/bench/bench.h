/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the benchmark's XDP programs and its userspace share: the beginning of a frame that is put
 * back before each run, and the flows of `bare`. Knows nothing of Turnpike's program but the shape
 * of its keys, which `bare` uses too.
 */
#ifndef TURNPIKE_TESTS_BENCH_H
#define TURNPIKE_TESTS_BENCH_H

#include <linux/types.h>

#include "turnpike/flow.h"

/*
 * More than any header: the longest is a Send indication to an IPv6 peer over IPv6, 110 bytes. The
 * words begin at byte 6 of the frame, so that every aligned word of the IP header lies whole in one
 * of them: a load that straddles two stores would wait for both, and no real packet does that.
 */
#define BENCH_WORDS    15
#define BENCH_HEAD_LEN (6 + 8 * BENCH_WORDS)

struct bench_head {
	__u16 zero;
	__u16 first;  /* bytes 0 and 1 of the frame */
	__u32 second; /* bytes 2 to 5 */
	__u64 words[BENCH_WORDS];
};

#define BENCH_HEAD_AT 2 /* where the frame's bytes begin in struct bench_head */

/* One flow of `bare`, found by the same key as Turnpike's. What can be computed before is. */
struct bare_flow {
	union flow_ip src, dst;
	__be16 sport, dport;
	__be16 channel; /* put in front of the data; 0: taken off */
	__u16 ip_sum;	/* what changes in the IPv4 header, as a one's complement sum */
	__u16 udp_sum;	/* what changes in pseudo-header, UDP header and channel number */
	__u8 dst_mac[6], src_mac[6];
	__u8 zero[2];
	__u32 ifindex; /* to leave by; 0: where it came from */
};

/*
 * What takes turns behind the harness, a block of runs at a time: an empty program whose frame's
 * ends stay where they are, one with each move of the ends made and undone, and the program under
 * test.
 */
enum bench_slot {
	BENCH_STILL,
	BENCH_MOVED,
	BENCH_UNDER_TEST,
	BENCH_SLOT_MAX,
};

#define BENCH_BLOCK  64	  /* runs, 5 to 25 us */
#define BENCH_BLOCKS 1024 /* at most in one test run; a power of two */

#define BARE_LISTEN_PORT 3478
#define BARE_FLOWS_MAX	 65536

_Static_assert(sizeof(struct bench_head) == BENCH_HEAD_AT + BENCH_HEAD_LEN, "no padding");
_Static_assert(sizeof(struct bare_flow) == 60, "no padding");

#endif
