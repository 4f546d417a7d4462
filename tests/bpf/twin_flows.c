/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows in and out of the maps. See twin_flows.h. What goes where is written down here once more,
 * and not shared with the daemon.
 */
#include "twin_flows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "turnpike/wire.h"

/* Most hops are good ones. */
static uint32_t draw_hop(struct twin_random *random)
{
	if (twin_chance(random, 10))
		return twin_below(random, TWIN_HOP_MAX);
	return TWIN_HOP_SAME + twin_below(random, TWIN_HOP_RESOLVED);
}

static uint32_t draw_peer_hop(struct twin_random *random, bool is_own)
{
	return is_own ? FLOW_NEXT_HOP_SELF : draw_hop(random);
}

static uint64_t kernel_time(uint64_t turn_ns)
{
	return turn_ns > TWIN_CLOCK_AHEAD ? turn_ns - TWIN_CLOCK_AHEAD : 0;
}

static void install(struct twin_world *world, struct twin_flow *flow, const struct flow_spec *spec)
{
	int err;

	if (flow->installed) {
		flow_table_set_expiry(world->table, flow->slot, spec->expires_ns);
		flow->spec.expires_ns = spec->expires_ns;
		return;
	}
	*flow = (struct twin_flow){.spec = *spec};
	if (world->limited)
		flow->spec.bucket = 1 + spec->allocation;
	err = flow_table_add(world->table, &flow->spec, kernel_time(world->now.mono_ns),
			     &flow->slot);
	if (err)
		fail_msg("flow_table_add: %s", strerror(-err));
	flow->installed = true;
}

static void uninstall(struct twin_world *world, struct twin_flow *flow)
{
	if (flow->installed)
		flow_table_remove(world->table, flow->slot, kernel_time(world->now.mono_ns));
	flow->installed = false;
}

static void set_flow(struct twin_world *world, const struct turn_flow *flow)
{
	struct flow_spec to_peer = {
		.in = {flow->tuple.client, flow->tuple.server, flow->channel},
		.out = {flow->relayed, flow->peer, 0},
		.expires_ns = kernel_time(flow->to_peer_expires_ns),
		.allocation = flow->allocation,
		.role = FLOW_ROLE_CHANNEL,
	};
	struct flow_spec to_client = {
		.in = {flow->peer, flow->relayed, 0},
		.out = {flow->tuple.server, flow->tuple.client, flow->channel},
		.expires_ns = kernel_time(flow->to_client_expires_ns),
		.allocation = flow->allocation,
		.role = FLOW_ROLE_CHANNEL,
	};

	assert_true(flow->flow < TWIN_CHANNELS);
	world->channels[flow->flow] = (struct twin_channel){.live = true, .flow = *flow};
	to_peer.next_hop = draw_peer_hop(&world->random, flow->peer_is_allocation);
	to_client.next_hop = draw_hop(&world->random);
	to_client.from_self = flow->peer_is_allocation;
	install(world, &world->flows[2 * flow->flow], &to_peer);
	install(world, &world->flows[2 * flow->flow + 1], &to_client);
}

static void remove_flow(struct twin_world *world, uint32_t number)
{
	assert_true(number < TWIN_CHANNELS && world->channels[number].live);
	world->channels[number].live = false;
	uninstall(world, &world->flows[2 * number]);
	uninstall(world, &world->flows[2 * number + 1]);
}

static void set_grant(struct twin_world *world, const struct turn_grant *grant)
{
	struct flow_spec spec = {
		.in = {grant->peer, grant->relayed, 0},
		.out = {grant->tuple.server, grant->tuple.client, 0},
		.expires_ns = kernel_time(grant->expires_ns),
		.allocation = grant->allocation,
		.role = FLOW_ROLE_PERMISSION,
	};

	assert_true(grant->grant < TWIN_GRANTS);
	world->grants[grant->grant] = (struct twin_grant){.live = true, .grant = *grant};
	spec.next_hop = draw_hop(&world->random);
	spec.peer_hop = draw_peer_hop(&world->random, grant->peer_is_relay);
	spec.from_self = grant->peer_is_relay;
	/* Indications would name another address than packets have. */
	if (!grant->peer_is_renamed)
		install(world, &world->flows[TWIN_AT_GRANTS + grant->grant], &spec);
}

static void remove_grant(struct twin_world *world, uint32_t number)
{
	assert_true(number < TWIN_GRANTS && world->grants[number].live);
	world->grants[number].live = false;
	uninstall(world, &world->flows[TWIN_AT_GRANTS + number]);
}

static void set_sender(struct twin_world *world, const struct turn_sender *sender)
{
	const struct flow_spec spec = {
		.in = {sender->tuple.client, sender->tuple.server, 0},
		.out = {.src = sender->relayed},
		.expires_ns = kernel_time(sender->expires_ns),
		.allocation = sender->allocation,
		.role = FLOW_ROLE_SENDER,
	};

	assert_true(sender->sender < TWIN_SENDERS);
	install(world, &world->flows[TWIN_AT_SENDERS + sender->sender], &spec);
}

static void remove_sender(struct twin_world *world, uint32_t number)
{
	assert_true(number < TWIN_SENDERS);
	uninstall(world, &world->flows[TWIN_AT_SENDERS + number]);
}

static void open_relay(struct twin_world *world, const struct turn_action *action)
{
	struct turn_relay_result result = {.relay = (int)world->relay_count, .reserved = -1};
	uint32_t ticket = action->open_relay.ticket;

	assert_true(world->relay_count < TWIN_RELAYS);
	world->relays[world->relay_count++] = (struct twin_relay){
		.open = true, .internal = action->open_relay.internal};
	turn_actions_clear(&world->out);
	turn_relay_opened(world->turn, &world->now, &world->entropy, ticket, &result, &world->out);
	twin_flows_carry_out(world);
}

