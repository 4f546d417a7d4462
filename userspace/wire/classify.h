/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a datagram from a client is, by its first bytes (RFC 7983 7, RFC 8656 12). Nothing is
 * parsed here.
 */
#ifndef TURNPIKE_WIRE_CLASSIFY_H
#define TURNPIKE_WIRE_CLASSIFY_H

#include "base/span.h"

enum wire_kind {
	WIRE_UNKNOWN,
	WIRE_STUN,	   /* two zero bits and the magic cookie */
	WIRE_CHANNEL_DATA, /* first byte 0x40 to 0x4F */
};

enum wire_kind wire_classify(struct span datagram);

#endif
