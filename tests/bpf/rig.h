/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program under BPF_PROG_TEST_RUN: loaded into a network namespace of the test's own, with
 * one flow at a time in its maps, and every counter read back. No packet leaves.
 */
#ifndef TURNPIKE_TESTS_RIG_H
#define TURNPIKE_TESTS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "turnpike.skel.h"
#include "turnpike/flow.h"

#define RIG_METADATA 252 /* at most: 8 bits, aligned */
#define RIG_SLOTS    8
#define RIG_NEXTHOPS 4
#define RIG_BUCKETS  4
#define RIG_MTU	     1500

enum rig_direction {
	RIG_TO_PEER,
	RIG_TO_CLIENT,
};

struct rig {
	struct turnpike_bpf *program;
	uint32_t ingress;		     /* interface the packets arrive on */
	uint32_t other;			     /* another one, in `devices` */
	uint32_t unknown;		     /* a third one, not in `devices` */
	char doing[192];		     /* for messages of failed checks */
	uint64_t verdicts[FLOW_VERDICT_MAX]; /* packets seen by rig_check_stats so far */
};

/* What the maps hold for one packet. A test changes it before rig_install. */
struct rig_flow {
	bool absent; /* from the index */
	struct flow_leg key;
	struct flow_ref ref;
	uint32_t slot_number;
	struct flow_slot slot;
	struct flow_next_hop hop;
};

struct rig_result {
	uint32_t action;      /* enum xdp_action */
	uint32_t duration_ns; /* of one run, on average */
	size_t len;
	uint8_t bytes[FRAME_MAX + 512];
};

/* False, with a line that says SKIP and why, where the program cannot be tried at all. */
bool rig_may_run(const char *name);
void rig_open(struct rig *rig);
void rig_close(struct rig *rig);

/* A flow as the daemon would install it: live for a minute, its hop on the ingress interface. */
struct rig_flow rig_flow(const struct rig *rig, uint8_t family, enum rig_direction direction);
/* Empties the maps and counters, then puts the flow in, and another one the other way. */
void rig_install(struct rig *rig, const struct rig_flow *flow);
/* Only empties the maps and counters. */
void rig_clear(struct rig *rig);
/* Puts another flow in. */
void rig_add(struct rig *rig, const struct rig_flow *flow);

/* A packet of the flow as it arrives: MAC addresses, TTL 64, DF, 100 bytes. */
struct frame rig_arriving(const struct rig_flow *flow);
/* The same packet as it must leave: without padding and trailer, one hop less, patches of data. */
struct frame rig_leaving(const struct rig_flow *flow, const struct frame *arriving);

void rig_run(const struct rig *rig, const uint8_t *bytes, size_t len, uint32_t repeat,
	     struct rig_result *ret);
/*
 * The same with bytes of metadata between headroom and frame, which the kernel takes from the
 * headroom. Returns 0, or -EINVAL if that leaves too little or the kernel allows less.
 */
int rig_run_behind(const struct rig *rig, size_t metadata, const uint8_t *bytes, size_t len,
		   uint32_t repeat, struct rig_result *ret);

/* All counters, over all CPUs, are 0 except this verdict's. */
void rig_check_stats(struct rig *rig, enum flow_verdict verdict, uint64_t packets, uint64_t bytes);
/* All slots' traffic is 0 except this one's, or that of slots with a bit set in the mask. */
void rig_check_traffic(const struct rig *rig, uint32_t slot, uint64_t packets, uint64_t bytes);
void rig_check_traffics(const struct rig *rig, uint32_t mask, uint64_t packets, uint64_t bytes);
void rig_read_stats(const struct rig *rig, struct flow_counter ret[static FLOW_VERDICT_MAX]);

const char *rig_verdict_name(enum flow_verdict verdict);
enum flow_verdict_kind rig_verdict_kind(enum flow_verdict verdict);

#endif
