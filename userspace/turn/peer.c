/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer's address as clients write it, and as our relays reach it: the policy, and the two forms
 * of the relay's own addresses behind a 1:1 NAT. Clients see and may use the external form;
 * tables, flows and sockets have the internal one.
 */
#include "turn/state.h"

struct addr peer_internal(const struct turn *turn, const struct addr *peer, bool *ret_own)
{
	*ret_own = ports_is_relay_ip(turn->config.ports, peer);
	return *ret_own ? ports_to_internal(turn->config.ports, peer) : *peer;
}

/*
 * The relay's own addresses are peers by rule, which is what lets two clients of this relay talk;
 * which of their ports are is asked with each packet. Asked of the address as it is written: one
 * that only leads to a relay address inside another form is no relay address.
 */
const char *peer_denied(struct turn *turn, const struct addr *peer)
{
	struct addr canonical = peer_policy_canonical(peer);
	const char *rule;

	if (ports_is_relay_ip(turn->config.ports, peer))
		return NULL;
	rule = ports_is_relay_ip(turn->config.ports, &canonical)
		       ? "own-address"
		       : peer_policy_denies(&turn->config.peers, peer);
	if (rule)
		turn->counters.peers_denied++;
	return rule;
}
