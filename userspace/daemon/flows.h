/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From channels to kernel flows: which of a worker's channels the kernel path carries, through
 * which next hops, and how much it carried. A channel that cannot be carried stays on the
 * sockets and costs nothing here. Belongs to one worker.
 */
#ifndef TURNPIKE_DAEMON_FLOWS_H
#define TURNPIKE_DAEMON_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/flow_table.h"
#include "net/net.h"
#include "turn/turn.h"

/* X(name, meaning) */
#define FLOWS_COUNTERS(X)                                                                    \
	X(flows_installed, "flows given to the kernel path")                                 \
	X(flows_removed, "flows taken from the kernel path")                                 \
	X(flows_rerouted, "flows moved to another next hop")                                 \
	X(flows_not_eligible, "channel directions of a kind the kernel path does not carry") \
	X(flows_full, "channel directions that found the kernel path full")                  \
	X(flows_failed, "channel directions the kernel path refused for another reason")

struct flows_counters {
#define X(name, meaning) uint64_t name;
	FLOWS_COUNTERS(X)
#undef X
};

struct flows;

/*
 * worker and workers number the share of flows and next hops. 0 or -errno. With a null kernel
 * nothing is installed and netlink is not opened.
 */
int flows_new(struct kernel *kernel, uint32_t worker, uint32_t next_hops, struct flows **ret);
void flows_free(struct flows **flows);

/* Carry out TURN_SET_FLOW and TURN_REMOVE_FLOW. */
void flows_set(struct flows *flows, const struct turn_flow *flow, uint64_t now_ns);
void flows_remove(struct flows *flows, uint32_t flow, uint64_t now_ns);

struct flows_traffic {
	bool carried; /* the kernel path has it in at least one direction */
	struct flow_counter to_peer, to_client;
};

/* What the kernel carried for one live flow. */
void flows_traffic(const struct flows *flows, uint32_t flow, struct flows_traffic *ret);

/* The netlink socket to poll, -1 for none; flows_process when it is readable. */
int flows_fd(const struct flows *flows);
void flows_process(struct flows *flows);
/* Called a few times a second: moves flows to their new next hops after a route change, a bounded
 * number per call, and keeps neighbours resolved. */
void flows_maintain(struct flows *flows, uint64_t now_ns);

const struct flows_counters *flows_counters(const struct flows *flows);
uint32_t flows_used(const struct flows *flows);
uint32_t flows_size(const struct flows *flows);

#endif
