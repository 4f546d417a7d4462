/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a parsed packet to the flow it belongs to, or to the reason why it belongs to none. Reads
 * flows4, flows6, slots and owned; writes nothing.
 */
#ifndef TURNPIKE_BPF_LOOKUP_H
#define TURNPIKE_BPF_LOOKUP_H

#include "lib/maps.h"
#include "lib/packet.h"
#include "lib/send.h"
#include "turnpike/wire.h"

/* RFC 7983 and RFC 8489 5: a STUN message begins with two zero bits. */
#define LOOKUP_STUN_MASK 0xc0

union lookup_ref {
	struct flow_ref ref;
	__u64 word;
};

/* By words: of a memcpy here the compiler makes halves, for the alignment of the key's type. */
static __always_inline void lookup_copy_ip(void *to, const union flow_ip *ip)
{
	__be32 *word = to;

#pragma unroll
	for (int i = 0; i < 4; i++)
		word[i] = ip->words[i];
}

/*
 * Returns whether there is an entry. One load, so that slot and generation belong together. Both
 * ports at once, as they were parsed: the hash reads whole words, and would wait for halves.
 */
static __always_inline bool lookup_index(const struct flow_leg *in, union lookup_ref *ret_ref)
{
	const __u64 *value;

	if (in->family == FLOW_IPV4) {
		struct flow_key4 key = {
			.src = in->src.v4,
			.dst = in->dst.v4,
			.channel = in->channel,
		};
		__builtin_memcpy(&key.sport, &in->sport, sizeof(__be32));
		value = bpf_map_lookup_elem(&flows4, &key);
	} else {
		struct flow_key6 key __attribute__((aligned(8))) = {
			.channel = in->channel,
		};
		__builtin_memcpy(&key.sport, &in->sport, sizeof(__be32));
		lookup_copy_ip(key.src, &in->src);
		lookup_copy_ip(key.dst, &in->dst);
		value = bpf_map_lookup_elem(&flows6, &key);
	}
	if (!value)
		return false;
	ret_ref->word = READ_ONCE(*value);
	return true;
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
			return p->stun_verdict;
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
static __always_inline enum flow_verdict lookup_slot(const struct flow_leg *in,
						     const struct flow_ref *ref, __u64 now_ns,
						     struct packet_flow *ret)
{
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &ref->slot);
	__u64 expires_ns;
	bool same;

	if (!slot)
		return FLOW_VERDICT_STALE_SLOT;
	expires_ns = READ_ONCE(slot->expires_ns);
	ret->next_hop = READ_ONCE(slot->next_hop);
	ret->peer_hop = READ_ONCE(slot->peer_hop);
	ret->bucket = slot->bucket;
	ret->from_self = slot->from_self;
	ret->out = slot->out;
	same = lookup_same_leg(&slot->in, in);
	barrier();
	if (!same || !ref->generation || READ_ONCE(slot->generation) != ref->generation)
		return FLOW_VERDICT_STALE_SLOT;
	if (now_ns >= expires_ns)
		return FLOW_VERDICT_EXPIRED;
	ret->slot = ref->slot;
	return VERDICT_NONE;
}

/*
 * Index and slot in one. Returns VERDICT_NONE, NO_FLOW, STALE_SLOT or EXPIRED. A global function
 * for all lookups but a channel's, which are many kinds and fewer packets.
 */
__noinline int lookup_leg(const struct flow_leg *in, __u64 now_ns, struct packet_flow *ret)
{
	union lookup_ref found = {};

	if (!in || !ret || !lookup_index(in, &found))
		return FLOW_VERDICT_NO_FLOW;
	return lookup_slot(in, &found.ref, now_ns, ret);
}

/* The coarse clock is late by a tick at most; nobody's media hangs on that. */
static __always_inline __u64 lookup_now(struct packet *p)
{
	p->now_ns = bpf_ktime_get_coarse_ns();
	return p->now_ns;
}

/* A peer's data that has no channel: all ports of the peer have one permission. */
static __always_inline enum flow_verdict lookup_permission(struct packet *p)
{
	__be16 sport = p->in.sport;
	enum flow_verdict verdict;

	p->in.sport = 0;
	verdict = lookup_leg(&p->in, p->now_ns, &p->flow);
	p->in.sport = sport;
	return verdict;
}

/*
 * The sender that a Send indication comes from, with the peer that it names as destination.
 * NO_FLOW as well if it is none, or not a common one: it may still be a peer's data.
 */
