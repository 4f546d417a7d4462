/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `bare`, the practical limit: an XDP program that looks up a flow in a hash map, rewrites
 * addresses, moves the 4-byte ChannelData header and forwards. It checks nothing that it need not
 * to do that: no lengths, fragments, checksums, expiry, MTU, TTL; it counts nothing. Checksums stay
 * right, from differences that the flow holds. Also `wire`, the physical limit: swaps the MAC
 * addresses and forwards.
 */
#ifndef TURNPIKE_TESTS_BARE_H
#define TURNPIKE_TESTS_BARE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BARE_FLOWS_MAX);
	__type(key, struct flow_key4);
	__type(value, struct bare_flow);
} bare_flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BARE_FLOWS_MAX);
	__type(key, struct flow_key6);
	__type(value, struct bare_flow);
} bare_flows6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} bare_devices SEC(".maps");

__u64 bare_failures; /* packets that were not forwarded */
__u32 wire_egress;   /* 0: where it came from */

struct bare_channel {
	__be16 number;
	__be16 len;
};

static __always_inline int bare_fail(void)
{
	bare_failures++;
	return XDP_ABORTED;
}

static __always_inline __u16 bare_fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline int bare_send(const struct xdp_md *xdp, __u32 ifindex)
{
	if (!ifindex || ifindex == xdp->ingress_ifindex)
		return XDP_TX;
	return bpf_redirect_map(&bare_devices, ifindex, XDP_ABORTED);
}

/* The bytes behind the Ethernet header, or NULL if there are not `len` of them. */
static __always_inline void *bare_ip(const struct xdp_md *xdp, __u32 len)
{
	void *ip = (void *)(long)xdp->data + ETH_HLEN;

	return ip + len > (void *)(long)xdp->data_end ? NULL : ip;
}

static __always_inline __be16 bare_channel(const struct udphdr *udp,
					   const struct bare_channel *channel)
{
	return udp->dest == bpf_htons(BARE_LISTEN_PORT) ? channel->number : 0;
}

/* The bytes that the headers become shorter by. */
static __always_inline int bare_shift(const struct bare_flow *flow)
{
	return flow->channel ? -(int)sizeof(struct bare_channel) : (int)sizeof(struct bare_channel);
}

static __always_inline struct udphdr bare_udp(const struct bare_flow *flow,
					      const struct udphdr *udp, int shift)
{
	__u16 len = bpf_ntohs(udp->len) - shift;
	__u16 data_len = len - sizeof(*udp) - (flow->channel ? sizeof(struct bare_channel) : 0);
	__u16 sum = flow->channel ? bpf_htons(data_len) : ~bpf_htons(data_len);

	return (struct udphdr){
		.source = flow->sport,
		.dest = flow->dport,
		.len = bpf_htons(len),
		.check = bare_fold((__u64)(__u16)~udp->check + flow->udp_sum + sum),
	};
}

static __always_inline void bare_put_eth(const struct xdp_md *xdp, const struct bare_flow *flow,
					 __be16 protocol)
{
	struct ethhdr *eth = (void *)(long)xdp->data;

	if ((void *)(eth + 1) > (void *)(long)xdp->data_end)
		return;
	__builtin_memcpy(eth->h_dest, flow->dst_mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, flow->src_mac, ETH_ALEN);
	eth->h_proto = protocol;
}

/* UDP header and, to the client, ChannelData header. */
static __always_inline void bare_put_udp(struct udphdr *to, const struct udphdr *udp,
					 const struct bare_flow *flow)
{
	struct bare_channel *channel = (void *)(to + 1);

	*to = *udp;
	if (!flow->channel)
		return;
	channel->number = flow->channel;
	channel->len = bpf_htons(bpf_ntohs(udp->len) - sizeof(*udp) - sizeof(*channel));
}

