/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What flows.c and flows_upkeep.c share. For these two only.
 *
 * Memory, for publishing: 144 bytes for an allocation, 48 for each channel and each permission,
 * in arrays by their dense numbers. Addresses that flows have in common are the allocation's.
 */
#ifndef TURNPIKE_DAEMON_FLOWS_STATE_H
#define TURNPIKE_DAEMON_FLOWS_STATE_H

#include "base/log.h"
#include "daemon/flows.h"

#define FLOWS_NONE     UINT32_MAX /* no slot, no item */
#define FLOWS_FAMILIES 2

enum item_kind {
	ITEM_CHANNEL,
	ITEM_GRANT,
	ITEM_KIND_MAX,
};

/* Slots of an item: a channel has both, a grant the second, which its data to the client takes. */
enum item_way {
	WAY_TO_PEER,
	WAY_TO_CLIENT,
	WAY_MAX,
};

/* A channel or a grant of an allocation, in the list of its allocation and kind. */
struct item {
	struct addr peer; /* a grant's has port 0 */
	bool live;
	bool eligible;
	bool own; /* the peer is an address of this relay: no hop leads there */
	uint32_t allocation;
	uint32_t previous, next;
	uint32_t slots[WAY_MAX];
	uint32_t peer_hop; /* reference held unless own; 0 for none */
};

/* One allocation. It is live while it has a relayed address. */
struct party {
	struct addr client, server;
	struct addr relayed[FLOWS_FAMILIES]; /* family ADDR_NONE: none */
	uint32_t senders[FLOWS_FAMILIES];    /* slots */
	uint32_t first[ITEM_KIND_MAX];	     /* the heads of its lists */
	uint32_t client_hop;		     /* reference held; 0 for none */
	uint32_t bucket;
	bool eligible;
	struct flow_counter gone[WAY_MAX]; /* carried by slots that are no more */
};

struct flows {
	struct flows_config config;
	struct flow_table *table;
	struct net *net;
	struct party *parties; /* by number of the allocation, grown as numbers come */
	uint32_t party_count;
	struct {
		struct item *items; /* by number of the flow or grant */
		uint32_t count;
	} kinds[ITEM_KIND_MAX];
	uint32_t reroute_at; /* next party to look at, FLOWS_NONE when done */
	bool reroute_wanted;
	uint64_t kept_alive_ns;
	struct flows_counters counters;
	struct log_limit full_limit;
};

static inline bool party_is_live(const struct party *party)
{
	return party->relayed[0].family != ADDR_NONE || party->relayed[1].family != ADDR_NONE;
}

static inline unsigned int flows_family(const struct addr *a)
{
	return a->family == ADDR_IPV6 ? 1 : 0;
}

/*
 * The hop from one address to another, with a reference; 0 where there is no route, in which case
 * the flow's packets pass up until a route appears.
 */
uint32_t flows_find_hop(struct flows *flows, const struct addr *from, const struct addr *to);
void flows_release_hop(struct flows *flows, uint32_t hop);
/* The same for an item's peer, which may be this relay itself. */
uint32_t flows_find_peer_hop(struct flows *flows, const struct party *party,
			     const struct item *item);
void flows_release_peer_hop(struct flows *flows, const struct item *item);

/* Adds what a slot carried. */
void flows_add_traffic(const struct flows *flows, uint32_t slot, struct flow_counter *sum);

_Static_assert(sizeof(struct party) == 144 && sizeof(struct item) == 48,
	       "the sizes published above");

#endif
