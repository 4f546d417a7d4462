/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel flows come and go with the allocations, channels and permissions they are for. See
 * flows.h; what happens to them in between is in flows_upkeep.c.
 */
#include "daemon/flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flows_state.h"

#define BURST_MS 100

static void on_hop_changed(void *ctx, uint32_t id, const struct net_hop *hop)
{
	struct flows *flows = ctx;

	kernel_set_next_hop(flows->config.kernel, id, hop);
}

static void on_routes_changed(void *ctx)
{
	struct flows *flows = ctx;

	flows->reroute_wanted = true;
}

int flows_new(const struct flows_config *config, struct flows **ret)
{
	struct flows *flows = calloc(1, sizeof(*flows));
	const struct net_events events = {
		.hop_changed = on_hop_changed, .routes_changed = on_routes_changed, .ctx = flows};
	int err;

	if (!flows)
		return -ENOMEM;
	flows->config = *config;
	flows->reroute_at = FLOWS_NONE;
	flows->full_limit = (struct log_limit){.interval_ms = 60000, .burst = 1};
	err = flow_table_new(config->kernel, config->worker, &flows->table);
	if (err == 0 && !kernel_is_null(config->kernel))
		err = net_open(&events, 1 + config->worker * config->next_hops, config->next_hops,
			       &flows->net);
	if (err < 0) {
		flows_free(&flows);
		return err;
	}
	*ret = flows;
	return 0;
}

void flows_free(struct flows **flows)
{
	if (!*flows)
		return;
	flow_table_free(&(*flows)->table);
	net_close(&(*flows)->net);
	free((*flows)->parties);
	for (size_t kind = 0; kind < ITEM_KIND_MAX; kind++)
		free((*flows)->kinds[kind].items);
	free(*flows);
	*flows = NULL;
}

/* An array with room for that number, what is new in it zeroed; false without memory. */
static bool make_room(void **array, uint32_t *count, size_t size, uint32_t number)
{
	uint64_t wanted = MAX(64U, *count);
	void *grown;

	if (number < *count)
		return true;
	while (wanted <= number)
		wanted *= 2;
	grown = reallocarray(*array, wanted, size);
	if (!grown)
		return false;
	memset((char *)grown + *count * size, 0, (wanted - *count) * size);
	*array = grown;
	*count = (uint32_t)wanted;
	return true;
}

static void count_refusal(struct flows *flows, int err, uint64_t now_ns)
{
	uint64_t suppressed;

	if (err != -ENOSPC) {
		flows->counters.flows_failed++;
		log_debug("flows: not installed err=%s", strerror(-err));
		return;
	}
	flows->counters.flows_full++;
	if (log_limit_allow(&flows->full_limit, now_ns, &suppressed))
		log_warning("flows: the kernel path is full, new flows stay on the sockets "
			    "size=%u remedy=\"raise limits.allocations\"",
			    flow_table_size(flows->table));
}

/* Installs a flow that is not yet, or gives the installed one its new expiry. */
static void install(struct flows *flows, const struct party *party, const struct flow_spec *spec,
		    uint64_t now_ns, uint32_t *slot)
{
	int err;

	if (*slot != FLOWS_NONE) {
		flow_table_set_expiry(flows->table, *slot, spec->expires_ns);
		return;
	}
	/* Without its bucket it would have no limit. */
	err = flows->config.bandwidth_bps && !party->bucket
		      ? -ENOSPC
		      : flow_table_add(flows->table, spec, now_ns, slot);
	if (err < 0)
		count_refusal(flows, err, now_ns);
	else
		flows->counters.flows_installed++;
}

/* What it carried stays with its allocation. */
static void uninstall(struct flows *flows, uint32_t *slot, struct flow_counter *gone,
		      uint64_t now_ns)
{
	if (*slot == FLOWS_NONE)
		return;
	flows_add_traffic(flows, *slot, gone);
	flow_table_remove(flows->table, *slot, now_ns);
	*slot = FLOWS_NONE;
	flows->counters.flows_removed++;
}