static __always_inline enum flow_verdict lookup_sender(struct packet *p)
{
	struct send_message message = {};
	enum flow_verdict verdict = send_read(p->xdp, p->payload, p->payload_len, &message);

	p->stun_verdict = verdict;
	if (verdict != VERDICT_NONE)
		return FLOW_VERDICT_NO_FLOW;
	p->stun_verdict = FLOW_VERDICT_NO_FLOW;
	p->in.form = FLOW_FORM_INDICATION;
	p->in.channel = bpf_htons(message.family == FLOW_IPV4 ? FLOW_SEND_IPV4 : FLOW_SEND_IPV6);
	p->flow = (struct packet_flow){};
	verdict = lookup_leg(&p->in, lookup_now(p), &p->flow);
	p->data = message.data;
	p->data_len = message.data_len;
	p->around = message.around;
	p->flow.out.dst = message.peer;
	p->flow.out.dport = message.port;
	if (verdict == VERDICT_NONE && p->flow.out.family != message.family)
		return FLOW_VERDICT_UNSUPPORTED;
	return verdict;
}

/* Channel number or STUN type of a payload that has one, else 0. */
static __always_inline __be16 lookup_type(const struct packet *p)
{
	const __be16 *type;

	if (p->payload_len < CHANNEL_DATA_HEADER_LEN)
		return 0;
	type = packet_at(p, p->payload, sizeof(*type));
	return type ? *type : 0;
}

static __always_inline bool lookup_is_channel(__be16 type)
{
	return bpf_ntohs(type) >= CHANNEL_NUMBER_MIN && bpf_ntohs(type) <= CHANNEL_NUMBER_MAX;
}

/*
 * Data as a peer sends it: a channel's, or what a permission lets through. What claims to come from
 * another allocation of this relay does not come off the wire; the host drops it as a martian.
 */
static __always_inline enum flow_verdict lookup_bare(struct packet *p)
{
	union lookup_ref found = {};
	enum flow_verdict verdict;

	p->in.channel = 0;
	p->in.form = FLOW_FORM_UDP;
	if (lookup_index(&p->in, &found)) {
		verdict = lookup_slot(&p->in, &found.ref, lookup_now(p), &p->flow);
	} else {
		lookup_now(p);
		p->flow = (struct packet_flow){};
		verdict = lookup_permission(p);
	}
	if (verdict == VERDICT_NONE && p->flow.from_self)
		return FLOW_VERDICT_FORGED_SOURCE;
	return verdict == FLOW_VERDICT_NO_FLOW ? lookup_owner(p) : verdict;
}

/*
 * What looks like ChannelData or a Send indication may as well be a peer's bare data, which can be
 * anything: what it looks like is asked for first, then the address pair alone, then the
 * permission.
 */
static __always_inline enum flow_verdict lookup_flow(struct packet *p)
{
	union lookup_ref found = {};
	__be16 type = lookup_type(p);
	enum flow_verdict verdict;

	p->stun_verdict = FLOW_VERDICT_CONTROL;
	if (lookup_is_channel(type)) {
		p->in.channel = type;
		p->in.form = FLOW_FORM_CHANNEL;
		if (lookup_index(&p->in, &found))
			return lookup_slot(&p->in, &found.ref, lookup_now(p), &p->flow);
	} else if (type == send_type()) {
		verdict = lookup_sender(p);
		if (verdict != FLOW_VERDICT_NO_FLOW)
			return verdict;
	}
	return lookup_bare(p);
}

/*
 * A sender's slot says from where its data goes out, the permission whether it may go there, and
 * by which hop.
 */
static __always_inline enum flow_verdict lookup_peer(struct packet *p)
{
	struct packet_flow permission = {};
	enum flow_verdict verdict;

	p->in = (struct flow_leg){
		.src = p->flow.out.dst,
		.dst = p->flow.out.src,
		.dport = p->flow.out.sport,
		.family = p->flow.out.family,
		.form = FLOW_FORM_UDP,
	};
	verdict = lookup_leg(&p->in, p->now_ns, &permission);
	p->flow.next_hop = permission.peer_hop;
	return verdict == FLOW_VERDICT_NO_FLOW ? FLOW_VERDICT_NO_PERMISSION : verdict;
}

/* What leaves towards another allocation arrives there at once, as a peer's bare data. */
static __always_inline enum flow_verdict lookup_allocation(struct packet *p)
{
	enum flow_verdict verdict;

	p->to_allocation = true;
	p->first_slot = p->flow.slot;
	p->first_bucket = p->flow.bucket;
	p->in = p->flow.out;
	verdict = lookup_leg(&p->in, p->now_ns, &p->flow);
	if (verdict != FLOW_VERDICT_NO_FLOW)
		return verdict;
	return lookup_permission(p);
}

#endif
