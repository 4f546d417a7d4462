/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what the state machine permits to kernel flows: which of a worker's channels, senders and
 * grants the kernel path carries, through which next hops, and how much it carried. What cannot be
 * carried stays on the sockets and costs nothing there. Belongs to one worker.
 */
#ifndef TURNPIKE_DAEMON_FLOWS_H
#define TURNPIKE_DAEMON_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/flow_table.h"
#include "net/net.h"
#include "turn/turn.h"

/* X(name, meaning) */
#define FLOWS_COUNTERS(X)                                                       \
	X(flows_installed, "flows given to the kernel path")                    \
	X(flows_removed, "flows taken from the kernel path")                    \
	X(flows_rerouted, "flows moved to another next hop")                    \
	X(flows_not_eligible, "flows of a kind the kernel path does not carry") \
	X(flows_full, "flows that found the kernel path full")                  \
	X(flows_failed, "flows the kernel path refused for another reason")

struct flows_counters {
#define X(name, meaning) uint64_t name;
	FLOWS_COUNTERS(X)
#undef X
};

struct flows;

struct flows_config {
	struct kernel *kernel;
	uint32_t worker;	/* its number, from 0 */
	uint32_t next_hops;	/* how many ids are this worker's */
	uint32_t buckets;	/* the same of buckets */
	uint64_t bandwidth_bps; /* of an allocation, each way; 0: unlimited, without buckets */
};

/* 0 or -errno. With a null kernel nothing is installed and netlink is not opened. */
int flows_new(const struct flows_config *config, struct flows **ret);
void flows_free(struct flows **flows);

/* Carry out TURN_SET_FLOW and its like. An allocation's senders come first and go last. */
void flows_set(struct flows *flows, const struct turn_flow *flow, uint64_t now_ns);
void flows_remove(struct flows *flows, uint32_t flow, uint64_t now_ns);
void flows_set_sender(struct flows *flows, const struct turn_sender *sender, uint64_t now_ns);
void flows_remove_sender(struct flows *flows, uint32_t sender, uint64_t now_ns);
void flows_set_grant(struct flows *flows, const struct turn_grant *grant, uint64_t now_ns);
void flows_remove_grant(struct flows *flows, uint32_t grant, uint64_t now_ns);

struct flows_traffic {
	bool carried; /* the kernel path has it in at least one direction */
	struct flow_counter to_peer, to_client;
};

/* What the kernel carried for the flow of one live channel. */
void flows_traffic(const struct flows *flows, uint32_t flow, struct flows_traffic *ret);
/* The same for all of an allocation: channels, indications, and what has ended meanwhile. */
void flows_allocation_traffic(const struct flows *flows, uint32_t allocation,
			      struct flows_traffic *ret);

/* The netlink socket to poll, -1 for none; flows_process when it is readable. */
int flows_fd(const struct flows *flows);
void flows_process(struct flows *flows);
/*
 * A path turned out to be narrower than its route said. The kernel tells nobody of such exceptions,
 * so the routes are asked for again.
 */
void flows_ask_again(struct flows *flows);
/* Called a few times a second: moves flows to their new next hops after a route change, a bounded
 * number per call, and keeps neighbours resolved. */
void flows_maintain(struct flows *flows, uint64_t now_ns);

const struct flows_counters *flows_counters(const struct flows *flows);
uint32_t flows_used(const struct flows *flows);
uint32_t flows_size(const struct flows *flows);

#endif
