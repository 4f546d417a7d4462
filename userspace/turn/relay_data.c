/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Application data both ways, RFC 8656 11 and 12: Send and Data indications, ChannelData. Data
 * is not copied: actions point into the datagram that came, and a header is built beside it. The
 * kernel path does the same to the packets it carries; what counts is decided here first.
 */
#include "turn/state.h"
#include "wire/channel_data.h"

static const uint8_t padding[4];

static void count_to_peer(struct turn *turn, struct allocation *a, size_t len)
{
	turn->counters.to_peer_packets++;
	turn->counters.to_peer_bytes += len;
	a->to_peer_packets++;
	a->to_peer_bytes += len;
}

static void count_to_client(struct turn *turn, struct allocation *a, size_t len)
{
	turn->counters.to_client_packets++;
	turn->counters.to_client_bytes += len;
	a->to_client_packets++;
	a->to_client_bytes += len;
}

/* An allocation that has run out is none, also before the tick that ends it. One that waits for
 * its sockets has no expiry yet, and so has run out. */
static struct allocation *live_allocation(const struct turn *turn, const struct turn_now *now,
					  const struct five_tuple *tuple)
{
	struct allocation *a = allocation_find(turn, tuple);

	if (!a)
		return NULL;
	for (unsigned int i = 0; i < TURN_RELAYS; i++)
		if (a->relays[i].handle >= 0 && now->mono_ns < a->relays[i].expires_ns)
			return a;
	return NULL;
}

static struct relay *live_relay(struct allocation *a, const struct turn_now *now, uint8_t family)
{
	struct relay *relay = allocation_relay(a, family);

	return relay && now->mono_ns < relay->expires_ns ? relay : NULL;
}

/*
 * A relay address of ours is tabled in its internal form, but clients write the external one, and
 * a NAT in front of us may show it: that costs a second look only where the first found nothing.
 */
struct permission *relay_live_permission(const struct turn *turn, const struct allocation *a,
					 const struct turn_now *now, struct addr *peer)
{
	struct permission *p = permission_find(a, peer);

	if (!p && ports_is_relay_ip(turn->config.ports, peer)) {
		*peer = ports_to_internal(turn->config.ports, peer);
		p = permission_find(a, peer);
	}
	return p && now->mono_ns < p->expires_ns ? p : NULL;
}

struct addr relay_shown_peer(const struct turn *turn, const struct permission *p,
			     const struct addr *peer)
{
	return p->own ? ports_to_external(turn->config.ports, peer) : *peer;
}

/* What one UDP datagram holds: 16 bits of length in the IPv4 header, or in the UDP header. */
static size_t datagram_max(const struct addr *to)
{
	return to->family == ADDR_IPV4 ? 65535 - 20 - 8 : 65535 - 8;
}

/* Of this host's own addresses only allocations are peers, now and not when it was permitted. */
static bool is_denied(struct turn *turn, const struct addr *peer, bool own)
{
	if (!own || ports_is_allocation(turn->config.ports, peer))
		return false;
	turn->counters.drop_peer_denied++;
	return true;
}

static void send_peer(struct turn *turn, struct relay *relay, const struct turn_now *now,
		      const struct addr *peer, bool dont_fragment, struct span data,
		      struct turn_actions *out)
{
	struct turn_action *action;

	/* From a client over IPv6 comes more than fits a datagram over IPv4. */
	if (data.len > datagram_max(peer)) {
		turn->counters.drop_too_large++;
		return;
	}
	if (!bandwidth_allows(turn, &relay->allocation->to_peer_paid_ns, now->mono_ns, data.len)) {
		turn->counters.drop_over_bandwidth++;
		return;
	}
	action = action_add(out, TURN_SEND_PEER);
	action->send_peer.relay = relay->handle;
	action->send_peer.peer = *peer;
	action->send_peer.dont_fragment = dont_fragment;
	action->send_peer.data = data;
	count_to_peer(turn, relay->allocation, data.len);
}

/* RFC 8656 11.2: both attributes, and no other that must be understood and is not. */
static bool read_send(const struct stun_message *message, struct addr *ret_peer,
		      struct span *ret_data, bool *ret_dont_fragment)
{
	struct span value;
	uint16_t unknown;

	*ret_dont_fragment = stun_find(message, STUN_ATTR_DONT_FRAGMENT, &value);
	return attributes_unknown(message, &unknown, 1) == 0 &&
	       stun_find(message, STUN_ATTR_XOR_PEER_ADDRESS, &value) &&
	       stun_read_xor_address(message, value, ret_peer) == 0 && ret_peer->port != 0 &&
	       stun_find(message, STUN_ATTR_DATA, ret_data);
}

/*
 * RFC 8656 13 and 14: from UDP to UDP the attribute means the DF bit from IPv4 to IPv4; wherever
 * IPv6 is on one side it must be ignored.
 */
static bool heeds_dont_fragment(const struct five_tuple *tuple, const struct addr *peer)
{
	return tuple->transport != TURN_UDP ||
	       (tuple->client.family == ADDR_IPV4 && peer->family == ADDR_IPV4);
}

