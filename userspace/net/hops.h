/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of next hops: what is known of links and neighbours in, contents of hops out. Pure:
 * it asks nobody anything and has no socket.
 *
 * A hop is a neighbour on a link, and what a packet may measure on the way. Several hops may lead
 * to one neighbour: packets of both families, routes with MTUs of their own.
 */
#ifndef TURNPIKE_NET_HOPS_H
#define TURNPIKE_NET_HOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/link.h"
#include "net/neigh.h"
#include "net/net.h"

/* Compared and hashed as bytes: no padding. */
struct hop_key {
	struct neigh_key neigh; /* the gateway, or the destination itself if it is on the link */
	uint32_t route_mtu;	/* 0: the link's */
	uint32_t family; /* enum addr_family of the packets: IPv6 may have an MTU of its own */
};

struct hops;

/* Ids are first_id to first_id + max - 1. changed is told of every new content. 0 or -ENOMEM. */
int hops_new(uint32_t first_id, uint32_t max,
	     void (*changed)(void *ctx, uint32_t id, const struct net_hop *hop), void *ctx,
	     struct hops **ret);
void hops_free(struct hops **hops);

/* The id of an existing hop, with one more reference; or 0. */
uint32_t hops_find(struct hops *hops, const struct hop_key *key);
/*
 * A new hop with one reference; tells its content, whatever that is, as the id may have had
 * another before. neigh is what is known of its neighbour. 0, -ENOSPC or -ENOMEM.
 */
int hops_add(struct hops *hops, const struct hop_key *key, const struct neigh_facts *neigh,
	     uint32_t *ret_id);
/* Gives one reference back; the last one frees the id, to be used again as late as possible. */
void hops_release(struct hops *hops, uint32_t id);
void hops_get(const struct hops *hops, uint32_t id, struct net_hop *ret);

/*
 * News of a link or neighbour. Neighbours that no hop leads to are not kept; links are. Returns
 * true if a link went up or down, appeared or vanished: routes may lead elsewhere then.
 */
bool hops_set_link(struct hops *hops, const struct link_facts *link);
bool hops_remove_link(struct hops *hops, unsigned int ifindex);
void hops_set_neigh(struct hops *hops, const struct neigh_facts *neigh);

/*
 * All there is, told anew: what hops_set_link and hops_set_neigh do not mention between begin and
 * end is gone, unless the telling broke off before it was complete. Contents that change are told
 * at the end, each once.
 */
void hops_begin_resync(struct hops *hops);
void hops_end_resync(struct hops *hops, bool complete);

/*
 * The next neighbour, in turn, that wants a probe and whose link is up; looks at no more than
 * *looks ids and takes those it looked at from it. False if it found none.
 */
bool hops_next_probe(struct hops *hops, uint32_t *looks, struct neigh_key *ret);
uint32_t hops_max(const struct hops *hops);

#endif
