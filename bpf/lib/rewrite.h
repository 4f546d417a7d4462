/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pipeline's second half: take the application data out of the form it came in, and put it
 * into the form and under the addresses of the other leg. A form is known here in three places:
 * rewrite_take, rewrite_form_len and rewrite_form. Reads no map.
 */
#ifndef TURNPIKE_BPF_REWRITE_H
#define TURNPIKE_BPF_REWRITE_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "lib/checksum.h"
#include "lib/packet.h"
#include "lib/parse.h"
#include "turnpike/wire.h"

struct channel_header {
	__be16 channel;
	__be16 len;
};

/* Bytes that a form puts between the UDP header and the data. */
static __always_inline __u64 rewrite_form_len(__u8 form)
{
	return form == FLOW_FORM_CHANNEL ? CHANNEL_DATA_HEADER_LEN : 0;
}

static __always_inline __u64 rewrite_ip_len(__u8 family)
{
	return family == FLOW_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

static __always_inline __u64 rewrite_udp_len(const struct packet *p)
{
	return sizeof(struct udphdr) + rewrite_form_len(p->out.form) + p->data_len;
}

/*
 * Finds the application data. RFC 8656 12.5: behind a ChannelData message there may be up to
 * three bytes of padding, over UDP too. A length beyond the datagram, or more behind it than
 * padding, is the daemon's to judge.
 */
static __always_inline enum flow_verdict rewrite_take(struct packet *p)
{
	const struct channel_header *header;
	__u64 rest;

	p->data = p->payload;
	p->data_len = p->payload_len;
	if (p->in.form == FLOW_FORM_UDP)
		return VERDICT_NONE;

	header = packet_at(p, p->payload, sizeof(*header));
	if (!header || p->payload_len < sizeof(*header))
		return FLOW_VERDICT_BAD_LENGTH;
	rest = p->payload_len - sizeof(*header);
	p->data = p->payload + sizeof(*header);
	p->data_len = bpf_ntohs(header->len);
	if (p->data_len > rest || rest - p->data_len >= CHANNEL_DATA_ALIGN)
		return FLOW_VERDICT_BAD_LENGTH;
	return VERDICT_NONE;
}

/* Settles, before the first byte changes, that the packet as it will be may leave. */
static __always_inline enum flow_verdict rewrite_decide(const struct packet *p)
{
	__u64 ip_len = rewrite_ip_len(p->out.family) + rewrite_udp_len(p);

	if (p->ttl <= 1)
		return FLOW_VERDICT_TTL;
	if (ip_len > p->hop.mtu || p->payload + p->payload_len > PACKET_LEN_MAX)
		return FLOW_VERDICT_MTU;
	return VERDICT_NONE;
}

/* Whether both ends are of a kind that this version converts. */
static __always_inline bool rewrite_supports(const struct packet *p)
{
	const struct flow_leg *in = &p->in, *out = &p->out;

	if (in->family != out->family)
		return false;
	return (in->form == FLOW_FORM_CHANNEL && out->form == FLOW_FORM_UDP) ||
	       (in->form == FLOW_FORM_UDP && out->form == FLOW_FORM_CHANNEL);
}

/* Bytes behind the data that the UDP checksum covers. */
static __always_inline __u64 rewrite_padding_sum(const struct packet *p)
{
	__u64 offset = p->data + p->data_len, end = p->payload + p->payload_len;
	__u64 sum = 0;
	const __u8 *byte;

#pragma unroll
	for (int i = 0; i < CHANNEL_DATA_ALIGN - 1; i++) {
		byte = offset + i < end ? packet_at(p, offset + i, 1) : NULL;
		if (byte)
			sum += checksum_byte(*byte, (p->data_len + i) & 1);
	}
	return sum;
}

/*
 * The sum of the application data, without reading it: what the arriving checksum says less all
 * that surrounds the data. A wrong checksum stays wrong by the same amount. A sender on this host
 * leaves only the pseudo-header's sum, not complemented, and the rest to a device that never came:
 * then the data is summed. One intact packet in 65536 looks like that by chance and gets the same
 * result either way.
 */
static __always_inline void rewrite_sum(struct packet *p)
{
	__u64 udp_len = sizeof(struct udphdr) + p->payload_len;
	__u64 around = checksum_pseudo(&p->in, udp_len);
	__u64 header = p->data - p->payload;

	if (!p->udp_check)
		return;
	if (p->udp_check == checksum_fold(around)) {
		p->data_sum = checksum_bytes(p->xdp, p->data, p->data_len);
		return;
	}
	around += (__u64)p->in.sport + p->in.dport + bpf_htons(udp_len);
	if (header)
		around += (__u64)p->in.channel + bpf_htons(p->data_len);
	around += rewrite_padding_sum(p);
	p->data_sum = (__u16)~p->udp_check + checksum_negate(around);
}

static __always_inline void rewrite_ethernet(const struct packet *p)
{
	struct ethhdr *eth = packet_at(p, 0, sizeof(*eth));

	if (!eth)
		return;
	__builtin_memcpy(eth->h_dest, p->hop.dst_mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, p->hop.src_mac, ETH_ALEN);
	eth->h_proto = p->out.family == FLOW_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
}

/*
 * RFC 8656 14: DSCP, ECN and DF as they came, one hop less, and an identification of our own. RFC
 * 6864 4.1: with DF set and no fragment nobody looks at it; without, it should not repeat soon.
 */
static __always_inline void rewrite_ipv4(const struct packet *p)
{
	struct iphdr *ip = packet_at(p, ETH_HLEN, sizeof(*ip));

	if (!ip)
		return;
	*ip = (struct iphdr){
		.version = 4,
		.ihl = sizeof(*ip) / 4,
		.tos = p->traffic_class,
		.tot_len = bpf_htons(sizeof(*ip) + rewrite_udp_len(p)),
		.id = p->dont_fragment ? 0 : (__be16)bpf_get_prandom_u32(),
		.frag_off = p->dont_fragment ? bpf_htons(PARSE_IPV4_DF) : 0,
		.ttl = p->ttl - 1,
		.protocol = IPPROTO_UDP,
		.saddr = p->out.src.v4,
		.daddr = p->out.dst.v4,
	};
	ip->check = checksum_negate(checksum_words(ip, sizeof(*ip) / 4));
}

/*
 * RFC 8656 13.2, 14: traffic class as it came, one hop less. The flow label was the sender's, for
 * other addresses; RFC 6437 3 leaves a source that sets none at zero.
 */
static __always_inline void rewrite_ipv6(const struct packet *p)
{
	struct ipv6hdr *ip = packet_at(p, ETH_HLEN, sizeof(*ip));

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
	__builtin_memcpy(&ip->saddr, &p->out.src, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &p->out.dst, sizeof(ip->daddr));
}

/* Writes the form's header at `offset` and returns its sum. */
static __always_inline __u64 rewrite_form(const struct packet *p, __u64 offset)
{
	struct channel_header *header;

	if (p->out.form == FLOW_FORM_UDP)
		return 0;
	header = packet_at(p, offset, sizeof(*header));
	if (!header)
		return 0;
	header->channel = p->out.channel;
	header->len = bpf_htons(p->data_len);
	return (__u64)header->channel + header->len;
}

/* RFC 768: no checksum stays none (over IPv4), and one that comes out as 0 is sent as all ones. */
static __always_inline void rewrite_udp(const struct packet *p, __u64 offset, __u64 form_sum)
{
	struct udphdr *udp = packet_at(p, offset, sizeof(*udp));
	__u64 udp_len = rewrite_udp_len(p);
	__u64 sum = checksum_pseudo(&p->out, udp_len) + p->out.sport + p->out.dport +
		    bpf_htons(udp_len) + form_sum + p->data_sum;
	__u16 check = checksum_negate(sum);

	if (!udp)
		return;
	udp->source = p->out.sport;
	udp->dest = p->out.dport;
	udp->len = bpf_htons(udp_len);
	udp->check = !p->udp_check ? 0 : check ?: 0xffff;
}

/*
 * Every header is written whole: nothing of the old frame but the data goes out. The frame has
 * its new size by now, so that the bounds checks are for the verifier only.
 */
static __always_inline void rewrite_headers(const struct packet *p)
{
	__u64 udp_offset = ETH_HLEN + rewrite_ip_len(p->out.family);
	__u64 form_sum = rewrite_form(p, udp_offset + sizeof(struct udphdr));

	rewrite_ethernet(p);
	if (p->out.family == FLOW_IPV4)
		rewrite_ipv4(p);
	else
		rewrite_ipv6(p);
	rewrite_udp(p, udp_offset, form_sum);
}

/* Takes the data out of the old frame and writes the new one around it. */
static __always_inline enum flow_verdict rewrite_frame(struct packet *p)
{
	__u64 headers = ETH_HLEN + rewrite_ip_len(p->out.family) + sizeof(struct udphdr) +
			rewrite_form_len(p->out.form);
	__u64 behind = p->frame_len - (p->data + p->data_len);

	rewrite_sum(p);
	if (packet_reshape(p, p->data - headers, behind))
		return FLOW_VERDICT_HEADROOM;
	rewrite_headers(p);
	return VERDICT_NONE;
}

#endif
