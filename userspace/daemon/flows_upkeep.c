/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel flows while they live: their next hops after a route change, what they carried. See
 * flows.h.
 */
#include <errno.h>
#include <string.h>

#include "daemon/flows_state.h"

#define REROUTE_PER_CALL 2000
#define KEEP_ALIVE_NS	 (3 * NSEC_PER_SEC)

uint32_t flows_find_hop(struct flows *flows, const struct addr *from, const struct addr *to)
{
	uint32_t hop = 0;
	int err = net_route(flows->net, from, to, &hop);

	if (err < 0 && err != -ENETUNREACH)
		log_debug("flows: no next hop dst=%s err=%s", ADDR_IP_TEXT(to), strerror(-err));
	return err < 0 ? 0 : hop;
}

void flows_release_hop(struct flows *flows, uint32_t hop)
{
	if (hop)
		net_hop_release(flows->net, hop);
}

/*
 * Towards another allocation of this relay the program looks that one up in the same run, so
 * nothing here points to it and nothing dangles when it ends.
 */
uint32_t flows_find_peer_hop(struct flows *flows, const struct party *party,
			     const struct item *item)
{
	if (item->own)
		return FLOW_NEXT_HOP_SELF;
	return flows_find_hop(flows, &party->relayed[flows_family(&item->peer)], &item->peer);
}

void flows_release_peer_hop(struct flows *flows, const struct item *item)
{
	if (!item->own)
		flows_release_hop(flows, item->peer_hop);
}

static void move(struct flows *flows, void (*set)(struct flow_table *, uint32_t, uint32_t),
		 uint32_t slot, uint32_t hop)
{
	if (slot == FLOWS_NONE)
		return;
	set(flows->table, slot, hop);
	flows->counters.flows_rerouted++;
}

static void reroute_item(struct flows *flows, const struct party *party, enum item_kind kind,
			 struct item *item, bool client_moved)
{
	const struct item old = *item;

	if (!item->eligible)
		return;
	item->peer_hop = flows_find_peer_hop(flows, party, item);
	if (client_moved)
		move(flows, flow_table_set_next_hop, item->slots[WAY_TO_CLIENT], party->client_hop);
	if (item->peer_hop != old.peer_hop) {
		if (kind == ITEM_CHANNEL)
			move(flows, flow_table_set_next_hop, item->slots[WAY_TO_PEER],
			     item->peer_hop);
		else
			move(flows, flow_table_set_peer_hop, item->slots[WAY_TO_CLIENT],
			     item->peer_hop);
	}
	flows_release_peer_hop(flows, &old);
}

/* Asks for every route of an allocation again. Old hops are let go only after the new ones are in
 * the slots. Returns how many routes that were. */
static uint32_t reroute_party(struct flows *flows, struct party *party)
{
	uint32_t old = party->client_hop, count = 1;

	if (!party_is_live(party) || !party->eligible)
		return 1;
	party->client_hop = flows_find_hop(flows, &party->server, &party->client);
	for (enum item_kind kind = 0; kind < ITEM_KIND_MAX; kind++) {
		struct item *items = flows->kinds[kind].items;

		for (uint32_t i = party->first[kind]; i != FLOWS_NONE; i = items[i].next) {
			reroute_item(flows, party, kind, &items[i], party->client_hop != old);
			count++;
		}
	}
	flows_release_hop(flows, old);
	return count;
}

/*
 * A round looks at every flow once, a bounded number per call. Route changes come in bursts, and
 * one may come while a round is under way: the round goes on to its end and another follows, so
 * that no stream of events keeps the last flows from their turn.
 */
static void reroute_step(struct flows *flows)
{
	if (flows->reroute_at == FLOWS_NONE) {
		if (!flows->reroute_wanted)
			return;
		flows->reroute_wanted = false;
		flows->reroute_at = 0;
	}
	for (uint32_t n = 0; n < REROUTE_PER_CALL;) {
		if (flows->reroute_at >= flows->party_count) {
			flows->reroute_at = FLOWS_NONE;
			return;
		}
		n += reroute_party(flows, &flows->parties[flows->reroute_at++]);
	}
}

void flows_ask_again(struct flows *flows)
{
	flows->reroute_wanted = true;
}

int flows_fd(const struct flows *flows)
{
	return flows->net ? net_fd(flows->net) : -1;
}

void flows_process(struct flows *flows)
{
	int err = flows->net ? net_process(flows->net) : 0;

	if (err < 0)
		log_warning("flows: netlink events cannot be read err=%s", strerror(-err));
}

void flows_maintain(struct flows *flows, uint64_t now_ns)
{
	if (!flows->net)
		return;
	kernel_settle(flows->config.kernel, now_ns);
	reroute_step(flows);
	if (now_ns - flows->kept_alive_ns >= KEEP_ALIVE_NS) {
		flows->kept_alive_ns = now_ns;
		net_keep_alive(flows->net);
	}
}

void flows_add_traffic(const struct flows *flows, uint32_t slot, struct flow_counter *sum)
{
	struct flow_counter one;

	if (slot == FLOWS_NONE || flow_table_traffic(flows->table, slot, &one) < 0)
		return;
	sum->packets += one.packets;
	sum->bytes += one.bytes;
}

static void add_item(const struct flows *flows, const struct item *item, struct flows_traffic *sum)
{
	for (size_t way = 0; way < WAY_MAX; way++)
		sum->carried |= item->slots[way] != FLOWS_NONE;
	flows_add_traffic(flows, item->slots[WAY_TO_PEER], &sum->to_peer);
	flows_add_traffic(flows, item->slots[WAY_TO_CLIENT], &sum->to_client);
}

void flows_traffic(const struct flows *flows, uint32_t flow, struct flows_traffic *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (flow < flows->kinds[ITEM_CHANNEL].count && flows->kinds[ITEM_CHANNEL].items[flow].live)
		add_item(flows, &flows->kinds[ITEM_CHANNEL].items[flow], ret);
}

void flows_allocation_traffic(const struct flows *flows, uint32_t allocation,
			      struct flows_traffic *ret)
{
	const struct party *party;

	memset(ret, 0, sizeof(*ret));
	if (allocation >= flows->party_count || !party_is_live(&flows->parties[allocation]))
		return;
	party = &flows->parties[allocation];
	ret->to_peer = party->gone[WAY_TO_PEER];
	ret->to_client = party->gone[WAY_TO_CLIENT];
	for (size_t family = 0; family < FLOWS_FAMILIES; family++) {
		ret->carried |= party->senders[family] != FLOWS_NONE;
		flows_add_traffic(flows, party->senders[family], &ret->to_peer);
	}
	for (size_t kind = 0; kind < ITEM_KIND_MAX; kind++) {
		const struct item *items = flows->kinds[kind].items;

		for (uint32_t i = party->first[kind]; i != FLOWS_NONE; i = items[i].next)
			add_item(flows, &items[i], ret);
	}
}

const struct flows_counters *flows_counters(const struct flows *flows)
{
	return &flows->counters;
}

uint32_t flows_used(const struct flows *flows)
{
	return flow_table_used(flows->table);
}

uint32_t flows_size(const struct flows *flows)
{
	return flow_table_size(flows->table);
}
