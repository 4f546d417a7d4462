/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Refresh, RFC 8656 8.2: longer, shorter, or the end. With REQUESTED-ADDRESS-FAMILY it is about
 * one relayed transport address of a dual allocation, without it about all there are.
 */
#include "turn/state.h"

/* True if the relay is one the request is about. */
static bool concerns(const struct relay *relay, enum addr_family family)
{
	return relay->handle >= 0 && (family == ADDR_NONE || relay->internal.family == family);
}

static void end(struct request *r, enum addr_family family)
{
	struct allocation *a = r->allocation;

	for (unsigned int i = 0; i < TURN_RELAYS; i++)
		if (concerns(&a->relays[i], family))
			allocation_drop_relay(r->turn, a, a->relays[i].internal.family, r->out);
	if (allocation_has_relay(a)) {
		repeat_remember(r, 0);
		return;
	}
	repeat_say_farewell(r);
	r->turn->counters.allocations_deleted++;
	allocation_end(r->turn, a, r->out);
	r->allocation = NULL;
}

static void prolong(struct request *r, enum addr_family family, uint32_t lifetime_s)
{
	struct allocation *a = r->allocation;
	uint64_t expires_ns = r->now->mono_ns + lifetime_s * NSEC_PER_SEC;

	for (unsigned int i = 0; i < TURN_RELAYS; i++)
		if (concerns(&a->relays[i], family))
			a->relays[i].expires_ns = expires_ns;
	/* It may have become shorter: an hour was granted, ten minutes are asked for. */
	timer_bring_forward(r->turn, a, expires_ns);
	publish_all(r->turn, a, r->out);
	repeat_remember(r, lifetime_s);
}

static unsigned int read_request(struct request *r, enum addr_family *ret_family,
				 uint32_t *ret_lifetime_s)
{
	unsigned int code = family_wanted(&r->message, STUN_ATTR_REQUESTED_ADDRESS_FAMILY,
					  ret_family);

	/* A family that does not exist is one that the allocation has not. */
	if (code == 440)
		return 443;
	if (!code && *ret_family != ADDR_NONE && !allocation_relay(r->allocation, *ret_family))
		return 443;
	if (!code && lifetime_wanted(&r->message, true, ret_lifetime_s) < 0)
		return 400;
	return code;
}

void refresh_request(struct request *r)
{
	enum addr_family family;
	uint32_t lifetime_s;
	unsigned int code = read_request(r, &family, &lifetime_s);

	if (code) {
		answer_error(r->turn, &r->envelope, code, NULL, r->out);
		return;
	}
	if (lifetime_s)
		prolong(r, family, lifetime_s);
	else
		end(r, family);
	answer_success(r, lifetime_s);
}
