/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a parsed packet to the flow it belongs to, or to the reason why it belongs to none. Reads
 * flows4, flows6, slots and owned; writes nothing.
 */
#ifndef TURNPIKE_BPF_LOOKUP_H
#define TURNPIKE_BPF_LOOKUP_H

#include "lib/maps.h"
#include "lib/packet.h"
#include "turnpike/wire.h"

/* RFC 7983 and RFC 8489 5: a STUN message begins with two zero bits. */
#define LOOKUP_STUN_MASK 0xc0

union lookup_ref {
	struct flow_ref ref;
	__u64 word;
};

/* Returns whether there is an entry. One load, so that slot and generation belong together. */
static __always_inline bool lookup_index(const struct packet *p, union lookup_ref *ret_ref)
{
	const struct flow_leg *in = &p->in;
	const __u64 *value;

	if (in->family == FLOW_IPV4) {
		struct flow_key4 key = {
			.src = in->src.v4,
			.dst = in->dst.v4,
			.sport = in->sport,
			.dport = in->dport,
			.channel = in->channel,
		};
		value = bpf_map_lookup_elem(&flows4, &key);
	} else {
		struct flow_key6 key = {
			.sport = in->sport,
			.dport = in->dport,
			.channel = in->channel,
		};
		__builtin_memcpy(key.src, in->src.v6, sizeof(key.src));
		__builtin_memcpy(key.dst, in->dst.v6, sizeof(key.dst));
		value = bpf_map_lookup_elem(&flows6, &key);
	}
	if (!value)
		return false;
	ret_ref->word = READ_ONCE(*value);
	return true;
}

/* Channel number of a payload that may be ChannelData, 0 if it is not. */
static __always_inline __be16 lookup_channel(const struct packet *p)
{
	const __be16 *number;

	if (p->payload_len < CHANNEL_DATA_HEADER_LEN)
		return 0;
	number = packet_at(p, p->payload, sizeof(*number));
	if (!number || bpf_ntohs(*number) < CHANNEL_NUMBER_MIN ||
	    bpf_ntohs(*number) > CHANNEL_NUMBER_MAX)
		return 0;
	return *number;
}

/*
 * The packet belongs to no flow: is it the daemon's at all? A hash lookup more, for those only
 * that the daemon or the host's stack will spend far more on.
 */
static __always_inline enum flow_verdict lookup_owner(const struct packet *p)
{
	struct flow_own_key key = {.ip = p->in.dst, .family = p->in.family};
	const struct flow_own *own = bpf_map_lookup_elem(&owned, &key);
	__u16 port = bpf_ntohs(p->in.dport);
	const __u8 *first;

	if (!own || !port)
		return FLOW_VERDICT_NOT_OWNED;
	if (port >= own->relay_first && port <= own->relay_last)
		return FLOW_VERDICT_NO_FLOW;
#pragma unroll
	for (int i = 0; i < FLOW_LISTEN_PORTS; i++) {
		if (own->listen_ports[i] != port)
			continue;
		first = p->payload_len ? packet_at(p, p->payload, 1) : NULL;
		if (first && !(*first & LOOKUP_STUN_MASK))
			return FLOW_VERDICT_CONTROL;
		return FLOW_VERDICT_NO_FLOW;
	}
	return FLOW_VERDICT_NOT_OWNED;
}

static __always_inline bool lookup_same_leg(const struct flow_leg *a, const struct flow_leg *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;
	__u64 different = 0;

#pragma unroll
	for (int i = 0; i < (int)(sizeof(*a) / sizeof(*x)); i++)
		different |= x[i] ^ y[i];
	return !different;
}

/*
 * A BPF hash map may hand out another key's value while it is updated, and a flow may be removed
 * between the two lookups: so key and generation are compared with the slot's own, after all else
 * of the slot was read. Otherwise one tenant's media could go to another's peer.
 */
static __always_inline enum flow_verdict lookup_slot(struct packet *p, const struct flow_ref *ref)
{
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &ref->slot);
	__u64 expires_ns;
	bool same;

	if (!slot)
		return FLOW_VERDICT_STALE_SLOT;
	expires_ns = READ_ONCE(slot->expires_ns);
	p->next_hop = READ_ONCE(slot->next_hop);
	p->out = slot->out;
	same = lookup_same_leg(&slot->in, &p->in);
	barrier();
	if (!same || !ref->generation || READ_ONCE(slot->generation) != ref->generation)
		return FLOW_VERDICT_STALE_SLOT;
	/* The coarse clock is late by a tick at most; nobody's media hangs on that. */
	if (bpf_ktime_get_coarse_ns() >= expires_ns)
		return FLOW_VERDICT_EXPIRED;
	p->slot = ref->slot;
	return VERDICT_NONE;
}

/*
 * What looks like ChannelData may as well be a peer's bare data, which can be anything: the
 * channel is asked for first, then the address pair alone.
 */
static __always_inline enum flow_verdict lookup_flow(struct packet *p)
{
	union lookup_ref found = {};

	p->in.channel = lookup_channel(p);
	p->in.form = FLOW_FORM_CHANNEL;
	if (p->in.channel && lookup_index(p, &found))
		return lookup_slot(p, &found.ref);
	p->in.channel = 0;
	p->in.form = FLOW_FORM_UDP;
	if (lookup_index(p, &found))
		return lookup_slot(p, &found.ref);
	return lookup_owner(p);
}

#endif
