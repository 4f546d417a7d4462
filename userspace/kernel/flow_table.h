/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One worker's share of the kernel's flows: it owns a range of slots, installs and removes
 * entries, and knows when a slot may be used again. Belongs to one thread.
 */
#ifndef TURNPIKE_KERNEL_FLOW_TABLE_H
#define TURNPIKE_KERNEL_FLOW_TABLE_H

#include "kernel/kernel.h"

/* One direction of one channel. Addresses of a leg have one family. */
struct flow_spec {
	struct {
		struct addr src, dst;
		uint16_t channel; /* 0: bare UDP */
	} in, out;
	uint64_t expires_ns; /* CLOCK_MONOTONIC */
	uint32_t next_hop;   /* id, 0 for none yet */
	uint32_t allocation; /* for people who dump the map */
};

struct flow_table;

/* The slots of one of options.workers workers. 0 or -ENOMEM. */
int flow_table_new(struct kernel *kernel, uint32_t worker, struct flow_table **ret);
/* Removes what it still holds. Takes NULL. */
void flow_table_free(struct flow_table **table);

/*
 * Installs a flow; it is live when this returns. Returns 0; -ENOSPC if slots or maps are full;
 * -EEXIST if the key is taken; -EOPNOTSUPP without a kernel path, between families, or unless one
 * side is a channel and the other bare UDP; -EINVAL if a leg's addresses do not fit together.
 */
int flow_table_add(struct flow_table *table, const struct flow_spec *spec, uint64_t now_ns,
		   uint32_t *ret_slot);
/* Each is one aligned store, seen by the next packet. */
void flow_table_set_expiry(struct flow_table *table, uint32_t slot, uint64_t expires_ns);
void flow_table_set_next_hop(struct flow_table *table, uint32_t slot, uint32_t next_hop);
/* Dead when this returns; the slot is used again after FLOW_GRACE_NS. */
void flow_table_remove(struct flow_table *table, uint32_t slot, uint64_t now_ns);

/* Packets and bytes this flow carried since it was added. 0 or -errno. */
int flow_table_traffic(const struct flow_table *table, uint32_t slot, struct flow_counter *ret);
uint32_t flow_table_used(const struct flow_table *table);
uint32_t flow_table_size(const struct flow_table *table);

#endif
