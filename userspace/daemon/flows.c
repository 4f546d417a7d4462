/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From channels to kernel flows. See flows.h.
 */
#include "daemon/flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define REROUTE_PER_CALL  2000
#define KEEP_ALIVE_NS	  (3 * NSEC_PER_SEC)
#define REROUTE_SETTLE_NS (50 * NSEC_PER_MSEC)
#define NO_REROUTE	  UINT32_MAX

struct direction {
	bool installed;
	uint32_t slot;
	uint32_t hop; /* reference held; 0 for none */
	struct addr src, dst;
};

/* One channel, both ways. */
struct pair {
	bool live;
	struct direction to_peer, to_client;
};

struct flows {
	struct kernel *kernel;
	struct flow_table *table;
	struct net *net;
	struct pair *pairs; /* by flow number, grown as numbers come */
	uint32_t pair_count;
	uint32_t reroute_at; /* next pair to look at, NO_REROUTE when done */
	uint64_t reroute_from_ns;
	bool reroute_wanted;
	uint64_t kept_alive_ns;
	struct flows_counters counters;
	struct log_limit full_limit;
};

static void on_hop_changed(void *ctx, uint32_t id, const struct net_hop *hop)
{
	struct flows *flows = ctx;

	kernel_set_next_hop(flows->kernel, id, hop);
}

static void on_routes_changed(void *ctx)
{
	struct flows *flows = ctx;

	flows->reroute_wanted = true;
}

int flows_new(struct kernel *kernel, uint32_t worker, uint32_t next_hops, struct flows **ret)
{
	struct flows *flows = calloc(1, sizeof(*flows));
	const struct net_events events = {
		.hop_changed = on_hop_changed, .routes_changed = on_routes_changed, .ctx = flows};
	int err;

	if (!flows)
		return -ENOMEM;
	flows->kernel = kernel;
	flows->reroute_at = NO_REROUTE;
	flows->full_limit = (struct log_limit){.interval_ms = 60000, .burst = 1};
	err = flow_table_new(kernel, worker, &flows->table);
	if (err == 0 && !kernel_is_null(kernel))
		err = net_open(&events, 1 + worker * next_hops, next_hops, &flows->net);
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
	free((*flows)->pairs);
	free(*flows);
	*flows = NULL;
}

/* The pair of that number, with room made for it; NULL without memory. */
static struct pair *pair_at(struct flows *flows, uint32_t number)
{
	if (number >= flows->pair_count) {
		uint32_t count = MAX(64U, flows->pair_count);
		struct pair *grown;

		while (count <= number)
			count *= 2;
		grown = realloc(flows->pairs, count * sizeof(*grown));
		if (!grown)
			return NULL;
		memset(grown + flows->pair_count, 0, (count - flows->pair_count) * sizeof(*grown));
		flows->pairs = grown;
		flows->pair_count = count;
	}
	return &flows->pairs[number];
}

/*
 * The hop for a direction; 0 where there is no route, in which case the flow's packets pass up
 * until a route appears.
 */
static uint32_t find_hop(struct flows *flows, const struct direction *d)
{
	uint32_t hop = 0;
	int err = net_route(flows->net, &d->src, &d->dst, &hop);

	if (err < 0 && err != -ENETUNREACH)
		log_debug("flows: no next hop dst=%s err=%s", ADDR_IP_TEXT(&d->dst),
			  strerror(-err));
	return err < 0 ? 0 : hop;
}

static void release_hop(struct flows *flows, struct direction *d)
{
	if (d->hop)
		net_hop_release(flows->net, d->hop);
	d->hop = 0;
}

static void count_refusal(struct flows *flows, int err, uint64_t now_ns)
{
	uint64_t suppressed;

	if (err == -EOPNOTSUPP) {
		flows->counters.flows_not_eligible++;
		return;
	}
	if (err != -ENOSPC) {
		flows->counters.flows_failed++;
		log_debug("flows: not installed err=%s", strerror(-err));
		return;
	}
	flows->counters.flows_full++;
	if (log_limit_allow(&flows->full_limit, now_ns, &suppressed))
		log_warning("flows: the kernel path is full, new channels stay on the sockets "
			    "size=%u remedy=\"raise limits.allocations\"",
			    flow_table_size(flows->table));
}

