/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world that the benchmark measures in: a network namespace without a name, veth pairs, the
 * relay's program loaded, attached and filled by the daemon's own code, and the programs it is
 * compared with. All of it vanishes with the process. Knows nothing of time.
 */
#ifndef TURNPIKE_TESTS_WORLD_H
#define TURNPIKE_TESTS_WORLD_H

#include <stdint.h>

#include "bench.h"
#include "bench.skel.h"
#include "kernel/flow_table.h"
#include "kernel/kernel.h"

/* X(constant, name): whose programs are on a set of links. */
#define WORLD_RELAYS(X)         \
	X(TURNPIKE, "turnpike") \
	X(BARE, "bare")         \
	X(WIRE, "wire")

enum world_relay {
#define X(constant, name) WORLD_##constant,
	WORLD_RELAYS(X)
#undef X
	WORLD_RELAY_MAX,
};

/* generator -- ingress [relay] egress -- sink */
struct world_links {
	uint32_t generator, ingress, egress, sink;
};

struct world {
	struct bench_bpf *bench;
	struct kernel *kernel;
	struct flow_table *flows;
	struct world_links links[WORLD_RELAY_MAX];
	int turnpike_fd; /* the program, as it is attached */
};

/* Clients, the relay's addresses, peers; the flows between them are in world.c. */
#define LISTEN4 "192.0.2.1:3478"
#define LISTEN6 "[2001:db8::1]:3478"
#define CLIENT4 "198.51.100.7:40000"
#define CLIENT6 "[2001:db8:c::7]:40000"
#define PEER4	"203.0.113.9:5000"
#define PEER6	"[2001:db8:e::9]:5000"

/* CLIENT4's and CLIENT6's allocations, one relayed address of each family. */
#define RELAY44 "192.0.2.1:50001"
#define RELAY46 "[2001:db8::1]:50001"
#define RELAY64 "192.0.2.1:50002"
#define RELAY66 "[2001:db8::1]:50002"

/* Peers with a permission and no channel; a peer over the other interface; one with a limit. */
#define PERMITTED4 "203.0.113.10:5000"
#define PERMITTED6 "[2001:db8:e::10]:5000"
#define ACROSS4	   "203.0.113.11:5000"
#define LIMITED4   "203.0.113.12:5000"

/* Other allocations: their clients have a channel to CLIENT4's or CLIENT6's, or none. */
#define OTHER_CHANNEL4	  "192.0.2.1:50003"
#define OTHER_CHANNEL6	  "[2001:db8::1]:50003"
#define OTHER_MIXED4	  "192.0.2.1:50004"
#define OTHER_INDICATION4 "192.0.2.1:50005"

#define CHANNEL_PLAIN	   0x4001
#define CHANNEL_MIXED	   0x4002
#define CHANNEL_ACROSS	   0x4003
#define CHANNEL_LIMITED	   0x4004
#define CHANNEL_HAIRPIN	   0x4005
#define CHANNEL_HAIRPIN_46 0x4006
#define CHANNEL_HAIRPIN_DI 0x4007

/* Returns 0, or -errno after a message. Needs root. */
int world_open(struct world *ret);
void world_close(struct world *world);

const char *world_relay_name(enum world_relay relay);
/* Parses an address of this file; they are right. */
struct addr world_addr(const char *text);

#endif
