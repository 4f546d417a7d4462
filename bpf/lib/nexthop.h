/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a flow's packets leave: reads nexthops and devices, and hands the finished frame over.
 */
#ifndef TURNPIKE_BPF_NEXTHOP_H
#define TURNPIKE_BPF_NEXTHOP_H

#include "lib/maps.h"
#include "lib/packet.h"

/*
 * The hop that is active now. It is not copied: no entry is written while a run that found it
 * active may last. The device is looked up here and not only by the redirect, because an edited
 * packet can no longer be passed up.
 */
static __always_inline enum flow_verdict nexthop_find(struct packet *p)
{
	struct flow_next_hop *hop = bpf_map_lookup_elem(&nexthops, &p->flow.next_hop);
	__u32 active;

	if (!hop)
		return FLOW_VERDICT_NO_NEXT_HOP;
	active = READ_ONCE(hop->active);
	p->hop = &hop->entry[active & 1];
	p->tags = p->hop->tags;
	if (!READ_ONCE(p->hop->valid) || p->tags > FLOW_TAGS_MAX)
		return FLOW_VERDICT_NO_NEXT_HOP;
	if (p->hop->ifindex != p->xdp->ingress_ifindex &&
	    !bpf_map_lookup_elem(&devices, &p->hop->ifindex))
		return FLOW_VERDICT_NO_DEVICE;
	return VERDICT_NONE;
}

/*
 * The same interface transmits, another is redirected to. A device that vanished since
 * nexthop_find costs this packet, as it costs those that are queued on it.
 */
static __always_inline int nexthop_send(const struct packet *p)
{
	if (p->hop->ifindex == p->xdp->ingress_ifindex)
		return XDP_TX;
	return bpf_redirect_map(&devices, p->hop->ifindex, XDP_DROP);
}

#endif
