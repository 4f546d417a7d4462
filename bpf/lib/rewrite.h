/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pipeline's end: decides that the packet as it will be may leave, and writes the new frame
 * around the data. Families mix freely: a header is written whole, from what was kept of the old
 * one. Reads no map.
 */
#ifndef TURNPIKE_BPF_REWRITE_H
#define TURNPIKE_BPF_REWRITE_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "lib/checksum.h"
#include "lib/form.h"
#include "lib/packet.h"
#include "lib/parse.h"

/* RFC 7915 5.1: what was IPv6 and is no longer than this may be fragmented as IPv4. */
#define REWRITE_FRAGMENT_MAX 1260
#define REWRITE_IPV4_START   0x45U /* version 4, five words */

static __always_inline __u64 rewrite_link_len(const struct packet *p)
{
	return ETH_HLEN + p->tags * sizeof(struct flow_tag);
}

static __always_inline __u64 rewrite_ip_len(const struct packet *p)
{
	return p->flow.out.family == FLOW_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

static __always_inline __u64 rewrite_udp_len(const struct packet *p)
{
	return sizeof(struct udphdr) + p->form_len + p->data_len + p->padding;
}

/*
 * RFC 8656 14: DF as it came. RFC 8656 13.3, RFC 7915 5.1: what was IPv6 must not be fragmented by
 * a router, unless it is so short that no IPv6 router would have asked for it.
 */
static __always_inline bool rewrite_dont_fragment(const struct packet *p, __u64 ip_len)
{
	return p->family == FLOW_IPV4 ? p->dont_fragment : ip_len > REWRITE_FRAGMENT_MAX;
}

/* Settles, before the first byte changes, that the packet as it will be may leave. */
static __always_inline enum flow_verdict rewrite_decide(struct packet *p)
{
	__u64 ip_len;

	p->form_len = form_len(p);
	p->padding = form_padding(p);
	ip_len = rewrite_ip_len(p) + rewrite_udp_len(p);
	if (p->ttl <= 1)
		return FLOW_VERDICT_TTL;
	if (ip_len > p->hop->mtu || p->payload + p->payload_len > PACKET_LEN_MAX)
		return FLOW_VERDICT_MTU;
	p->dont_fragment = rewrite_dont_fragment(p, ip_len);
	return VERDICT_NONE;
}

/* RFC 768 and 8200 8.1: no checksum stays none over IPv4 only. */
static __always_inline bool rewrite_has_checksum(const struct packet *p)
{
	return p->udp_check || p->flow.out.family != FLOW_IPV4;
}

static __always_inline void rewrite_tag(const struct packet *p, __u64 offset,
					const struct flow_tag *tag)
{
	struct flow_tag *to = packet_at(p, offset, sizeof(*to));

	if (to)
		*to = *tag;
}

static __always_inline void rewrite_ethernet(const struct packet *p)
{
	__be16 *protocol = packet_at(p, rewrite_link_len(p) - sizeof(*protocol), sizeof(*protocol));
	struct ethhdr *eth = packet_at(p, 0, sizeof(*eth));

	if (!protocol || !eth)
		return;
	__builtin_memcpy(eth->h_dest, p->hop->dst_mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, p->hop->src_mac, ETH_ALEN);
	*protocol = p->flow.out.family == FLOW_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (p->tags > 0)
		rewrite_tag(p, 2 * ETH_ALEN, &p->hop->tag[0]);
	if (p->tags > 1)
		rewrite_tag(p, 2 * ETH_ALEN + sizeof(struct flow_tag), &p->hop->tag[1]);
}

/*
 * RFC 8656 14, 13.3: DSCP and ECN as they came, one hop less, and an identification of our own.
 * RFC 6864 4.1: with DF set and no fragment nobody looks at it; without, it should not repeat soon.
 * In whole words, because reading back for the sum what was written in parts would stall.
 */
static __always_inline void rewrite_ipv4(const struct packet *p, __u64 offset)
{
	__be32 *word = packet_at(p, offset, sizeof(struct iphdr));
	const struct flow_leg *out = &p->flow.out;
	__u32 total = sizeof(struct iphdr) + rewrite_udp_len(p);
	__be32 first = bpf_htonl(REWRITE_IPV4_START << 24 | p->traffic_class << 16 | total);
	__be32 second = p->dont_fragment ? bpf_htonl(PARSE_IPV4_DF)
					 : bpf_htonl(bpf_get_prandom_u32() << 16);
	__be32 third = bpf_htonl((p->ttl - 1) << 24 | IPPROTO_UDP << 16);
	__u64 sum = (__u64)first + second + third + out->src.v4 + out->dst.v4;

	if (!word)
		return;
	word[0] = first;
	word[1] = second;
	word[2] = third;
	word[3] = out->src.v4;
	word[4] = out->dst.v4;
	((struct iphdr *)word)->check = checksum_negate(sum);
}

/*
 * RFC 8656 13.1, 13.2, 14: traffic class as it came, one hop less. The flow label was the sender's,
 * for other addresses; RFC 6437 3 leaves a source that sets none at zero.
 */
static __always_inline void rewrite_ipv6(const struct packet *p, __u64 offset)
{
	struct ipv6hdr *ip = packet_at(p, offset, sizeof(*ip));

	if (!ip)
		return;
	*ip = (struct ipv6hdr){
		.version = 6,
		.priority = p->traffic_class >> 4,
		.flow_lbl = {p->traffic_class << 4},
		.payload_len = bpf_htons(rewrite_udp_len(p)),
		.nexthdr = IPPROTO_UDP,
		.hop_limit = p->ttl - 1,
	};
	__builtin_memcpy(&ip->saddr, &p->flow.out.src, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &p->flow.out.dst, sizeof(ip->daddr));
}

/* RFC 768: a checksum that comes out as 0 is sent as all ones. */
static __always_inline void rewrite_udp(const struct packet *p, __u64 offset, __u64 form_sum)
{
	struct udphdr *udp = packet_at(p, offset, sizeof(*udp));
	const struct flow_leg *out = &p->flow.out;
	__u64 udp_len = rewrite_udp_len(p);
	__u64 sum = checksum_pseudo(out, udp_len) + out->sport + out->dport + bpf_htons(udp_len) +
		    form_sum + p->data_sum;
	__u16 check = checksum_negate(sum);

	if (!udp)
		return;
	udp->source = out->sport;
	udp->dest = out->dport;
	udp->len = bpf_htons(udp_len);
	udp->check = !rewrite_has_checksum(p) ? 0 : check ?: 0xffff;
}

/*
 * Every header is written whole: nothing of the old frame but the data goes out. The frame has
 * its new size by now, so that the bounds checks are for the verifier only.
 */
static __always_inline void rewrite_headers(const struct packet *p)
{
	__u64 ip_offset = rewrite_link_len(p);
	__u64 udp_offset = ip_offset + rewrite_ip_len(p);
	__u64 form_sum = form_put(p, udp_offset + sizeof(struct udphdr));

	rewrite_ethernet(p);
	if (p->flow.out.family == FLOW_IPV4)
		rewrite_ipv4(p, ip_offset);
	else
		rewrite_ipv6(p, ip_offset);
	rewrite_udp(p, udp_offset, form_sum);
}

/* Takes the data out of the old frame and writes the new one around it. */
static __always_inline enum flow_verdict rewrite_frame(struct packet *p)
{
	__u64 headers = rewrite_link_len(p) + rewrite_ip_len(p) + sizeof(struct udphdr) +
			p->form_len;
	__u64 behind = p->frame_len - (p->data + p->data_len);
	enum flow_verdict verdict;

	if (p->unsummed && rewrite_has_checksum(p))
		p->data_sum = checksum_bytes(p->xdp, p->data, p->data_len);
	verdict = packet_reshape(p, p->data - headers, behind - p->padding);
	if (verdict != VERDICT_NONE)
		return verdict;
	rewrite_headers(p);
	return VERDICT_NONE;
}

#endif
