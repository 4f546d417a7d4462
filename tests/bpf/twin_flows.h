/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flows of the differential test's relay: from turn's actions into the maps, as the daemon
 * does it, and which of them a packet should take.
 */
#ifndef TURNPIKE_TESTS_TWIN_FLOWS_H
#define TURNPIKE_TESTS_TWIN_FLOWS_H

#include "twin_daemon.h"
#include "twin_world.h"

/* Carries out everything but what sends datagrams. */
void twin_flows_carry_out(struct twin_world *world);

/* The flows that a packet belongs to, the second one if it goes to another allocation. */
struct twin_route {
	struct twin_flow *first, *second; /* second: NULL for none */
	uint32_t hop;
};

/*
 * The way through the kernel of a packet with that outcome. False if it has none: a flow is not
 * installed, or its time is over.
 */
bool twin_flows_route(struct twin_world *world, const struct twin_outcome *outcome,
		      struct twin_route *ret);

#endif
