/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host's network stack between the wire and a UDP socket, as small as will do: what a frame
 * becomes when the XDP program passes it up. Written from RFC 791, 768, 8200 and 1071; shares
 * nothing with the program, so that the two can disagree.
 *
 * Not modelled: reassembly, the check of the destination MAC (the device does it before XDP, or
 * nobody does), and VLAN interfaces: a frame with tags is taken as if the host had them.
 */
#ifndef TURNPIKE_TESTS_TWIN_HOST_H
#define TURNPIKE_TESTS_TWIN_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"

/* X(constant, name) */
#define TWIN_HOST_VERDICTS(X)                               \
	X(DELIVERED, "a datagram for a socket")             \
	X(BAD_SUM, "dropped for its UDP checksum")          \
	X(DROPPED, "dropped for another fault of its form") \
	X(HELD, "a fragment")                               \
	X(FOREIGN, "no UDP")

enum twin_host_verdict {
#define X(constant, name) TWIN_HOST_##constant,
	TWIN_HOST_VERDICTS(X)
#undef X
	TWIN_HOST_MAX,
};

const char *twin_host_name(enum twin_host_verdict verdict);

/* Filled in for TWIN_HOST_DELIVERED and TWIN_HOST_BAD_SUM. */
struct twin_datagram {
	struct addr src, dst;
	struct span payload; /* in the frame */
	size_t end;	     /* of the IP packet in the frame: what follows is a trailer */
	size_t ip_len;	     /* IP header and all behind it */
	unsigned int tags;
	unsigned int header_len; /* of IP, options and extensions included */
	uint8_t ttl, traffic_class;
	uint32_t flow_label;
	bool dont_fragment;
	bool no_sum;  /* UDP checksum 0 over IPv4 */
	bool partial; /* only the pseudo-header's sum, as a sender on this host leaves it */
};

enum twin_host_verdict twin_host_read(struct span frame, struct twin_datagram *ret);

/* What a UDP checksum is the complement of, the checksum itself taken as 0. */
uint32_t twin_host_udp_sum(const struct addr *src, const struct addr *dst, struct span payload);

/* RFC 1071: the folded sum, network order, an odd byte is the high one. */
uint32_t twin_host_sum(uint32_t sum, const uint8_t *bytes, size_t len);

#endif
