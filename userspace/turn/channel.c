/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels, RFC 8656 12: a number for a peer, for ten minutes, and the flow that the kernel path
 * carries for it. Numbers and peers are free again as soon as a channel has run out: the five
 * minutes of RFC 8656 12 are the client's to wait.
 */
#include <stdlib.h>

#include "turn/state.h"

struct channel *channel_by_number(const struct allocation *a, uint16_t number)
{
	struct channel *c;

	HASH_FIND(hh_number, a->channels, &number, sizeof(number), c);
	return c;
}

struct channel *channel_by_peer(const struct allocation *a, const struct addr *peer)
{
	struct channel *c;

	HASH_FIND(hh_peer, a->channels_by_peer, peer, sizeof(*peer), c);
	return c;
}

static bool add_to_tables(struct allocation *a, struct channel *c)
{
	HASH_ADD(hh_number, a->channels, number, sizeof(c->number), c);
	if (!c->hh_number.tbl)
		return false;
	HASH_ADD(hh_peer, a->channels_by_peer, peer, sizeof(c->peer), c);
	if (c->hh_peer.tbl)
		return true;
	HASH_DELETE(hh_number, a->channels, c);
	return false;
}

static struct channel *channel_new(struct turn *turn, struct allocation *a, uint16_t number,
				   const struct addr *peer, bool own)
{
	struct channel *c;

	if (HASH_CNT(hh_number, a->channels) >= turn->config.channels_per_allocation) {
		turn->counters.refused_channels++;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->number = number;
	c->peer = *peer;
	c->own = own;
	if (ids_take(&turn->flow_ids, turn_flow_limit(turn), &c->flow) < 0) {
		free(c);
		return NULL;
	}
	if (!add_to_tables(a, c)) {
		ids_give(&turn->flow_ids, c->flow);
		free(c);
		return NULL;
	}
	return c;
}

/* Out of the tables, before any flow of it was told. */
static void forget(struct turn *turn, struct allocation *a, struct channel *c)
{
	HASH_DELETE(hh_number, a->channels, c);
	HASH_DELETE(hh_peer, a->channels_by_peer, c);
	ids_give(&turn->flow_ids, c->flow);
	free(c);
}

void channel_free(struct turn *turn, struct allocation *a, struct channel *c,
		  struct turn_actions *out)
{
	publish_end_of_flow(c, out);
	forget(turn, a, c);
}

struct binding {
	uint16_t number;
	struct addr peer; /* internal form */
	bool own;
};

static unsigned int read_binding(struct request *r, struct binding *ret, struct addr *ret_written)
{
	struct span value;
	uint32_t number;

	/* RFC 8656 18.1: the number, then two bytes to ignore. */
	if (!stun_find(&r->message, STUN_ATTR_CHANNEL_NUMBER, &value) ||
	    stun_read_u32(value, &number) < 0)
		return 400;
	ret->number = (uint16_t)(number >> 16);
	if (ret->number < CHANNEL_NUMBER_MIN || ret->number > CHANNEL_NUMBER_MAX)
		return 400;
	if (!stun_find(&r->message, STUN_ATTR_XOR_PEER_ADDRESS, &value) ||
	    stun_read_xor_address(&r->message, value, ret_written) < 0)
		return 400;
	/* No datagram can go to port 0. */
	if (ret_written->port == 0)
		return 400;
	ret->peer = peer_internal(r->turn, ret_written, &ret->own);
	return 0;
}

/* RFC 8656 12.2, in its order. */
static unsigned int check_binding(struct request *r, struct binding *ret, const char **ret_rule)
{
	struct addr written;
	unsigned int code = read_binding(r, ret, &written);

	if (code)
		return code;
	if (channel_by_number(r->allocation, ret->number) !=
	    channel_by_peer(r->allocation, &ret->peer))
		return 400;
	if (!allocation_relay(r->allocation, ret->peer.family))
		return 443;
	*ret_rule = peer_denied(r->turn, &written);
	if (*ret_rule)
		return 403;
	if (ret->own && !ports_is_allocation(r->turn->config.ports, &ret->peer)) {
		r->turn->counters.peers_denied++;
		*ret_rule = "own-address";
		return 403;
	}
	return 0;
}

/* Both or neither. */
static bool make(struct request *r, const struct binding *b, struct channel **ret_channel,
		 struct permission **ret_permission)
{
	struct channel *c = channel_by_number(r->allocation, b->number);
	bool fresh = !c;
	struct permission *p;

	if (!c)
		c = channel_new(r->turn, r->allocation, b->number, &b->peer, b->own);
	if (!c)
		return false;
	p = permission_make(r->turn, r->allocation, &b->peer, b->own);
	if (!p) {
		if (fresh)
			forget(r->turn, r->allocation, c);
		return false;
	}
	*ret_channel = c;
	*ret_permission = p;
	return true;
}

void channel_request(struct request *r)
{
	struct binding binding;
	const char *rule = NULL;
	struct channel *c;
	struct permission *p;
	unsigned int code = check_binding(r, &binding, &rule);

	if (!code && !make(r, &binding, &c, &p))
		code = 508;
	if (code) {
		answer_error(r->turn, &r->envelope, code, rule, r->out);
		return;
	}
	c->expires_ns = r->now->mono_ns + TURN_CHANNEL_LIFETIME_S * NSEC_PER_SEC;
	timer_bring_forward(r->turn, r->allocation, c->expires_ns);
	permission_refresh(r->turn, r->allocation, p, r->now->mono_ns);
	/* The flow is live before the client knows of it. */
	publish_all(r->turn, r->allocation, r->out);
	repeat_remember(r, 0);
	answer_success(r, 0);
}
