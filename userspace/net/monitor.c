/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct net: listens to what the kernel tells about links, addresses, routes and neighbours,
 * keeps the table of hops right, and asks for what it lacks. A monitoring socket that was not
 * read fast enough loses events (ENOBUFS); then everything is asked for anew.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "net/hops.h"
#include "net/link.h"
#include "net/neigh.h"
#include "net/net.h"
#include "net/netlink.h"
#include "net/route.h"

#define MONITOR_BUFFER	  (1024 * 1024)
/* Of one net_process; the descriptor stays readable for the rest. */
#define PROCESS_READS	  256
/* More than a full buffer holds, one event each; others may add to it meanwhile. */
#define DRAIN_READS	  16384
#define KEEP_ALIVE_PROBES 256

struct net {
	struct net_events events;
	struct netlink query;
	struct netlink monitor;
	struct hops *hops;
	bool lost_events;
	bool routes_changed;
};

/*
 * Replacing a nexthop object moves routes without an event about any of them; a router
 * advertisement that changes the MTU is told to the IPv6 group of links only.
 */
static const int groups[] = {
	RTNLGRP_LINK,	     RTNLGRP_NEIGH,	RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE,
	RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV6_IFINFO, RTNLGRP_NEXTHOP,
};

static int subscribe(struct netlink *monitor)
{
	int fd = mnl_socket_get_fd(monitor->socket), size = MONITOR_BUFFER;

	/* The first needs CAP_NET_ADMIN, the second is capped by rmem_max: both are a wish. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(monitor->socket, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0)
			return -errno;
	}
	return 0;
}

static void take_link(void *ctx, const struct link_facts *link)
{
	struct net *net = ctx;

	if (hops_set_link(net->hops, link))
		net->routes_changed = true;
}

static void take_neigh(void *ctx, const struct neigh_facts *neigh)
{
	struct net *net = ctx;

	hops_set_neigh(net->hops, neigh);
}

/* Asks for everything. */
static int resync(struct net *net)
{
	int err;

	hops_begin_resync(net->hops);
	err = link_dump(&net->query, take_link, net);
	if (!err)
		err = neigh_dump(&net->query, take_neigh, net);
	hops_end_resync(net->hops, err == 0);
	return err;
}

int net_open(const struct net_events *events, uint32_t first_id, uint32_t max_hops,
	     struct net **ret)
{
	struct net *net;
	int err;

	if (!first_id || !max_hops)
		return -EINVAL;
	net = calloc(1, sizeof(*net));
	if (!net)
		return -ENOMEM;
	net->events = *events;
	err = hops_new(first_id, max_hops, events->hop_changed, events->ctx, &net->hops);
	if (!err)
		err = netlink_open(&net->query);
	if (!err)
		err = netlink_open(&net->monitor);
	if (!err)
		err = subscribe(&net->monitor);
	if (!err)
		err = resync(net);
	if (err) {
		net_close(&net);
		return err;
	}
	net->routes_changed = false;
	*ret = net;
	return 0;
}

void net_close(struct net **pointer)
{
	struct net *net = *pointer;

	*pointer = NULL;
	if (!net)
		return;
	netlink_close(&net->monitor);
	netlink_close(&net->query);
	hops_free(&net->hops);
	free(net);
}

int net_fd(const struct net *net)
{
	return mnl_socket_get_fd(net->monitor.socket);
}

static void process_link(struct net *net, const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct link_facts link;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return;
	if (info->ifi_family == AF_INET6) {
		if (link_query(&net->query, NULL, (unsigned int)info->ifi_index, &link) == 0)
			take_link(net, &link);
		return;
	}
	if (!link_parse(message, &link))
		return;
	if (message->nlmsg_type == RTM_NEWLINK)
		take_link(net, &link);
	else if (hops_remove_link(net->hops, link.link.ifindex))
		net->routes_changed = true;
}

static void process_message(struct net *net, const struct nlmsghdr *message)
{
	struct neigh_facts neigh;

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		process_link(net, message);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (neigh_parse(message, &neigh))
			hops_set_neigh(net->hops, &neigh);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		net->routes_changed = true;
		break;
	default:
		break;
	}
}