void relay_send_indication(struct request *r)
{
	struct turn *turn = r->turn;
	struct allocation *a = live_allocation(turn, r->now, &r->envelope.client.tuple);
	struct permission *p;
	struct relay *relay;
	struct addr peer;
	struct span data;
	bool dont_fragment;

	if (!a) {
		turn->counters.drop_no_allocation++;
		return;
	}
	if (!read_send(&r->message, &peer, &data, &dont_fragment)) {
		turn->counters.drop_bad_send++;
		return;
	}
	relay = live_relay(a, r->now, peer.family);
	if (!relay) {
		turn->counters.drop_peer_family++;
		return;
	}
	p = relay_live_permission(turn, a, r->now, &peer);
	if (!p) {
		turn->counters.drop_no_permission++;
		return;
	}
	dont_fragment = dont_fragment && heeds_dont_fragment(&a->client.tuple, &peer);
	if (!is_denied(turn, &peer, p->own))
		send_peer(turn, relay, r->now, &peer, dont_fragment, data, r->out);
}

void relay_channel_data(struct turn *turn, const struct turn_now *now,
			const struct turn_client *from, struct span datagram,
			struct turn_actions *out)
{
	struct allocation *a;
	struct channel *c;
	struct relay *relay;
	struct span data;
	uint16_t number;

	if (channel_data_parse(datagram, &number, &data) < 0) {
		turn->counters.drop_bad_channel_data++;
		return;
	}
	a = live_allocation(turn, now, &from->tuple);
	if (!a) {
		turn->counters.drop_no_allocation++;
		return;
	}
	c = channel_by_number(a, number);
	relay = c ? live_relay(a, now, c->peer.family) : NULL;
	if (!relay || c->expires_ns <= now->mono_ns) {
		turn->counters.drop_no_channel++;
		return;
	}
	/* RFC 8656 12.6: no permission is asked for in this direction. */
	if (!is_denied(turn, &c->peer, c->own))
		send_peer(turn, relay, now, &c->peer, false, data, out);
}

struct turn_action *relay_send_client(const struct allocation *a, struct turn_actions *out)
{
	struct turn_action *action = action_add(out, TURN_SEND_CLIENT);

	action->send_client.path = a->client.path;
	action->send_client.client = a->client.tuple.client;
	return action;
}

/* Both of these say false if so much data fits no datagram to the client. */
static bool send_on_channel(struct allocation *a, const struct channel *c, struct span data,
			    struct turn_actions *out)
{
	struct turn_action *action;
	uint8_t *header;

	if (CHANNEL_DATA_HEADER_LEN + data.len > datagram_max(&a->client.tuple.client))
		return false;
	action = relay_send_client(a, out);
	header = scratch_take(out, CHANNEL_DATA_HEADER_LEN);
	channel_data_header(c->number, data.len, header);
	action->send_client.parts[0] = span_make(header, CHANNEL_DATA_HEADER_LEN);
	action->send_client.parts[1] = data;
	return true;
}

static bool send_data_indication(struct allocation *a, const struct addr *shown,
				 struct entropy *entropy, struct span data,
				 struct turn_actions *out)
{
	uint8_t id[STUN_TRANSACTION_ID_LEN];
	uint8_t header[STUN_DATA_INDICATION_HEADER_MAX];
	size_t padding_len = (4 - data.len % 4) % 4;
	struct turn_action *action;
	size_t len;

	entropy_take(entropy, id, sizeof(id));
	len = stun_data_indication_header(shown, data.len, id, header);
	if (!len || len + data.len + padding_len > datagram_max(&a->client.tuple.client))
		return false;
	action = relay_send_client(a, out);
	action->send_client.parts[0] = span_make(memcpy(scratch_take(out, len), header, len), len);
	action->send_client.parts[1] = data;
	action->send_client.parts[2] = span_make(padding, padding_len);
	return true;
}

/* RFC 8656 11.3 and 12.7. */
static bool deliver(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		    struct allocation *a, const struct permission *p, const struct addr *peer,
		    struct span data, struct turn_actions *out)
{
	const struct channel *c = channel_by_peer(a, peer);
	struct addr shown;

	if (c && now->mono_ns < c->expires_ns)
		return send_on_channel(a, c, data, out);
	shown = relay_shown_peer(turn, p, peer);
	return send_data_indication(a, &shown, entropy, data, out);
}

void turn_peer_input(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		     int relay, const struct addr *peer, struct span data, struct turn_actions *out)
{
	struct addr from = *peer;
	struct allocation *a;
	struct permission *p;
	struct relay *found;

	HASH_FIND_INT(turn->relays, &relay, found);
	if (!found || found->expires_ns <= now->mono_ns) {
		turn->counters.drop_no_allocation++;
		return;
	}
	a = found->allocation;
	p = relay_live_permission(turn, a, now, &from);
	if (!p) {
		turn->counters.drop_no_permission++;
		return;
	}
	if (!bandwidth_allows(turn, &a->to_client_paid_ns, now->mono_ns, data.len)) {
		turn->counters.drop_over_bandwidth++;
		return;
	}
	if (deliver(turn, now, entropy, a, p, &from, data, out))
		count_to_client(turn, a, data.len);
	else
		turn->counters.drop_too_large++;
}
