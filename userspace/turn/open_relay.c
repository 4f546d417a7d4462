/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports and sockets for an Allocate: a port is taken here, the driver binds it, and the answer to
 * the client waits for that. A port that another process holds is given back and another tried, a
 * bounded number of times. With two families one is opened after the other, and one is enough
 * for success (RFC 8656 7.2, step 9).
 */
#include "turn/open_relay.h"

#include <errno.h>
#include <stdlib.h>

static struct addr successor(struct addr internal)
{
	internal.port++;
	return internal;
}

static void release_taken(struct turn *turn, const struct opening *opening)
{
	struct addr next = successor(opening->taken);

	ports_release(turn->config.ports, &opening->taken);
	if (opening->pair)
		ports_release(turn->config.ports, &next);
}

static void give_up(struct turn *turn, struct allocation *a, struct turn_actions *out)
{
	struct opening *opening = a->opening;
	bool unsupported = true;

	for (unsigned int i = 0; i < TURN_RELAYS; i++)
		if (a->grant.failure[i] && a->grant.failure[i] != 440)
			unsupported = false;
	a->opening = NULL;
	allocation_end(turn, a, out);
	answer_error(turn, &opening->envelope, unsupported ? 440 : 508, NULL, out);
	free(opening);
}

void open_relay_finish(struct turn *turn, const struct turn_now *now, struct allocation *a,
		       const struct envelope *envelope, struct turn_actions *out)
{
	uint64_t expires_ns = now->mono_ns + a->grant.lifetime_s * NSEC_PER_SEC;

	a->created_ns = now->mono_ns;
	for (unsigned int i = 0; i < TURN_RELAYS; i++) {
		a->relays[i].expires_ns = expires_ns;
		a->grant.relayed[i] = a->relays[i].handle >= 0;
	}
	timer_add(turn, a, expires_ns);
	turn->counters.allocations_created++;
	publish_all(turn, a, out);
	answer_granted(turn, a, envelope, out);
}

static void finish(struct turn *turn, const struct turn_now *now, struct allocation *a,
		   struct turn_actions *out)
{
	struct opening *opening = a->opening;

	if (!allocation_has_relay(a)) {
		give_up(turn, a, out);
		return;
	}
	a->opening = NULL;
	open_relay_finish(turn, now, a, &opening->envelope, out);
	free(opening);
}

static void count_no_port(struct turn *turn, enum addr_family family)
{
	if (family == ADDR_IPV6)
		turn->counters.refused_ports_ipv6++;
	else
		turn->counters.refused_ports_ipv4++;
}

static void family_failed(struct allocation *a, unsigned int code)
{
	struct opening *opening = a->opening;

	a->grant.failure[relay_index(opening->families[opening->at])] = (uint16_t)code;
	opening->at++;
	opening->attempts = 0;
}

void open_relay_next(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		     struct allocation *a, struct turn_actions *out)
{
	struct opening *opening = a->opening;

	while (opening->at < TURN_RELAYS && opening->families[opening->at] != ADDR_NONE) {
		struct turn_action *action;
		int r = ports_take(turn->config.ports, opening->families[opening->at],
				   opening->even, opening->pair, entropy, &opening->taken);

		if (r == -ENOSPC)
			count_no_port(turn, opening->families[opening->at]);
		if (r < 0) {
			family_failed(a, r == -EAFNOSUPPORT ? 440 : 508);
			continue;
		}
		action = action_add(out, TURN_OPEN_RELAY);
		action->open_relay.ticket = a->number;
		action->open_relay.internal = opening->taken;
		action->open_relay.pair = opening->pair;
		return;
	}
	finish(turn, now, a, out);
}

/* Keeps the second socket of a pair for whoever brings the token. */
static int reserve(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		   struct allocation *a, int relay)
{
	struct ports_reservation reservation = {
		.internal = successor(a->opening->taken),
		.relay = relay,
		.user = a->user->index,
		.expires_ns = now->mono_ns + TURN_RESERVATION_S * NSEC_PER_SEC,
	};
	int r;

	entropy_take(entropy, reservation.token, sizeof(reservation.token));
	r = ports_reserve(turn->config.ports, &reservation);
	if (r < 0) {
		turn->counters.refused_reservations++;
		return r;
	}
	a->grant.has_token = true;
	memcpy(a->grant.token, reservation.token, sizeof(a->grant.token));
	return 0;
}

/* False if there was no room for it: then nothing of it is left. */
static bool accept_relay(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
			 struct allocation *a, const struct turn_relay_result *result,
			 struct turn_actions *out)
{
	struct opening *opening = a->opening;

	if ((!opening->pair || reserve(turn, now, entropy, a, result->reserved) == 0) &&
	    allocation_add_relay(turn, a, &opening->taken, result->relay) == 0)
		return true;
	action_add(out, TURN_CLOSE_RELAY)->close_relay.relay = result->relay;
	if (a->grant.has_token) {
		/* The second port is reserved already: it runs out like one that nobody redeems. */
		ports_release(turn->config.ports, &opening->taken);
		return false;
	}
	if (opening->pair)
		action_add(out, TURN_CLOSE_RELAY)->close_relay.relay = result->reserved;
	release_taken(turn, opening);
	return false;
}

void turn_relay_opened(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		       uint32_t ticket, const struct turn_relay_result *result,
		       struct turn_actions *out)
{
	ASSERT(ticket < turn->room && turn->numbered[ticket] && turn->numbered[ticket]->opening);

	struct allocation *a = turn->numbered[ticket];
	struct opening *opening = a->opening;

	if (result->error) {
		release_taken(turn, opening);
		if (result->error != -EADDRINUSE || ++opening->attempts >= TURN_OPEN_ATTEMPTS_MAX) {
			turn->counters.refused_binds++;
			family_failed(a, 508);
		}
	} else if (accept_relay(turn, now, entropy, a, result, out)) {
		opening->at++;
		opening->attempts = 0;
	} else {
		family_failed(a, 508);
	}
	open_relay_next(turn, now, entropy, a, out);
}
