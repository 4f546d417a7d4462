/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a packet without a kernel path: the host's stack, turn, and the way out.
 */
#ifndef TURNPIKE_TESTS_TWIN_DAEMON_H
#define TURNPIKE_TESTS_TWIN_DAEMON_H

#include "twin_host.h"
#include "twin_world.h"

struct twin_outcome {
	enum twin_host_verdict host; /* what the stack made of the frame */
	struct twin_datagram in;     /* for TWIN_HOST_DELIVERED and TWIN_HOST_BAD_SUM */
	/*
	 * Whether the daemon sends something, and what: after a wrong checksum, what it would have
	 * sent, had the stack not dropped the packet.
	 */
	bool relayed;
	bool spoofed; /* it came from the wire with an address of this host as its source */
	struct addr src, dst;
	bool to_client;
	/* Through two allocations of this relay: from one to the other by these addresses. */
	bool hairpin;
	struct addr between_src, between_dst;
	size_t data_len; /* of application data */
	size_t len;
	uint8_t payload[4096];
};

void twin_daemon_receive(struct twin_world *world, struct span frame, struct twin_outcome *ret);

#endif
