/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How next hops are published: the two entries of a struct flow_next_hop and the flip between
 * them, in time. Works on memory, whether that is a map or not; time is a parameter.
 *
 * A reader that began before a flip may go on reading the entry it began with for FLOW_GRACE_NS,
 * so that entry is left alone for so long. What cannot wait is done by one aligned store of
 * `valid` in the active entry, which tears nothing: invalidating a hop, and validating it again
 * with the content it had. Another content that comes within the grace time invalidates the hop
 * at once, so that its packets pass up, and is published when next_hops_settle finds its time
 * come. Nobody ever sleeps.
 */
#ifndef TURNPIKE_KERNEL_NEXT_HOPS_H
#define TURNPIKE_KERNEL_NEXT_HOPS_H

#include <stdint.h>

#include "turnpike/flow.h"

struct next_hops;

/* map has count entries, all zero, and outlives the struct. 0 or -ENOMEM. */
int next_hops_new(struct flow_next_hop *map, uint32_t count, struct next_hops **ret);
void next_hops_free(struct next_hops **hops);

/* entry->valid 0 makes the hop invalid, whatever else is in it. now_ns is never 0. */
void next_hops_set(struct next_hops *hops, uint32_t id, const struct flow_next_hop_entry *entry,
		   uint64_t now_ns);
/* Publishes what had to wait. Returns when to be called again; 0 if nothing waits. */
uint64_t next_hops_settle(struct next_hops *hops, uint64_t now_ns);

#endif