static void begin_party(struct flows *flows, struct party *party, const struct turn_sender *sender)
{
	*party = (struct party){
		.client = sender->tuple.client,
		.server = sender->tuple.server,
		.senders = {FLOWS_NONE, FLOWS_NONE},
		.first = {FLOWS_NONE, FLOWS_NONE},
		.eligible = sender->tuple.transport == TURN_UDP,
	};
	if (!party->eligible)
		return;
	party->client_hop = flows_find_hop(flows, &party->server, &party->client);
	if (!flows->config.bandwidth_bps || sender->allocation >= flows->config.buckets)
		return;
	party->bucket = 1 + flows->config.worker * flows->config.buckets + sender->allocation;
	kernel_set_bucket(flows->config.kernel, party->bucket, flows->config.bandwidth_bps,
			  BURST_MS);
}

void flows_set_sender(struct flows *flows, const struct turn_sender *sender, uint64_t now_ns)
{
	unsigned int family = flows_family(&sender->relayed);
	struct party *party;
	struct flow_spec spec;

	if (kernel_is_null(flows->config.kernel) ||
	    !make_room((void **)&flows->parties, &flows->party_count, sizeof(*flows->parties),
		       sender->allocation))
		return;
	party = &flows->parties[sender->allocation];
	if (!party_is_live(party))
		begin_party(flows, party, sender);
	if (!party->eligible && party->relayed[family].family == ADDR_NONE)
		flows->counters.flows_not_eligible++;
	party->relayed[family] = sender->relayed;
	if (!party->eligible)
		return;
	spec = (struct flow_spec){
		.in = {party->client, party->server, 0},
		.out = {.src = sender->relayed},
		.expires_ns = sender->expires_ns,
		.allocation = sender->allocation,
		.role = FLOW_ROLE_SENDER,
		.bucket = party->bucket,
	};
	install(flows, party, &spec, now_ns, &party->senders[family]);
}

void flows_remove_sender(struct flows *flows, uint32_t sender, uint64_t now_ns)
{
	uint32_t allocation = sender / FLOWS_FAMILIES, family = sender % FLOWS_FAMILIES;
	struct party *party;

	if (allocation >= flows->party_count || !party_is_live(&flows->parties[allocation]))
		return;
	party = &flows->parties[allocation];
	uninstall(flows, &party->senders[family], &party->gone[WAY_TO_PEER], now_ns);
	party->relayed[family] = (struct addr){0};
	if (party_is_live(party))
		return;
	flows_release_hop(flows, party->client_hop);
	party->client_hop = 0;
}

/* The item of that number, live and in its allocation's list; NULL if it cannot be had. */
static struct item *item_at(struct flows *flows, enum item_kind kind, uint32_t number,
			    const struct item *fresh)
{
	struct party *party;
	struct item *item;

	if (kernel_is_null(flows->config.kernel) || fresh->allocation >= flows->party_count ||
	    !party_is_live(&flows->parties[fresh->allocation]) ||
	    !make_room((void **)&flows->kinds[kind].items, &flows->kinds[kind].count,
		       sizeof(*flows->kinds[kind].items), number))
		return NULL;
	party = &flows->parties[fresh->allocation];
	item = &flows->kinds[kind].items[number];
	if (item->live)
		return item;
	*item = *fresh;
	item->live = true;
	item->slots[WAY_TO_PEER] = item->slots[WAY_TO_CLIENT] = FLOWS_NONE;
	item->eligible = item->eligible && party->eligible;
	item->previous = FLOWS_NONE;
	item->next = party->first[kind];
	if (item->next != FLOWS_NONE)
		flows->kinds[kind].items[item->next].previous = number;
	party->first[kind] = number;
	if (item->eligible)
		item->peer_hop = flows_find_peer_hop(flows, party, item);
	else
		flows->counters.flows_not_eligible += kind == ITEM_CHANNEL ? 2 : 1;
	return item;
}

static void remove_item(struct flows *flows, enum item_kind kind, uint32_t number, uint64_t now_ns)
{
	struct item *items = flows->kinds[kind].items, *item;
	struct party *party;

	if (number >= flows->kinds[kind].count || !items[number].live)
		return;
	item = &items[number];
	party = &flows->parties[item->allocation];
	for (size_t way = 0; way < WAY_MAX; way++)
		uninstall(flows, &item->slots[way], &party->gone[way], now_ns);
	flows_release_peer_hop(flows, item);
	if (item->next != FLOWS_NONE)
		items[item->next].previous = item->previous;
	if (item->previous != FLOWS_NONE)
		items[item->previous].next = item->next;
	else
		party->first[kind] = item->next;
	item->live = false;
}

