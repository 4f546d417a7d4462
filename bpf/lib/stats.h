/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting: the only writer of stats and traffic, called from the program's only exit. Plain
 * increments, since each CPU has its own record; there is never an event per packet.
 */
#ifndef TURNPIKE_BPF_STATS_H
#define TURNPIKE_BPF_STATS_H

#include "lib/maps.h"
#include "lib/packet.h"

static __always_inline void stats_add(struct flow_counter *counter, __u64 bytes)
{
	counter->packets++;
	counter->bytes += bytes;
}

/* Bit by bit, whether a verdict's kind is CARRIED. */
#define X(constant, name, kind, meaning) \
	| (FLOW_KIND_##kind == FLOW_KIND_CARRIED ? 1ULL << FLOW_VERDICT_##constant : 0)
static const __u64 stats_carried = 0ULL FLOW_VERDICTS(X);
#undef X
_Static_assert(FLOW_VERDICT_MAX <= 64, "a bit for each verdict");

static __always_inline void stats_traffic(const __u32 *slot, __u64 bytes)
{
	struct flow_counter *flow = bpf_map_lookup_elem(&traffic, slot);

	if (flow)
		stats_add(flow, bytes);
}

/* Data to another allocation is the sending client's to the peer and the other's to the client. */
static __always_inline void stats_record(const struct packet *p, enum flow_verdict verdict)
{
	__u32 zero = 0;
	struct flow_stats *all = bpf_map_lookup_elem(&stats, &zero);

	if (all && verdict < FLOW_VERDICT_MAX)
		stats_add((struct flow_counter *)all + verdict, p->frame_len);
	if (!(stats_carried >> verdict & 1))
		return;
	stats_traffic(&p->flow.slot, p->data_len);
	if (p->to_allocation)
		stats_traffic(&p->first_slot, p->data_len);
}

#endif
