/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packets of the differential test: what a relay's host sees, right, unusual and wrong.
 */
#ifndef TURNPIKE_TESTS_TWIN_PACKET_H
#define TURNPIKE_TESTS_TWIN_PACKET_H

#include "twin_frame.h"
#include "twin_world.h"

/* X(constant, name, weight) */
#define TWIN_KINDS(X)                                           \
	X(CHANNEL, "ChannelData on a bound channel", 24)        \
	X(CHANNEL_ELSE, "ChannelData on any channel", 5)        \
	X(PEER, "data from a bound peer", 18)                   \
	X(PEER_ALLOWED, "data from a permitted peer", 12)       \
	X(PEER_ELSE, "data from any peer to any allocation", 6) \
	X(SEND, "a Send indication to a permitted peer", 24)    \
	X(SEND_ELSE, "a Send indication to any peer", 5)        \
	X(STRANGER, "a bound flow's, from or to elsewhere", 6)  \
	X(STUN, "a STUN message", 4)                            \
	X(GARBAGE, "any bytes to a port of the relay", 4)       \
	X(NOISE, "a frame of any bytes", 1)

enum twin_kind {
#define X(constant, name, weight) TWIN_KIND_##constant,
	TWIN_KINDS(X)
#undef X
	TWIN_KIND_MAX,
};

const char *twin_kind_name(enum twin_kind kind);

struct twin_packet {
	enum twin_kind kind;
	struct addr src, dst;
	struct twin_shape shape;
	bool common;  /* no Send indication, or one as clients send them */
	bool damaged; /* bytes changed or cut off after it was built */
	size_t payload_len;
	uint8_t payload[TWIN_PAYLOAD_MAX];
	size_t len;
	uint8_t frame[TWIN_FRAME_MAX];
};

void twin_packet_draw(struct twin_world *world, struct twin_random *random,
		      struct twin_packet *ret);

/*
 * Changes the first bytes of the data so that the UDP checksum of what is sent comes out as 0,
 * which must then be written as all ones (RFC 768). `sum` is the folded sum of what would be sent
 * now. Channels and bare data only.
 */
void twin_packet_balance(struct twin_packet *packet, uint32_t sum);

#endif
