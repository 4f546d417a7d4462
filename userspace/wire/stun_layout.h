/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What reading and building STUN messages have in common, for the files of this folder alone:
 * the interleaved message type, padding, and the XOR of addresses. Both directions use the same
 * function, so that they cannot drift apart.
 */
#ifndef TURNPIKE_WIRE_STUN_LAYOUT_H
#define TURNPIKE_WIRE_STUN_LAYOUT_H

#include "base/addr.h"
#include "turnpike/wire.h"

#define STUN_METHOD_MAX	      0x0FFF
#define STUN_LENGTH_MAX	      0xFFFF
#define STUN_COOKIE_OFFSET    4
#define STUN_ADDRESS_IPV4_LEN 8
#define STUN_ADDRESS_IPV6_LEN 20

/* RFC 8489 5: M11-M7, C1, M6-M4, C0, M3-M0. */
static inline uint16_t stun_type_make(uint16_t method, uint16_t class)
{
	return (uint16_t)((method & 0x000F) | (method & 0x0070) << 1 | (method & 0x0F80) << 2 |
			  (class & STUN_CLASS_MASK));
}

static inline uint16_t stun_type_method(uint16_t type)
{
	return (uint16_t)((type & 0x000F) | (type & 0x00E0) >> 1 | (type & 0x3E00) >> 2);
}

/* RFC 8489 14: values are padded to a multiple of four, and their length does not say so. */
static inline size_t stun_padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/*
 * RFC 8489 14.2: port and IPv4 address with the magic cookie, IPv6 address with cookie and
 * transaction ID, which follow each other in the header. Its own inverse.
 */
static inline void stun_xor_address(struct addr *a, const uint8_t header[static STUN_HEADER_LEN])
{
	size_t len = addr_ip_len(a);

	a->port ^= STUN_MAGIC_COOKIE >> 16;
	for (size_t i = 0; i < len; i++)
		a->ip[i] ^= header[STUN_COOKIE_OFFSET + i];
}

#endif
