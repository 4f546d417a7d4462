/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One worker's share of the kernel's flows: it owns a range of slots, installs and removes
 * entries, and knows when a slot may be used again. Belongs to one thread.
 */
#ifndef TURNPIKE_KERNEL_FLOW_TABLE_H
#define TURNPIKE_KERNEL_FLOW_TABLE_H

#include "kernel/kernel.h"

/*
 * What a slot is for, as include/turnpike/flow.h tells it. Ports are 0 and addresses missing only
 * where it is said here:
 *
 *               in.src       in.dst     out.src    out.dst    channel of
 *   CHANNEL up  client       listener   relayed    peer       in
 *        down   peer         relayed    listener   client     out
 *   SENDER      client       listener   relayed    (none)     neither
 *   PERMISSION  peer, port 0 relayed    listener   client     neither
 */
enum flow_role {
	FLOW_ROLE_CHANNEL,    /* up or down by which leg has the number, 0x4000 to 0x4FFF */
	FLOW_ROLE_SENDER,     /* Send indications for peers of out.src's family */
	FLOW_ROLE_PERMISSION, /* all ports of one peer, to the client as Data indications */
};

/* The addresses of a leg have one family; the two legs may differ. */
struct flow_spec {
	struct {
		struct addr src, dst;
		uint16_t channel; /* host order; 0: none */
	} in, out;
	uint64_t expires_ns; /* CLOCK_MONOTONIC */
	/*
	 * Ids, 0 for none yet. FLOW_NEXT_HOP_SELF: the peer is another allocation of this relay. A
	 * sender has none: its packets take the peer_hop of the permission that they meet.
	 */
	uint32_t next_hop;
	uint32_t allocation; /* for people who dump the map */
	enum flow_role role;
	uint32_t peer_hop; /* of a permission only */
	uint32_t bucket;   /* id, 0 for no limit of bandwidth */
	bool from_self;	   /* of what peers send: the peer is an allocation of this relay */
};

struct flow_table;

/* The slots of one of options.workers workers. 0 or -ENOMEM. */
int flow_table_new(struct kernel *kernel, uint32_t worker, struct flow_table **ret);
/* Removes what it still holds. Takes NULL. */
void flow_table_free(struct flow_table **table);
/* Leaves its flows as they are, to go on until they expire: for kernel_leave. Takes NULL. */
void flow_table_leave(struct flow_table **table);

/*
 * Installs a flow; it is live when this returns. Returns 0; -ENOSPC if slots or maps are full;
 * -EEXIST if the key is taken; -EOPNOTSUPP without a kernel path; -EINVAL if the spec is not what
 * its role has, or names a hop or bucket beyond the options'.
 */
int flow_table_add(struct flow_table *table, const struct flow_spec *spec, uint64_t now_ns,
		   uint32_t *ret_slot);
/* Each is one aligned store, seen by the next packet. */
void flow_table_set_expiry(struct flow_table *table, uint32_t slot, uint64_t expires_ns);
void flow_table_set_next_hop(struct flow_table *table, uint32_t slot, uint32_t next_hop);
/* Of a permission. */
void flow_table_set_peer_hop(struct flow_table *table, uint32_t slot, uint32_t peer_hop);
/* Dead when this returns; the slot is used again after FLOW_GRACE_NS. */
void flow_table_remove(struct flow_table *table, uint32_t slot, uint64_t now_ns);

/* Packets and bytes this flow carried since it was added. 0 or -errno. */
int flow_table_traffic(const struct flow_table *table, uint32_t slot, struct flow_counter *ret);
uint32_t flow_table_used(const struct flow_table *table);
uint32_t flow_table_size(const struct flow_table *table);

#endif
