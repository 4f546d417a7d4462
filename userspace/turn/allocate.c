/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocate, RFC 8656 7.2: the checks, and what is asked for. The relay sockets come in
 * open_relay.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "turn/open_relay.h"
#include "turn/state.h"

/* RFC 8656 18.6: the R bit asks for the next port too. */
#define EVEN_PORT_RESERVE 0x80

/* What an Allocate asks for. */
struct wanted {
	uint32_t lifetime_s;
	enum addr_family requested, additional;
	bool has_requested, has_additional;
	bool even, pair;
	bool has_token;
	struct span token;
};

/* RFC 8656 7.2, step 3. The only transport towards peers is UDP. */
static unsigned int check_transport(const struct stun_message *message)
{
	struct span value;
	uint8_t transport;

	if (!stun_find(message, STUN_ATTR_REQUESTED_TRANSPORT, &value) ||
	    stun_read_u8(value, 4, &transport) < 0)
		return 400;
	return transport == TURN_UDP ? 0 : 442;
}

static unsigned int read_ports(const struct stun_message *message, struct wanted *w)
{
	struct span value;
	uint8_t flags = 0;

	w->even = stun_find(message, STUN_ATTR_EVEN_PORT, &value);
	if (w->even && stun_read_u8(value, 1, &flags) < 0)
		return 400;
	w->pair = flags & EVEN_PORT_RESERVE;
	w->has_token = stun_find(message, STUN_ATTR_RESERVATION_TOKEN, &w->token);
	if (w->has_token && w->token.len != PORTS_TOKEN_LEN)
		return 400;
	return 0;
}

static unsigned int read_families(const struct stun_message *message, struct wanted *w)
{
	struct span value;
	unsigned int code;

	w->has_requested = stun_find(message, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &value);
	w->has_additional = stun_find(message, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, &value);
	/* Steps 5, 6 and 8: these exclude each other. */
	if (w->has_token && (w->even || w->has_requested || w->has_additional))
		return 400;
	if (w->has_additional && (w->has_requested || w->pair))
		return 400;
	code = family_wanted(message, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &w->requested);
	if (code)
		return code;
	/* Step 9: IPv4 is there anyway, so that IPv6 is the only family to ask for. */
	code = family_wanted(message, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, &w->additional);
	return code || (w->has_additional && w->additional != ADDR_IPV6) ? 400 : 0;
}

static unsigned int read_wanted(const struct stun_message *message, struct wanted *w)
{
	unsigned int code = check_transport(message);

	if (!code)
		code = read_ports(message, w);
	if (!code)
		code = read_families(message, w);
	if (!code && lifetime_wanted(message, false, &w->lifetime_s) < 0)
		code = 400;
	return code;
}

/*
 * RFC 8656 7.2, steps 4 and 5: what can never be had is refused before the quota is looked at. With
 * an additional family it is enough that one of the two is there.
 */
static unsigned int check_available(const struct request *r, const struct wanted *w)
{
	struct ports *ports = r->turn->config.ports;
	enum addr_family family = w->requested != ADDR_NONE ? w->requested : ADDR_IPV4;

	if (w->has_token) {
		if (ports_holds(ports, w->token.data, r->envelope.user->index, r->now->mono_ns))
			return 0;
		r->turn->counters.refused_token++;
		return 508;
	}
	if (ports_has_family(ports, family) ||
	    (w->has_additional && ports_has_family(ports, w->additional)))
		return 0;
	return 440;
}

/* What is taken here is the allocation's, which gives it back when it ends. */
static unsigned int take_quota(const struct request *r)
{
	int err = quota_take(r->turn->quota, r->envelope.user->index);

	if (err == -EDQUOT)
		return 486;
	if (err == 0)
		return 0;
	r->turn->counters.refused_allocations++;
	return 508;
}

/* The second port of a pair was bound when it was reserved: it only changes hands. */
static void take_reserved(struct request *r, struct allocation *a, const struct wanted *w)
{
	struct ports *ports = r->turn->config.ports;
	struct ports_reservation held;

	if (ports_redeem(ports, w->token.data, a->user->index, r->now->mono_ns, &held) < 0) {
		r->turn->counters.refused_token++;
		allocation_end(r->turn, a, r->out);
		answer_error(r->turn, &r->envelope, 508, NULL, r->out);
		return;
	}
	if (allocation_add_relay(r->turn, a, &held.internal, held.relay) < 0) {
		action_add(r->out, TURN_CLOSE_RELAY)->close_relay.relay = held.relay;
		ports_release(ports, &held.internal);
		allocation_end(r->turn, a, r->out);
		answer_error(r->turn, &r->envelope, 508, NULL, r->out);
		return;
	}
	action_add(r->out, TURN_ATTACH_RELAY)->attach_relay.relay = held.relay;
	open_relay_finish(r->turn, r->now, a, &r->envelope, r->out);
}

static void create(struct request *r, const struct wanted *w)
{
	struct allocation *a = allocation_new(r->turn, &r->envelope);

	if (!a) {
		quota_give(r->turn->quota, r->envelope.user->index);
		answer_error(r->turn, &r->envelope, 508, NULL, r->out);
		return;
	}
	a->grant.lifetime_s = w->lifetime_s;
	memcpy(a->grant.transaction_id, r->envelope.transaction_id, STUN_TRANSACTION_ID_LEN);
	if (w->has_token) {
		take_reserved(r, a, w);
		return;
	}
	a->opening = calloc(1, sizeof(*a->opening));
	if (!a->opening) {
		allocation_end(r->turn, a, r->out);
		answer_error(r->turn, &r->envelope, 508, NULL, r->out);
		return;
	}
	*a->opening = (struct opening){
		.envelope = r->envelope,
		.families = {w->requested != ADDR_NONE ? w->requested : ADDR_IPV4, w->additional},
		.even = w->even,
		.pair = w->pair,
	};
	open_relay_next(r->turn, r->now, r->entropy, a, r->out);
}

void allocate_request(struct request *r)
{
	struct wanted wanted = {0};
	unsigned int code;

	if (r->allocation) {
		/* RFC 8656 7.2, step 2. */
		answer_error(r->turn, &r->envelope, 437, NULL, r->out);
		return;
	}
	code = read_wanted(&r->message, &wanted);
	if (!code)
		code = check_available(r, &wanted);
	if (!code)
		code = take_quota(r);
	if (code) {
		answer_error(r->turn, &r->envelope, code, NULL, r->out);
		return;
	}
	create(r, &wanted);
}
