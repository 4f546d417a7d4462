/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host knows of its network, over rtnetlink (libmnl): links, addresses, routes and
 * neighbours, and from them next hops that stay right while these change. Knows nothing of BPF.
 *
 * A struct net belongs to one thread. It holds a monitoring socket, which the caller polls, and a
 * query socket for synchronous questions.
 */
#ifndef TURNPIKE_NET_NET_H
#define TURNPIKE_NET_NET_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* An address of this host and the link that carries it. */
struct net_address {
	struct addr addr; /* port 0 */
	uint8_t prefix_len;
	struct addr far_end;   /* of a point-to-point link, whose prefix it is; or ADDR_NONE */
	struct addr broadcast; /* as it was set; family ADDR_NONE if it was not */
	unsigned int ifindex;
	char ifname[IF_NAMESIZE];
	bool up;     /* link is up */
	bool global; /* scope universe, not tentative, not deprecated */
};

/* All addresses of this host, loopback included. The array is the caller's to free. 0 or -errno. */
int net_list_addresses(struct net_address **ret, size_t *ret_count);
/*
 * Every destination that its addresses make this host take as its own: these, the broadcast and
 * network addresses of their IPv4 prefixes, the subnet-router anycast addresses of their IPv6
 * prefixes. Some may be there twice. The array is the caller's to free. 0 or -errno.
 */
int net_list_own(struct addr **ret, size_t *ret_count);

/*
 * Where UDP packets to dst leave: interface, and the source address the host would choose (src may
 * be NULL, or an address that policy rules look at; ports count where they are not 0). 0,
 * -ENETUNREACH, or another -errno.
 */
int net_query_route(const struct addr *src, const struct addr *dst, unsigned int *ret_ifindex,
		    struct addr *ret_source);

/* A link as XDP sees it. Names may change; indices do not. */
struct net_link {
	unsigned int ifindex;
	char name[IF_NAMESIZE];
	uint32_t mtu;
	bool up;
	uint8_t mac[6];
	uint32_t xdp_program; /* id of an attached XDP program, 0 for none */
};

/* 0, -ENODEV if there is no such link, or another -errno. */
int net_query_link(const char *name, struct net_link *ret);
/*
 * The link whose driver sends and receives for this one: below all its VLANs, itself if it is none.
 * 0; -ENODEV if either is not there, -EXDEV if it is in another network namespace, -ELOOP if there
 * are more than NET_TAGS_MAX VLANs, or another -errno.
 */
int net_query_bottom_link(const char *name, struct net_link *ret);

#define NET_TAGS_MAX 2

/*
 * For a thread without a struct net: a descriptor, the caller's to close, that is readable when
 * something about links changed: they came, went, went up or down, got another name, XDP program
 * or whatever else. 0 or -errno.
 */
int net_watch_links(int *ret_fd);
/* Reads what is there, without blocking. True if there was anything. */
bool net_links_changed(int fd);
/* The same for addresses: they came, went, or got another lifetime. */
int net_watch_addresses(int *ret_fd);
bool net_addresses_changed(int fd);

/* A VLAN tag, both in host order: 0x8100 or 0x88a8; the VLAN's number and its priority. */
struct net_tag {
	uint16_t protocol;
	uint16_t tci;
};

/* What a packet to some destination needs to be sent by hand. */
struct net_hop {
	unsigned int ifindex; /* of the device that transmits: below its VLANs */
	uint32_t mtu;	      /* IP header and above: the smallest of the links and the route */
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
	/* Links up at all levels, Ethernet, neighbour resolved; unicast and not this host. */
	bool valid;
	uint8_t tags;
	struct net_tag tag[NET_TAGS_MAX]; /* the outer one first */
};

/* Ids are positive and below the limit given to net_open; 0 is never a hop. */
struct net_events {
	/*
	 * A hop got another content; also told of each new hop. Called from net_process, net_route
	 * and net_keep_alive, in the middle of their work: it must not call them, nor release hops.
	 */
	void (*hop_changed)(void *ctx, uint32_t id, const struct net_hop *hop);
	/*
	 * Routes, rules or addresses changed, a link went up or down (which moves IPv4 routes
	 * without an event about them), or the kernel lost events: what net_route answered before
	 * may be wrong. Called at most once per net_process, as the last thing it does, and from
	 * net_keep_alive where that makes up for lost events; here net_route and net_hop_release
	 * may be called.
	 */
	void (*routes_changed)(void *ctx);
	void *ctx;
};

struct net;

/*
 * Hops get ids first_id (at least 1) to first_id + max_hops - 1. Copies events.
 * Returns 0 or -errno.
 */
int net_open(const struct net_events *events, uint32_t first_id, uint32_t max_hops,
	     struct net **ret);
void net_close(struct net **net);

/* The monitoring socket: call net_process when it is readable. It never blocks. */
int net_fd(const struct net *net);
int net_process(struct net *net);

/*
 * The hop that UDP packets from src to dst take; takes a reference. src may be NULL; ports that are
 * not 0 count, as rules and the choice among several paths may look at them. A new hop asks
 * the kernel to resolve the neighbour at once. Destinations on this host, broadcast, multicast,
 * link-local IPv6, tunnels of the route's own and blackholes give -ENETUNREACH. -ENOSPC if all ids
 * are in use.
 */
int net_route(struct net *net, const struct addr *src, const struct addr *dst, uint32_t *ret_hop);
/* Gives a reference back; the last one frees the id. */
void net_hop_release(struct net *net, uint32_t id);
/* Content of a hop in use. */
void net_hop_get(const struct net *net, uint32_t id, struct net_hop *ret);

/*
 * To be called every few seconds: neighbours in use that went STALE are probed (XDP traffic does
 * not do it), and those that failed are asked for again. Bounded work per call.
 */
void net_keep_alive(struct net *net);

#endif
