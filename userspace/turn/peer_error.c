/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors from the way to a peer, RFC 8656 11.5: the client learns of them by a Data
 * indication with an ICMP attribute. Whoever drives us reads them from the relay sockets; the
 * kernel has matched them to datagrams that the relay sent, or that were sent in its name.
 */
#include "turn/state.h"

/*
 * A path that answers every datagram with an error must not double what a client gets: an
 * allocation is told of 16 at once and of one hundred per second.
 */
#define ERROR_COST_NS  (10 * NSEC_PER_MSEC)
#define ERRORS_AT_ONCE 16

/* RFC 792, RFC 4443. */
#define ICMP_UNREACHABLE	  3
#define ICMP_FRAGMENTATION_NEEDED 4 /* a code of unreachable */
#define ICMP_TIME_EXCEEDED	  11
#define ICMP6_UNREACHABLE	  1
#define ICMP6_PACKET_TOO_BIG	  2
#define ICMP6_TIME_EXCEEDED	  3

static bool is_told(const struct turn_peer_error *error)
{
	if (error->peer.family == ADDR_IPV4)
		return error->type == ICMP_UNREACHABLE || error->type == ICMP_TIME_EXCEEDED;
	return error->type == ICMP6_UNREACHABLE || error->type == ICMP6_PACKET_TOO_BIG ||
	       error->type == ICMP6_TIME_EXCEEDED;
}

static bool is_too_large(const struct turn_peer_error *error)
{
	if (error->peer.family == ADDR_IPV4)
		return error->type == ICMP_UNREACHABLE && error->code == ICMP_FRAGMENTATION_NEEDED;
	return error->type == ICMP6_PACKET_TOO_BIG;
}

static void count(struct turn_counters *counters, const struct turn_peer_error *error)
{
	bool v4 = error->peer.family == ADDR_IPV4;

	if (is_too_large(error))
		counters->icmp_too_large++;
	else if (error->type == (v4 ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED))
		counters->icmp_time_exceeded++;
	else
		counters->icmp_unreachable++;
}

static bool is_within_rate(struct allocation *a, uint64_t now_ns)
{
	if (a->errors_paid_ns > now_ns + (ERRORS_AT_ONCE - 1) * ERROR_COST_NS)
		return false;
	a->errors_paid_ns = MAX(a->errors_paid_ns, now_ns) + ERROR_COST_NS;
	return true;
}

static void tell(const struct allocation *a, struct entropy *entropy, const struct addr *shown,
		 const struct turn_peer_error *error, struct turn_actions *out)
{
	uint8_t id[STUN_TRANSACTION_ID_LEN];
	struct writer w = writer_make(scratch_take(out, STUN_ICMP_INDICATION_MAX),
				      STUN_ICMP_INDICATION_MAX);

	entropy_take(entropy, id, sizeof(id));
	stun_begin(&w, STUN_METHOD_DATA, STUN_CLASS_INDICATION, id);
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, shown);
	/* RFC 8656 18.13: the error data is an MTU or 0. */
	stun_put_icmp(&w, error->type, error->code, is_too_large(error) ? error->mtu : 0);

	int len = stun_end(&w);

	ASSERT(len > 0);
	relay_send_client(a, out)->send_client.parts[0] = span_make(w.start, (size_t)len);
}

void turn_peer_error(struct turn *turn, const struct turn_now *now, struct entropy *entropy,
		     int relay, const struct turn_peer_error *error, struct turn_actions *out)
{
	struct addr peer = error->peer;
	struct permission *p;
	struct relay *found;
	struct addr shown;

	if (!is_told(error)) {
		turn->counters.drop_icmp_kind++;
		return;
	}
	HASH_FIND_INT(turn->relays, &relay, found);
	p = found && now->mono_ns < found->expires_ns
		    ? relay_live_permission(turn, found->allocation, now, &peer)
		    : NULL;
	if (!p) {
		turn->counters.drop_icmp_no_permission++;
		return;
	}
	if (!is_within_rate(found->allocation, now->mono_ns)) {
		turn->counters.drop_icmp_rate++;
		return;
	}
	shown = relay_shown_peer(turn, p, &peer);
	tell(found->allocation, entropy, &shown, error, out);
	count(&turn->counters, error);
}
