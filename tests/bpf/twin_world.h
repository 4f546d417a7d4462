/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A relay for the differential test, made by real protocol: clients of every kind with their
 * allocations, permissions and channels, fresh, aged and gone, in a struct turn; and the flows
 * that turn asks for, in the maps of a loaded program. The seed decides all of it: also whether
 * there is a 1:1 NAT, and whether the kernel's flows have a bandwidth.
 */
#ifndef TURNPIKE_TESTS_TWIN_WORLD_H
#define TURNPIKE_TESTS_TWIN_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/flow_table.h"
#include "turn/turn.h"
#include "twin_random.h"

#define TWIN_CLIENTS   16
#define TWIN_PEERS_MAX 64
#define TWIN_RELAYS    64
#define TWIN_SLOTS     4096
#define TWIN_NEXT_HOPS 16
#define TWIN_BUCKETS   64

/* What turn numbers: channels, with a flow each way; grants; senders, two for an allocation. */
#define TWIN_CHANNELS	512
#define TWIN_GRANTS	512
#define TWIN_SENDERS	128
#define TWIN_AT_GRANTS	(2 * TWIN_CHANNELS)
#define TWIN_AT_SENDERS (TWIN_AT_GRANTS + TWIN_GRANTS)
#define TWIN_FLOWS	(TWIN_AT_SENDERS + TWIN_SENDERS)

/* turn's clock runs ahead of the kernel's by this, so that a machine that was just started can
 * have allocations that are long over. */
#define TWIN_CLOCK_AHEAD (100000 * NSEC_PER_SEC)

/* Next hops, by their ids. The program may use those up to TWIN_HOP_RESOLVED. */
enum twin_hop {
	TWIN_HOP_NONE,
	TWIN_HOP_SAME,	/* back through the interface that the packet came by */
	TWIN_HOP_OTHER, /* through another */
	TWIN_HOP_NARROW,
	TWIN_HOP_TAGGED, /* into a VLAN */
	TWIN_HOP_DOUBLE_TAGGED,
	TWIN_HOP_RESOLVED = TWIN_HOP_DOUBLE_TAGGED,
	TWIN_HOP_UNRESOLVED,
	TWIN_HOP_STRANGE, /* over an interface that is not the relay's */
	TWIN_HOP_MAX,
};

struct twin_kernel {
	struct kernel *kernel;
	int program; /* descriptor */
	unsigned int ingress;
	struct net_hop hops[TWIN_HOP_MAX];
};

/* Opens the kernel path on interfaces of a private namespace and publishes the hops. */
void twin_kernel_open(struct twin_kernel *ret);
void twin_kernel_close(struct twin_kernel *kernel);

/* A flow as it was given to the kernel. */
struct twin_flow {
	bool installed;
	uint32_t slot;
	struct flow_spec spec;
	uint64_t carried_packets, carried_bytes; /* what the test saw it carry */
};

struct twin_channel {
	bool live; /* turn has asked for it and not taken it back */
	struct turn_flow flow;
};

struct twin_grant {
	bool live;
	struct turn_grant grant;
};

struct twin_client {
	struct turn_client from;
};

struct twin_relay {
	bool open;
	struct addr internal;
};

struct twin_world {
	struct twin_kernel *kernel;
	struct twin_random random;
	struct credentials *credentials;
	struct ports *ports;
	struct prefix allow[3];
	struct addr own[2];
	struct turn *turn;
	struct turn_now now;
	struct entropy entropy;
	struct turn_actions out;
	struct flow_table *table;

	struct addr listeners[2]; /* path: the index */
	struct twin_client clients[TWIN_CLIENTS];
	struct addr peers[TWIN_PEERS_MAX]; /* allocations of this relay among them */
	size_t peer_count;
	struct twin_relay relays[TWIN_RELAYS];
	size_t relay_count;
	struct twin_channel channels[TWIN_CHANNELS];
	struct twin_grant grants[TWIN_GRANTS];
	struct twin_flow flows[TWIN_FLOWS]; /* to the peer and to the client, grants, senders */
	bool limited;			    /* the kernel's flows have a bandwidth */
	uint32_t transactions;
	/* Of the last Data indication that the kernel made: the next one has another. */
	uint8_t indication_id[12];
};

struct twin_world *twin_world_new(struct twin_kernel *kernel, uint64_t seed);
/* Takes the flows out of the maps. */
void twin_world_free(struct twin_world **world);

/* Sets turn's clock from the kernel's, and fills the entropy. */
void twin_world_set_clock(struct twin_world *world);

bool twin_world_is_own(const struct twin_world *world, const struct addr *ip);

#endif
