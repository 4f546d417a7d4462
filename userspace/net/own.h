/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which destinations lead to this host itself, given its addresses. Pure.
 */
#ifndef TURNPIKE_NET_OWN_H
#define TURNPIKE_NET_OWN_H

#include "net/net.h"

/* An address, the broadcast address it was given, and its prefix's all zeros and all ones; the last
 * two for the prefix of the far end of a point-to-point link as well. */
#define OWN_FORMS_MAX 6

/*
 * The address itself and what else its prefix makes the host listen to: with IPv4 the broadcast
 * address (the one that was set, and all ones) and all zeros, which old stacks broadcast to; with
 * IPv6 the subnet-router anycast address (RFC 4291 2.6.1), which every router answers to. Prefixes
 * without room for these (RFC 3021, RFC 6164) have none. Returns how many.
 */
size_t own_forms(const struct net_address *address, struct addr ret[static OWN_FORMS_MAX]);

#endif
