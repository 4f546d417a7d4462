/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells STUN from ChannelData from anything else. See classify.h.
 */
#include "wire/classify.h"

#include "turnpike/wire.h"

enum wire_kind wire_classify(struct span datagram)
{
	static const uint8_t cookie[] = {0x21, 0x12, 0xA4, 0x42};

	if (datagram.len == 0)
		return WIRE_UNKNOWN;
	if (datagram.data[0] >= CHANNEL_NUMBER_MIN >> 8 &&
	    datagram.data[0] <= CHANNEL_NUMBER_MAX >> 8)
		return WIRE_CHANNEL_DATA;
	/* RFC 3489 clients have no cookie; RFC 8656 is not for them. */
	if (datagram.data[0] < 0x40 && datagram.len >= 4 + sizeof(cookie) &&
	    memcmp(datagram.data + 4, cookie, sizeof(cookie)) == 0)
		return WIRE_STUN;
	return WIRE_UNKNOWN;
}
