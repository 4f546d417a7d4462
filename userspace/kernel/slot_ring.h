/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which slots are free, and since when: a slot is taken again only FLOW_GRACE_NS after it was
 * retired, the one that has been free for longest first. Pure; time is a parameter.
 */
#ifndef TURNPIKE_KERNEL_SLOT_RING_H
#define TURNPIKE_KERNEL_SLOT_RING_H

#include <stdint.h>

struct slot_ring {
	struct slot_ring_item {
		uint64_t ready_ns;
		uint32_t slot;
	} * items;
	uint32_t first;
	uint32_t count;
	uint32_t size;
};

/* Slots first_slot to first_slot + size - 1, all ready. 0 or -ENOMEM. */
int slot_ring_init(struct slot_ring *ring, uint32_t first_slot, uint32_t size);
void slot_ring_destroy(struct slot_ring *ring);

/* 0; or -ENOSPC if none is free, or none for long enough. */
int slot_ring_take(struct slot_ring *ring, uint64_t now_ns, uint32_t *ret_slot);
/* Puts the slot behind all others; it is ready after the grace time. */
void slot_ring_retire(struct slot_ring *ring, uint32_t slot, uint64_t now_ns);
/* Gives back a slot that was taken but that no reader ever saw. It is ready at once. */
void slot_ring_undo(struct slot_ring *ring, uint32_t slot);

#endif