static __always_inline int bare_forward4(struct xdp_md *xdp)
{
	const __u32 len = sizeof(struct iphdr) + sizeof(struct udphdr) +
			  sizeof(struct bare_channel);
	struct flow_key4 key = {};
	struct iphdr *at = bare_ip(xdp, len), ip;
	struct bare_flow *flow;
	struct udphdr udp;
	int shift;

	if (!at || at->ihl != 5 || at->protocol != IPPROTO_UDP)
		return bare_fail();
	ip = *at;
	udp = *(struct udphdr *)(at + 1);
	key.src = ip.saddr;
	key.dst = ip.daddr;
	key.sport = udp.source;
	key.dport = udp.dest;
	key.channel = bare_channel(&udp, (void *)((struct udphdr *)(at + 1) + 1));
	flow = bpf_map_lookup_elem(&bare_flows4, &key);
	if (!flow)
		return bare_fail();
	shift = bare_shift(flow);
	if (bpf_xdp_adjust_head(xdp, shift))
		return bare_fail();
	at = bare_ip(xdp, len);
	if (!at)
		return bare_fail();
	udp = bare_udp(flow, &udp, shift);
	ip.saddr = flow->src.v4;
	ip.daddr = flow->dst.v4;
	ip.tot_len = bpf_htons(bpf_ntohs(ip.tot_len) - shift);
	ip.check = bare_fold((__u64)(__u16)~ip.check + flow->ip_sum);
	bare_put_eth(xdp, flow, bpf_htons(ETH_P_IP));
	*at = ip;
	bare_put_udp((struct udphdr *)(at + 1), &udp, flow);
	return bare_send(xdp, flow->ifindex);
}

static __always_inline int bare_forward6(struct xdp_md *xdp)
{
	const __u32 len = sizeof(struct ipv6hdr) + sizeof(struct udphdr) +
			  sizeof(struct bare_channel);
	struct ipv6hdr *at = bare_ip(xdp, len), ip;
	struct flow_key6 key = {};
	struct bare_flow *flow;
	struct udphdr udp;
	int shift;

	if (!at || at->nexthdr != IPPROTO_UDP)
		return bare_fail();
	ip = *at;
	udp = *(struct udphdr *)(at + 1);
	__builtin_memcpy(key.src, &ip.saddr, sizeof(key.src));
	__builtin_memcpy(key.dst, &ip.daddr, sizeof(key.dst));
	key.sport = udp.source;
	key.dport = udp.dest;
	key.channel = bare_channel(&udp, (void *)((struct udphdr *)(at + 1) + 1));
	flow = bpf_map_lookup_elem(&bare_flows6, &key);
	if (!flow)
		return bare_fail();
	shift = bare_shift(flow);
	if (bpf_xdp_adjust_head(xdp, shift))
		return bare_fail();
	at = bare_ip(xdp, len);
	if (!at)
		return bare_fail();
	udp = bare_udp(flow, &udp, shift);
	__builtin_memcpy(&ip.saddr, &flow->src, sizeof(ip.saddr));
	__builtin_memcpy(&ip.daddr, &flow->dst, sizeof(ip.daddr));
	ip.payload_len = udp.len;
	bare_put_eth(xdp, flow, bpf_htons(ETH_P_IPV6));
	*at = ip;
	bare_put_udp((struct udphdr *)(at + 1), &udp, flow);
	return bare_send(xdp, flow->ifindex);
}

SEC("xdp")
int bare(struct xdp_md *xdp)
{
	struct ethhdr *eth = (void *)(long)xdp->data;

	if ((void *)(eth + 1) > (void *)(long)xdp->data_end)
		return bare_fail();
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return bare_forward4(xdp);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return bare_forward6(xdp);
	return bare_fail();
}

SEC("xdp")
int wire(struct xdp_md *xdp)
{
	struct ethhdr *eth = (void *)(long)xdp->data;
	__u8 mac[ETH_ALEN];

	if ((void *)(eth + 1) > (void *)(long)xdp->data_end)
		return bare_fail();
	__builtin_memcpy(mac, eth->h_dest, sizeof(mac));
	__builtin_memcpy(eth->h_dest, eth->h_source, sizeof(mac));
	__builtin_memcpy(eth->h_source, mac, sizeof(mac));
	return bare_send(xdp, wire_egress);
}

#endif
