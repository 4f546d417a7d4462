/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Link messages: what rtnetlink says of an interface.
 */
#ifndef TURNPIKE_NET_LINK_H
#define TURNPIKE_NET_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "net/net.h"
#include "net/netlink.h"

struct link_facts {
	struct net_link link;
	/* What IPv6 uses; a router advertisement may lower it. 0 if the link has no IPv6. */
	uint32_t mtu6;
	bool ethernet;
	/* A VLAN device tags what it sends and hands it to the link below. */
	bool vlan;
	struct net_tag tag;
	unsigned int below; /* 0: in another network namespace, or none */
};

/* False for messages that are not about a link itself, such as those of bridge ports. */
bool link_parse(const struct nlmsghdr *message, struct link_facts *ret);

/* By name, or by index where name is NULL. 0, -ENODEV, or another -errno. */
int link_query(struct netlink *nl, const char *name, unsigned int ifindex, struct link_facts *ret);

/* Calls each for every link; a link may be seen twice. 0 or -errno. */
int link_dump(struct netlink *nl, void (*each)(void *ctx, const struct link_facts *link),
	      void *ctx);

#endif
