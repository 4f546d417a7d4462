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

static __always_inline void stats_record(const struct packet *p, enum flow_verdict verdict)
{
	__u32 zero = 0;
	struct flow_stats *all = bpf_map_lookup_elem(&stats, &zero);
	struct flow_counter *flow;

	if (all && verdict < FLOW_VERDICT_MAX)
		stats_add((struct flow_counter *)all + verdict, p->frame_len);
	if (p->action == XDP_PASS)
		return;
	flow = bpf_map_lookup_elem(&traffic, &p->slot);
	if (flow)
		stats_add(flow, p->data_len);
}

#endif