/* Whether a live channel of the allocation to that address has no slot for the peer's data. */
static bool channel_lacks_slot(const struct flows *flows, const struct party *party,
			       const struct addr *peer)
{
	const struct item *channels = flows->kinds[ITEM_CHANNEL].items;
	uint32_t number = party->first[ITEM_CHANNEL];

	for (; number != FLOWS_NONE; number = channels[number].next)
		if (addr_same_ip(&channels[number].peer, peer) &&
		    channels[number].slots[WAY_TO_CLIENT] == FLOWS_NONE)
			return true;
	return false;
}

/*
 * A permission carries what has no channel. Where a channel's slot did not fit, its peer's data
 * would go out as Data indications: so the permission leaves that peer's data to the daemon.
 */
static void withhold_grant(struct flows *flows, const struct party *party, const struct addr *peer,
			   uint64_t now_ns)
{
	struct item *grants = flows->kinds[ITEM_GRANT].items;
	uint32_t number = party->first[ITEM_GRANT];

	for (; number != FLOWS_NONE; number = grants[number].next)
		if (addr_same_ip(&grants[number].peer, peer))
			uninstall(flows, &grants[number].slots[WAY_TO_CLIENT],
				  &flows->parties[grants[number].allocation].gone[WAY_TO_CLIENT],
				  now_ns);
}

void flows_set(struct flows *flows, const struct turn_flow *flow, uint64_t now_ns)
{
	const struct item fresh = {
		.peer = flow->peer,
		.eligible = true,
		.own = flow->peer_is_allocation,
		.allocation = flow->allocation,
	};
	struct item *item = item_at(flows, ITEM_CHANNEL, flow->flow, &fresh);
	const struct party *party;
	struct flow_spec spec;

	if (!item || !item->eligible)
		return;
	party = &flows->parties[flow->allocation];
	spec = (struct flow_spec){
		.in = {party->client, party->server, flow->channel},
		.out = {flow->relayed, flow->peer, 0},
		.expires_ns = flow->to_peer_expires_ns,
		.next_hop = item->peer_hop,
		.allocation = flow->allocation,
		.role = FLOW_ROLE_CHANNEL,
		.bucket = party->bucket,
	};
	install(flows, party, &spec, now_ns, &item->slots[WAY_TO_PEER]);
	spec = (struct flow_spec){
		.in = {flow->peer, flow->relayed, 0},
		.out = {party->server, party->client, flow->channel},
		.expires_ns = flow->to_client_expires_ns,
		.next_hop = party->client_hop,
		.allocation = flow->allocation,
		.role = FLOW_ROLE_CHANNEL,
		.bucket = party->bucket,
		.from_self = item->own,
	};
	install(flows, party, &spec, now_ns, &item->slots[WAY_TO_CLIENT]);
	if (item->slots[WAY_TO_CLIENT] == FLOWS_NONE)
		withhold_grant(flows, party, &item->peer, now_ns);
}

void flows_remove(struct flows *flows, uint32_t flow, uint64_t now_ns)
{
	remove_item(flows, ITEM_CHANNEL, flow, now_ns);
}

void flows_set_grant(struct flows *flows, const struct turn_grant *grant, uint64_t now_ns)
{
	const struct item fresh = {
		.peer = grant->peer,
		.eligible = !grant->peer_is_renamed,
		.own = grant->peer_is_relay,
		.allocation = grant->allocation,
	};
	struct item *item = item_at(flows, ITEM_GRANT, grant->grant, &fresh);
	const struct party *party;
	struct flow_spec spec;

	if (!item || !item->eligible)
		return;
	party = &flows->parties[grant->allocation];
	if (channel_lacks_slot(flows, party, &item->peer))
		return;
	spec = (struct flow_spec){
		.in = {grant->peer, grant->relayed, 0},
		.out = {party->server, party->client, 0},
		.expires_ns = grant->expires_ns,
		.next_hop = party->client_hop,
		.peer_hop = item->peer_hop,
		.allocation = grant->allocation,
		.role = FLOW_ROLE_PERMISSION,
		.bucket = party->bucket,
		.from_self = item->own,
	};
	install(flows, party, &spec, now_ns, &item->slots[WAY_TO_CLIENT]);
}

void flows_remove_grant(struct flows *flows, uint32_t grant, uint64_t now_ns)
{
	remove_item(flows, ITEM_GRANT, grant, now_ns);
}
