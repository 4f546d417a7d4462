/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbour messages: who answers to which address on a link, and how to make the kernel ask.
 */
#ifndef TURNPIKE_NET_NEIGH_H
#define TURNPIKE_NET_NEIGH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/netlink.h"

/* Compared and hashed as bytes: struct addr keeps its padding 0, and there is none other. */
struct neigh_key {
	struct addr addr; /* port 0 */
	uint32_t ifindex;
};

struct neigh_facts {
	struct neigh_key key;
	uint16_t state; /* NUD_…; 0 for one that does not exist */
	uint8_t mac[6]; /* zeros if unknown */
};

/* False for messages that are not about an IPv4 or IPv6 neighbour: bridges, proxies. */
bool neigh_parse(const struct nlmsghdr *message, struct neigh_facts *ret);

/* True if packets may be sent to the address it names. */
bool neigh_is_usable(const struct neigh_facts *neigh);
/* True if only asking the kernel will make or keep it usable. */
bool neigh_wants_probe(const struct neigh_facts *neigh);

/* A neighbour that the kernel does not know is one in state 0. Returns 0 or -errno. */
int neigh_query(struct netlink *nl, const struct neigh_key *key, struct neigh_facts *ret);

/* Calls each for every neighbour of both families; one may be seen twice. 0 or -errno. */
int neigh_dump(struct netlink *nl, void (*each)(void *ctx, const struct neigh_facts *neigh),
	       void *ctx);

/*
 * Makes the kernel resolve or confirm the neighbour, as if a packet were sent to it. Does nothing
 * to one that wants no probe. Needs CAP_NET_ADMIN. Returns 0 or -errno.
 */
int neigh_probe(struct netlink *nl, const struct neigh_key *key);

#endif
