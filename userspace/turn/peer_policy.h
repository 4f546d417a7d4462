/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may be a peer. One canonicalisation of every encoding of an address, then the rules: the
 * relay's own allocations are allowed, then peers.deny, peers.allow, then the IANA
 * special-purpose registries (IPv4 and IPv6), denied by default. Pure, immutable once made.
 */
#ifndef TURNPIKE_TURN_PEER_POLICY_H
#define TURNPIKE_TURN_PEER_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

struct peer_policy {
	const struct prefix *allow, *deny; /* borrowed */
	size_t allow_count, deny_count;
	/* The host's own addresses: peers only where an allocation lives. Borrowed. */
	const struct addr *own;
	size_t own_count;
};

/*
 * The address that a packet to `a` would really reach: the IPv4 address inside IPv4-mapped,
 * IPv4-compatible, 6to4, NAT64 (64:ff9b::/96 and the local 64:ff9b:1::/48), Teredo and ISATAP
 * forms; else a itself. The port is kept.
 */
struct addr peer_policy_canonical(const struct addr *a);

/*
 * NULL if packets may go to a; else the name of the rule that denies it, a string that lives for
 * ever ("loopback", "private-use", "peers.deny" …). The port does not matter here.
 * A deny rule matches the address as given or its canonical form; an allow rule must match the
 * canonical form as well as the given one's.
 */
const char *peer_policy_denies(const struct peer_policy *policy, const struct addr *a);

#endif
