/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Free slots. See slot_ring.h.
 */
#include "kernel/slot_ring.h"

#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "turnpike/flow.h"

int slot_ring_init(struct slot_ring *ring, uint32_t first_slot, uint32_t size)
{
	struct slot_ring_item *items = calloc(MAX(size, 1U), sizeof(*items));

	if (!items)
		return -ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		items[i].slot = first_slot + i;
	*ring = (struct slot_ring){.items = items, .count = size, .size = size};
	return 0;
}

void slot_ring_destroy(struct slot_ring *ring)
{
	free(ring->items);
	*ring = (struct slot_ring){0};
}

int slot_ring_take(struct slot_ring *ring, uint64_t now_ns, uint32_t *ret_slot)
{
	if (!ring->count || ring->items[ring->first].ready_ns > now_ns)
		return -ENOSPC;
	*ret_slot = ring->items[ring->first].slot;
	ring->first = (ring->first + 1) % ring->size;
	ring->count--;
	return 0;
}

void slot_ring_retire(struct slot_ring *ring, uint32_t slot, uint64_t now_ns)
{
	ASSERT(ring->count < ring->size);
	ring->items[(ring->first + ring->count) % ring->size] = (struct slot_ring_item){
		.slot = slot, .ready_ns = now_ns + FLOW_GRACE_NS};
	ring->count++;
}

void slot_ring_undo(struct slot_ring *ring, uint32_t slot)
{
	ASSERT(ring->count < ring->size);
	ring->first = (ring->first + ring->size - 1) % ring->size;
	ring->items[ring->first] = (struct slot_ring_item){.slot = slot};
	ring->count++;
}