/* 1: read something. 0: nothing there. -errno. */
static int process_one_read(struct net *net)
{
	struct sockaddr_nl from = {0};
	struct iovec iov = {.iov_base = net->monitor.buffer, .iov_len = NETLINK_BUFFER_SIZE};
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(net_fd(net), &msg, MSG_DONTWAIT);
	const struct nlmsghdr *message = iov.iov_base;
	int left = (int)n;

	if (n < 0 && errno == ENOBUFS) {
		net->lost_events = true;
		return 1;
	}
	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -errno;
	if (from.nl_pid != 0) /* not the kernel */
		return 1;
	if (msg.msg_flags & MSG_TRUNC)
		net->lost_events = true;
	/* Everything will be asked for anew, and these are older than the answers. */
	if (net->lost_events)
		return 1;
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		process_message(net, message);
	return 1;
}

/*
 * After events were lost. What is still in the socket is older than the answers will be, and as the
 * kernel drops the newest, nothing would put right what it did to them: it is read and forgotten
 * first. Until the socket was empty once the kernel also drops without another ENOBUFS, so only
 * then is nothing more lost in silence. If it does not get empty, or asking fails, lost_events
 * stays set and the next call tries again.
 */
static int catch_up(struct net *net)
{
	int err, drained = 1;

	for (int i = 0; i < DRAIN_READS && drained == 1; i++)
		drained = process_one_read(net);
	err = resync(net);
	net->lost_events = err != 0 || drained != 0;
	net->routes_changed = true;
	return drained < 0 ? drained : err;
}

int net_process(struct net *net)
{
	int err = 1;

	for (int i = 0; i < PROCESS_READS && err == 1 && !net->lost_events; i++)
		err = process_one_read(net);
	if (net->lost_events) {
		int failed = catch_up(net);

		err = err < 0 ? err : failed;
	}
	if (net->routes_changed) {
		net->routes_changed = false;
		net->events.routes_changed(net->events.ctx);
	}
	return err < 0 ? err : 0;
}

/* A destination that is reached by a plain packet to one neighbour. */
static bool is_plain_unicast(const struct addr *dst, const struct route_facts *route)
{
	bool v6 = dst->family == ADDR_IPV6;
	bool multicast = v6 ? dst->ip[0] == 0xff : (dst->ip[0] & 0xf0) == 0xe0;
	/* Without a zone nobody can say on which link. */
	bool link_local = v6 && dst->ip[0] == 0xfe && (dst->ip[1] & 0xc0) == 0x80;

	return route->type == RTN_UNICAST && !route->encapsulated && !multicast && !link_local &&
	       !addr_is_any(dst);
}

/* A hop that is not in the table yet. */
static int add_hop(struct net *net, const struct hop_key *key, uint32_t *ret_id)
{
	struct link_facts link;
	struct neigh_facts neigh;
	int err = neigh_query(&net->query, &key->neigh, &neigh);

	if (err)
		return err;
	/* An IPv6 MTU set by sysctl comes without an event, and a new link's may be on its way. */
	if (link_query(&net->query, NULL, key->neigh.ifindex, &link) == 0)
		take_link(net, &link);
	err = hops_add(net->hops, key, &neigh, ret_id);
	/* Without the right to ask, the first packet sent by socket resolves it. */
	if (!err)
		neigh_probe(&net->query, &key->neigh);
	return err;
}

int net_route(struct net *net, const struct addr *src, const struct addr *dst, uint32_t *ret_hop)
{
	struct route_facts route;
	struct hop_key key = {0};
	uint32_t id;
	int err = route_query(&net->query, src, dst, &route);

	if (err)
		return err;
	if (!is_plain_unicast(dst, &route))
		return -ENETUNREACH;
	key.neigh.addr = route.gateway.family ? route.gateway : *dst;
	key.neigh.addr.port = 0;
	key.neigh.ifindex = route.ifindex;
	key.route_mtu = route.mtu;
	key.family = dst->family;
	id = hops_find(net->hops, &key);
	if (!id) {
		err = add_hop(net, &key, &id);
		if (err)
			return err;
	}
	*ret_hop = id;
	return 0;
}

void net_hop_release(struct net *net, uint32_t id)
{
	hops_release(net->hops, id);
}

void net_hop_get(const struct net *net, uint32_t id, struct net_hop *ret)
{
	hops_get(net->hops, id, ret);
}

void net_keep_alive(struct net *net)
{
	uint32_t looks = hops_max(net->hops);
	struct neigh_key key;

	/* Nothing else may make the descriptor readable. */
	if (net->lost_events)
		net_process(net);
	for (int i = 0; i < KEEP_ALIVE_PROBES && hops_next_probe(net->hops, &looks, &key); i++)
		neigh_probe(&net->query, &key);
}
