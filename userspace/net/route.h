/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Route look-ups: what the kernel would do with a packet, policy rules and all.
 */
#ifndef TURNPIKE_NET_ROUTE_H
#define TURNPIKE_NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/netlink.h"

struct route_facts {
	uint8_t type; /* RTN_… */
	uint32_t ifindex;
	struct addr gateway; /* family ADDR_NONE: the destination is on the link */
	struct addr source;  /* what the host would choose; ADDR_NONE if it did not say */
	uint32_t mtu;	     /* of the route or learned for the path; 0: the link's */
	bool encapsulated;   /* MPLS, segment routing and the like: not plain IP over a link */
};

/*
 * For UDP packets; src may be NULL, ports 0 where they are not known. One of several paths is
 * chosen by the kernel, as it would choose it for such a packet from a socket of this host. Returns
 * 0; -ENETUNREACH if there is no route, or one that forbids; or another -errno.
 */
int route_query(struct netlink *nl, const struct addr *src, const struct addr *dst,
		struct route_facts *ret);

#endif