static void carry_out(struct twin_world *world, const struct turn_action *action)
{
	switch (action->kind) {
	case TURN_SET_FLOW:
		set_flow(world, &action->set_flow);
		break;
	case TURN_REMOVE_FLOW:
		remove_flow(world, action->remove_flow.flow);
		break;
	case TURN_SET_GRANT:
		set_grant(world, &action->set_grant);
		break;
	case TURN_REMOVE_GRANT:
		remove_grant(world, action->remove_grant.grant);
		break;
	case TURN_SET_SENDER:
		set_sender(world, &action->set_sender);
		break;
	case TURN_REMOVE_SENDER:
		remove_sender(world, action->remove_sender.sender);
		break;
	case TURN_CLOSE_RELAY:
		world->relays[action->close_relay.relay].open = false;
		break;
	case TURN_SEND_CLIENT:
	case TURN_SEND_PEER:
	case TURN_OPEN_RELAY:
	case TURN_ATTACH_RELAY:
		break;
	}
}

void twin_flows_carry_out(struct twin_world *world)
{
	for (size_t i = 0; i < world->out.count; i++) {
		carry_out(world, &world->out.items[i]);
		if (world->out.items[i].kind == TURN_OPEN_RELAY) {
			/* It is the last one of a list, and the list is another one then. */
			assert_int_equal(i + 1, world->out.count);
			open_relay(world, &world->out.items[i]);
			return;
		}
	}
}

static struct twin_flow *find(struct twin_world *world, enum flow_role role, const struct addr *src,
			      const struct addr *dst, uint16_t channel)
{
	for (size_t i = 0; i < TWIN_FLOWS; i++) {
		struct twin_flow *flow = &world->flows[i];

		if (flow->installed && flow->spec.role == role &&
		    flow->spec.in.channel == channel && addr_equal(&flow->spec.in.src, src) &&
		    addr_equal(&flow->spec.in.dst, dst))
			return flow;
	}
	return NULL;
}

static struct twin_flow *find_permission(struct twin_world *world, struct addr peer,
					 const struct addr *relayed)
{
	peer.port = 0;
	return find(world, FLOW_ROLE_PERMISSION, &peer, relayed, 0);
}

/* What comes from a peer: its channel, or else the permission of its address. */
static struct twin_flow *find_down(struct twin_world *world, const struct addr *peer,
				   const struct addr *relayed)
{
	struct twin_flow *channel = find(world, FLOW_ROLE_CHANNEL, peer, relayed, 0);

	return channel ? channel : find_permission(world, *peer, relayed);
}

/* A client has one sender for each family that it has a relayed address of. */
static struct twin_flow *find_sender(struct twin_world *world, const struct twin_datagram *in,
				     uint8_t family)
{
	for (size_t i = TWIN_AT_SENDERS; i < TWIN_FLOWS; i++) {
		struct twin_flow *flow = &world->flows[i];

		if (flow->installed && flow->spec.out.src.family == family &&
		    addr_equal(&flow->spec.in.src, &in->src) &&
		    addr_equal(&flow->spec.in.dst, &in->dst))
			return flow;
	}
	return NULL;
}

static bool is_live(const struct twin_world *world, const struct twin_flow *flow)
{
	return flow && flow->spec.expires_ns > kernel_time(world->now.mono_ns);
}

static bool route_indication(struct twin_world *world, const struct twin_datagram *in,
			     const struct addr *peer, struct twin_route *route)
{
	const struct twin_flow *permission;

	route->first = find_sender(world, in, peer->family);
	if (!is_live(world, route->first))
		return false;
	permission = find_permission(world, *peer, &route->first->spec.out.src);
	route->hop = permission ? permission->spec.peer_hop : 0;
	return is_live(world, permission);
}

/* What a client sends goes to `peer`, and may be for another allocation. */
static bool route_up(struct twin_world *world, const struct twin_datagram *in,
		     const struct addr *peer, struct twin_route *route)
{
	const uint8_t *at = in->payload.data;
	uint16_t number;

	if (in->payload.len < CHANNEL_DATA_HEADER_LEN)
		return false;
	number = (uint16_t)(at[0] << 8 | at[1]);
	if (number == (STUN_METHOD_SEND | STUN_CLASS_INDICATION))
		return route_indication(world, in, peer, route);
	route->first = find(world, FLOW_ROLE_CHANNEL, &in->src, &in->dst, number);
	route->hop = route->first ? route->first->spec.next_hop : 0;
	return number >= CHANNEL_NUMBER_MIN && is_live(world, route->first);
}

bool twin_flows_route(struct twin_world *world, const struct twin_outcome *outcome,
		      struct twin_route *ret)
{
	const struct twin_datagram *in = &outcome->in;
	bool up = addr_equal(&in->dst, &world->listeners[0]) ||
		  addr_equal(&in->dst, &world->listeners[1]);
	struct twin_route route = {0};

	if (!outcome->relayed)
		return false;
	if (!up) {
		route.first = find_down(world, &in->src, &in->dst);
		route.hop = route.first ? route.first->spec.next_hop : 0;
	} else if (!route_up(world, in, outcome->hairpin ? &outcome->between_dst : &outcome->dst,
			     &route)) {
		return false;
	}
	if (!is_live(world, route.first))
		return false;
	if (outcome->hairpin) {
		route.second = find_down(world, &outcome->between_src, &outcome->between_dst);
		if (!is_live(world, route.second) || route.hop != FLOW_NEXT_HOP_SELF)
			return false;
		route.hop = route.second->spec.next_hop;
	}
	*ret = route;
	return true;
}
