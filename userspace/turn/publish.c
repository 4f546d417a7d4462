/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel path is told of an allocation: senders, grants and flows, each when it begins,
 * when its expiry changes, and before it ends. Whatever was told last is remembered beside the
 * thing itself, so that nothing is told twice.
 */
#include "turn/state.h"

static void publish_sender(struct allocation *a, struct relay *relay, struct turn_actions *out)
{
	if (relay->handle < 0 || relay->expires_ns == relay->told_ns)
		return;
	relay->told_ns = relay->expires_ns;
	action_add(out, TURN_SET_SENDER)->set_sender = (struct turn_sender){
		.sender = publish_sender_number(a, relay),
		.allocation = a->number,
		.tuple = a->client.tuple,
		.relayed = relay->internal,
		.expires_ns = relay->expires_ns,
	};
}

static void publish_grant(const struct turn *turn, struct allocation *a, struct permission *p,
			  struct turn_actions *out)
{
	const struct relay *relay = &a->relays[relay_index(p->peer.family)];
	uint64_t expires_ns = MIN(p->expires_ns, relay->expires_ns);
	struct addr shown;

	if (expires_ns == p->told_ns)
		return;
	p->told_ns = expires_ns;
	shown = p->own ? ports_to_external(turn->config.ports, &p->peer) : p->peer;
	action_add(out, TURN_SET_GRANT)->set_grant = (struct turn_grant){
		.grant = p->grant,
		.allocation = a->number,
		.tuple = a->client.tuple,
		.relayed = relay->internal,
		.peer = p->peer,
		.peer_is_relay = p->own,
		.peer_is_renamed = !addr_same_ip(&shown, &p->peer),
		.expires_ns = expires_ns,
	};
}

/*
 * Expiry is not the same both ways. RFC 8656 12.6 relays ChannelData as long as the channel is
 * bound and asks for no permission; 11.3 and 12.7 take from a peer only what a permission allows.
 */
static void publish_flow(struct allocation *a, struct channel *c, struct turn_actions *out)
{
	const struct relay *relay = &a->relays[relay_index(c->peer.family)];
	const struct permission *p = permission_find(a, &c->peer);
	uint64_t to_peer = MIN(c->expires_ns, relay->expires_ns);
	/* A permission that is gone has run out at a time that was told while it lived. */
	uint64_t to_client = p ? MIN(p->expires_ns, to_peer) : c->to_client_expires_ns;

	if (to_peer == c->to_peer_expires_ns && to_client == c->to_client_expires_ns)
		return;
	c->to_peer_expires_ns = to_peer;
	c->to_client_expires_ns = to_client;
	action_add(out, TURN_SET_FLOW)->set_flow = (struct turn_flow){
		.flow = c->flow,
		.allocation = a->number,
		.tuple = a->client.tuple,
		.relayed = relay->internal,
		.peer = c->peer,
		.peer_is_allocation = c->own,
		.channel = c->number,
		.to_peer_expires_ns = to_peer,
		.to_client_expires_ns = to_client,
	};
}

void publish_all(const struct turn *turn, struct allocation *a, struct turn_actions *out)
{
	for (unsigned int i = 0; i < TURN_RELAYS; i++)
		publish_sender(a, &a->relays[i], out);
	for (struct permission *p = a->permissions; p; p = p->hh.next)
		publish_grant(turn, a, p, out);
	for (struct channel *c = a->channels; c; c = c->hh_number.next)
		publish_flow(a, c, out);
}

void publish_end_of_sender(const struct allocation *a, struct relay *relay,
			   struct turn_actions *out)
{
	if (!relay->told_ns)
		return;
	relay->told_ns = 0;
	action_add(out, TURN_REMOVE_SENDER)->remove_sender.sender = publish_sender_number(a, relay);
}

void publish_end_of_grant(const struct permission *p, struct turn_actions *out)
{
	if (p->told_ns)
		action_add(out, TURN_REMOVE_GRANT)->remove_grant.grant = p->grant;
}

void publish_end_of_flow(const struct channel *c, struct turn_actions *out)
{
	action_add(out, TURN_REMOVE_FLOW)->remove_flow.flow = c->flow;
}