/* Installs a direction that is not yet, or gives the installed one its new expiry. */
static void set_direction(struct flows *flows, struct direction *d, struct flow_spec *spec,
			  uint64_t now_ns)
{
	int err;

	if (d->installed) {
		flow_table_set_expiry(flows->table, d->slot, spec->expires_ns);
		return;
	}
	d->src = spec->out.src;
	d->dst = spec->out.dst;
	d->hop = find_hop(flows, d);
	spec->next_hop = d->hop;
	err = flow_table_add(flows->table, spec, now_ns, &d->slot);
	if (err < 0) {
		release_hop(flows, d);
		count_refusal(flows, err, now_ns);
		return;
	}
	d->installed = true;
	flows->counters.flows_installed++;
}

void flows_set(struct flows *flows, const struct turn_flow *flow, uint64_t now_ns)
{
	struct pair *pair;
	struct flow_spec to_peer = {
		.in = {flow->tuple.client, flow->tuple.server, flow->channel},
		.out = {flow->relayed, flow->peer, 0},
		.expires_ns = flow->to_peer_expires_ns,
		.allocation = flow->allocation,
	};
	struct flow_spec to_client = {
		.in = {flow->peer, flow->relayed, 0},
		.out = {flow->tuple.server, flow->tuple.client, flow->channel},
		.expires_ns = flow->to_client_expires_ns,
		.allocation = flow->allocation,
	};

	if (kernel_is_null(flows->kernel))
		return;
	if (flow->tuple.transport != TURN_UDP || flow->peer_is_allocation) {
		flows->counters.flows_not_eligible += 2;
		return;
	}
	pair = pair_at(flows, flow->flow);
	if (!pair)
		return;
	pair->live = true;
	set_direction(flows, &pair->to_peer, &to_peer, now_ns);
	set_direction(flows, &pair->to_client, &to_client, now_ns);
}

static void remove_direction(struct flows *flows, struct direction *d, uint64_t now_ns)
{
	if (!d->installed)
		return;
	flow_table_remove(flows->table, d->slot, now_ns);
	release_hop(flows, d);
	d->installed = false;
	flows->counters.flows_removed++;
}

void flows_remove(struct flows *flows, uint32_t flow, uint64_t now_ns)
{
	if (flow >= flows->pair_count)
		return;
	remove_direction(flows, &flows->pairs[flow].to_peer, now_ns);
	remove_direction(flows, &flows->pairs[flow].to_client, now_ns);
	flows->pairs[flow].live = false;
}

void flows_traffic(const struct flows *flows, uint32_t flow, struct flows_traffic *ret)
{
	const struct pair *pair = flow < flows->pair_count ? &flows->pairs[flow] : NULL;

	memset(ret, 0, sizeof(*ret));
	if (!pair || !pair->live)
		return;
	ret->carried = pair->to_peer.installed || pair->to_client.installed;
	if (pair->to_peer.installed)
		flow_table_traffic(flows->table, pair->to_peer.slot, &ret->to_peer);
	if (pair->to_client.installed)
		flow_table_traffic(flows->table, pair->to_client.slot, &ret->to_client);
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

/* Asks for the route again. The old hop is let go only after the new one is in the slot. */
static void reroute(struct flows *flows, struct direction *d)
{
	struct direction old = *d;

	if (!d->installed)
		return;
	d->hop = find_hop(flows, d);
	if (d->hop != old.hop) {
		flow_table_set_next_hop(flows->table, d->slot, d->hop);
		flows->counters.flows_rerouted++;
	}
	release_hop(flows, &old);
}

/*
 * Route changes come in bursts, and one may come while flows are still being moved for the one
 * before: then the round starts again. A short settling time keeps a flapping daemon of somebody
 * else from costing us a query per flow and event.
 */
static void reroute_step(struct flows *flows, uint64_t now_ns)
{
	if (flows->reroute_wanted) {
		flows->reroute_wanted = false;
		flows->reroute_at = 0;
		flows->reroute_from_ns = now_ns + REROUTE_SETTLE_NS;
	}
	if (flows->reroute_at == NO_REROUTE || now_ns < flows->reroute_from_ns)
		return;
	for (uint32_t n = 0; n < REROUTE_PER_CALL; n++) {
		if (flows->reroute_at >= flows->pair_count) {
			flows->reroute_at = NO_REROUTE;
			return;
		}

		struct pair *pair = &flows->pairs[flows->reroute_at++];

		if (pair->live) {
			reroute(flows, &pair->to_peer);
			reroute(flows, &pair->to_client);
		}
	}
}

void flows_maintain(struct flows *flows, uint64_t now_ns)
{
	if (!flows->net)
		return;
	kernel_settle(flows->kernel, now_ns);
	reroute_step(flows, now_ns);
	if (now_ns - flows->kept_alive_ns >= KEEP_ALIVE_NS) {
		flows->kept_alive_ns = now_ns;
		net_keep_alive(flows->net);
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
