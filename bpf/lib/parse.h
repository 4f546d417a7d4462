/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ethernet, VLAN tags, IPv4 or IPv6, UDP: from the frame's bytes to struct packet. Lengths come
 * from the IP and UDP headers, because a short frame carries a trailer. Whatever is unusual is
 * passed up. Knows no flow.
 */
#ifndef TURNPIKE_BPF_PARSE_H
#define TURNPIKE_BPF_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "lib/checksum.h"
#include "lib/packet.h"

#define PARSE_IPV4_DF	    0x4000
#define PARSE_IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */
#define PARSE_TAGS_MAX	    2

/* Behind the MAC addresses or another tag: what protocol this is one of is before it. */
struct parse_tag {
	__be16 tci;
	__be16 protocol; /* of what follows */
};

static __always_inline enum flow_verdict parse_udp(struct packet *p, __u64 offset, __u64 ip_payload)
{
	struct udphdr *udp = packet_at(p, offset, sizeof(*udp));

	if (!udp || offset + ip_payload > p->frame_len)
		return FLOW_VERDICT_BAD_LENGTH;
	/* The host's stack takes a shorter UDP length too, and cuts the rest: it is asked. */
	if (ip_payload < sizeof(*udp) || bpf_ntohs(udp->len) != ip_payload)
		return FLOW_VERDICT_BAD_LENGTH;
	/* RFC 8200 8.1: over IPv6 the checksum is not optional, and receivers discard such a
	 * packet. */
	if (p->in.family == FLOW_IPV6 && !udp->check)
		return FLOW_VERDICT_BAD_CHECKSUM;

	__builtin_memcpy(&p->in.sport, &udp->source, sizeof(__be32));
	p->udp_check = udp->check;
	p->payload = offset + sizeof(*udp);
	p->payload_len = ip_payload - sizeof(*udp);
	return VERDICT_NONE;
}

/*
 * XDP comes before the host's own check of the IPv4 header checksum, and the new header's is
 * computed from scratch: so the old one is verified here, lest a damaged header be made whole.
 */
static __always_inline enum flow_verdict parse_ipv4(struct packet *p, __u64 offset)
{
	struct iphdr *ip = packet_at(p, offset, sizeof(*ip));

	if (!ip)
		return FLOW_VERDICT_BAD_LENGTH;
	if (ip->version != 4)
		return FLOW_VERDICT_NOT_IP;
	if (ip->protocol != IPPROTO_UDP)
		return FLOW_VERDICT_NOT_UDP;
	if (ip->ihl != 5)
		return ip->ihl > 5 ? FLOW_VERDICT_IP_OPTIONS : FLOW_VERDICT_BAD_LENGTH;
	if (ip->frag_off & bpf_htons(PARSE_IPV4_FRAGMENT))
		return FLOW_VERDICT_FRAGMENT;
	if (checksum_fold(checksum_words(ip, sizeof(*ip) / 4)) != 0xffff)
		return FLOW_VERDICT_BAD_CHECKSUM;
	if (bpf_ntohs(ip->tot_len) < sizeof(*ip))
		return FLOW_VERDICT_BAD_LENGTH;

	p->in = (struct flow_leg){.family = FLOW_IPV4};
	p->family = FLOW_IPV4;
	p->in.src.v4 = ip->saddr;
	p->in.dst.v4 = ip->daddr;
	p->traffic_class = ip->tos;
	p->ttl = ip->ttl;
	p->dont_fragment = ip->frag_off & bpf_htons(PARSE_IPV4_DF);
	return parse_udp(p, offset + sizeof(*ip), bpf_ntohs(ip->tot_len) - sizeof(*ip));
}

static __always_inline enum flow_verdict parse_next_header(__u8 next_header)
{
	switch (next_header) {
	case IPPROTO_UDP:
		return VERDICT_NONE;
	case IPPROTO_FRAGMENT:
		return FLOW_VERDICT_FRAGMENT;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
		return FLOW_VERDICT_EXTENSION_HEADER;
	default:
		return FLOW_VERDICT_NOT_UDP;
	}
}

static __always_inline enum flow_verdict parse_ipv6(struct packet *p, __u64 offset)
{
	struct ipv6hdr *ip = packet_at(p, offset, sizeof(*ip));
	enum flow_verdict verdict;

	if (!ip)
		return FLOW_VERDICT_BAD_LENGTH;
	if (ip->version != 6)
		return FLOW_VERDICT_NOT_IP;
	verdict = parse_next_header(ip->nexthdr);
	if (verdict != VERDICT_NONE)
		return verdict;

	p->in = (struct flow_leg){.family = FLOW_IPV6};
	p->family = FLOW_IPV6;
	p->dont_fragment = false;
	__builtin_memcpy(&p->in.src, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(&p->in.dst, &ip->daddr, sizeof(ip->daddr));
	p->traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	p->ttl = ip->hop_limit;
	return parse_udp(p, offset + sizeof(*ip), bpf_ntohs(ip->payload_len));
}

static __always_inline bool parse_is_tag(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

/*
 * What follows the tags, and in the upper half where it begins; 0 if the frame ends before. A
 * global function, lest the verifier go through the rest once for each number of tags.
 */
__noinline __u32 parse_tags(struct xdp_md *xdp)
{
	const struct parse_tag *tag;
	__u32 offset = ETH_HLEN;
	__be16 protocol = 0;

	for (int i = 0; i < PARSE_TAGS_MAX; i++) {
		tag = packet_bytes(xdp, offset, sizeof(*tag));
		if (!tag)
			return 0;
		protocol = tag->protocol;
		offset += sizeof(*tag);
		if (!parse_is_tag(protocol))
			break;
	}
	return offset << 16 | protocol;
}

static __always_inline enum flow_verdict parse_frame(struct packet *p)
{
	struct ethhdr *eth = packet_at(p, 0, sizeof(*eth));
	__u64 offset = ETH_HLEN;
	__be16 protocol;
	__u32 tags;

	if (!eth)
		return FLOW_VERDICT_BAD_LENGTH;
	if (eth->h_dest[0] & 1)
		return FLOW_VERDICT_NOT_UNICAST;
	protocol = eth->h_proto;
	if (parse_is_tag(protocol)) {
		tags = parse_tags(p->xdp);
		if (!tags)
			return FLOW_VERDICT_BAD_LENGTH;
		offset = tags >> 16;
		protocol = (__be16)tags;
	}
	if (protocol == bpf_htons(ETH_P_IP))
		return parse_ipv4(p, offset);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(p, offset);
	return FLOW_VERDICT_NOT_IP;
}

#endif
