/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's half of the comparison. See twin_daemon.h. Sends nothing: what leaves is an
 * outcome, and what another allocation of this relay would get goes round once more.
 */
#include "twin_daemon.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/macros.h"
#include "twin_flows.h"

static void append(struct twin_outcome *o, struct span part)
{
	assert_true(part.len <= sizeof(o->payload) - o->len);
	if (part.len)
		memcpy(o->payload + o->len, part.data, part.len);
	o->len += part.len;
}

static void take_action(const struct twin_world *w, const struct turn_action *action,
			struct twin_outcome *o)
{
	/* What was found to be over may be ended, and goes from the maps too. Nothing is made. */
	assert_int_not_equal(action->kind, TURN_OPEN_RELAY);
	if (action->kind != TURN_SEND_CLIENT && action->kind != TURN_SEND_PEER)
		return;
	assert_false(o->relayed);
	o->relayed = true;
	o->len = 0;
	if (action->kind == TURN_SEND_PEER) {
		o->to_client = false;
		o->src = w->relays[action->send_peer.relay].internal;
		o->dst = action->send_peer.peer;
		o->data_len = action->send_peer.data.len;
		append(o, action->send_peer.data);
		return;
	}
	o->to_client = true;
	o->src = w->listeners[action->send_client.path];
	o->dst = action->send_client.client;
	o->data_len = action->send_client.parts[1].len;
	for (size_t i = 0; i < TURN_PARTS; i++)
		append(o, action->send_client.parts[i]);
}

static int relay_at(const struct twin_world *w, const struct addr *internal)
{
	for (size_t i = 0; i < w->relay_count; i++)
		if (w->relays[i].open && addr_equal(&w->relays[i].internal, internal))
			return (int)i;
	return -1;
}

/* One datagram at the sockets. False if there is none for it. */
static bool at_sockets(struct twin_world *w, const struct addr *src, const struct addr *dst,
		       struct span payload, struct twin_outcome *o)
{
	struct turn_client from = {
		.tuple = {.client = *src, .server = *dst, .transport = TURN_UDP}};
	int relay = relay_at(w, dst);

	from.path = dst->family == ADDR_IPV4 ? 0 : 1;
	turn_actions_clear(&w->out);
	if (addr_equal(dst, &w->listeners[from.path]))
		turn_client_input(w->turn, &w->now, &w->entropy, &from, payload, &w->out);
	else if (relay >= 0)
		turn_peer_input(w->turn, &w->now, &w->entropy, relay, src, payload, &w->out);
	else
		return false;
	for (size_t i = 0; i < w->out.count; i++)
		take_action(w, &w->out.items[i], o);
	twin_flows_carry_out(w);
	return true;
}

void twin_daemon_receive(struct twin_world *w, struct span frame, struct twin_outcome *o)
{
	uint8_t again[sizeof(o->payload)];
	size_t len;

	o->relayed = o->hairpin = o->spoofed = false;
	o->host = twin_host_read(frame, &o->in);
	if (o->host != TWIN_HOST_DELIVERED && o->host != TWIN_HOST_BAD_SUM)
		return;
	o->spoofed = twin_world_is_own(w, &o->in.src);
	/* Linux drops what comes off the wire from an IPv4 address of its own. */
	if (o->spoofed && o->in.src.family == ADDR_IPV4)
		return;
	twin_world_set_clock(w);
	at_sockets(w, &o->in.src, &o->in.dst, o->in.payload, o);
	if (!o->relayed || o->to_client || !twin_world_is_own(w, &o->dst))
		return;
	/* Over the host's loopback to the other allocation. */
	o->relayed = false;
	o->hairpin = true;
	len = o->len;
	memcpy(again, o->payload, len);
	o->between_src = o->src;
	o->between_dst = o->dst;
	at_sockets(w, &o->between_src, &o->between_dst, span_make(again, len), o);
}
