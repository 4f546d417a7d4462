/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Publication of next hops. See next_hops.h.
 */
#include "kernel/next_hops.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"

struct hop_state {
	uint64_t flipped_ns; /* 0: never */
	struct flow_next_hop_entry waiting;
	bool waits;
	bool listed; /* in waiting_ids, though it may not wait any more */
};

struct next_hops {
	struct flow_next_hop *map;
	struct hop_state *states;
	uint32_t *waiting_ids;
	uint32_t waiting_count;
	uint32_t count;
};

int next_hops_new(struct flow_next_hop *map, uint32_t count, struct next_hops **ret)
{
	struct next_hops *hops = calloc(1, sizeof(*hops));

	if (!hops)
		return -ENOMEM;
	hops->map = map;
	hops->count = count;
	hops->states = calloc(count, sizeof(*hops->states));
	hops->waiting_ids = calloc(count, sizeof(*hops->waiting_ids));
	if (!hops->states || !hops->waiting_ids) {
		next_hops_free(&hops);
		return -ENOMEM;
	}
	*ret = hops;
	return 0;
}

void next_hops_free(struct next_hops **pointer)
{
	struct next_hops *hops = *pointer;

	*pointer = NULL;
	if (!hops)
		return;
	free(hops->states);
	free(hops->waiting_ids);
	free(hops);
}

static bool same_content(const struct flow_next_hop_entry *a, const struct flow_next_hop_entry *b)
{
	struct flow_next_hop_entry x = *a, y = *b;

	x.valid = y.valid = 0;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static void set_valid(struct flow_next_hop_entry *entry, uint8_t valid)
{
	__atomic_store_n(&entry->valid, valid, __ATOMIC_RELEASE);
}

static bool may_flip(const struct hop_state *state, uint64_t now_ns)
{
	return !state->flipped_ns || now_ns >= state->flipped_ns + FLOW_GRACE_NS;
}

static void flip(struct next_hops *hops, uint32_t id, const struct flow_next_hop_entry *entry,
		 uint64_t now_ns)
{
	struct flow_next_hop *hop = &hops->map[id];
	uint32_t other = hop->active ^ 1;

	hop->entry[other] = *entry;
	__atomic_store_n(&hop->active, other, __ATOMIC_RELEASE);
	hops->states[id].flipped_ns = now_ns;
	hops->states[id].waits = false;
}

static void wait_for_grace(struct next_hops *hops, uint32_t id,
			   const struct flow_next_hop_entry *entry)
{
	struct hop_state *state = &hops->states[id];

	state->waiting = *entry;
	state->waits = true;
	if (state->listed)
		return;
	state->listed = true;
	hops->waiting_ids[hops->waiting_count++] = id;
}

void next_hops_set(struct next_hops *hops, uint32_t id, const struct flow_next_hop_entry *entry,
		   uint64_t now_ns)
{
	struct flow_next_hop *hop = &hops->map[id];
	struct hop_state *state = &hops->states[id];
	struct flow_next_hop_entry *active = &hop->entry[hop->active];

	ASSERT(id < hops->count);
	if (!entry->valid || same_content(active, entry)) {
		state->waits = false;
		set_valid(active, entry->valid != 0);
	} else if (may_flip(state, now_ns)) {
		flip(hops, id, entry, now_ns);
	} else {
		set_valid(active, 0);
		wait_for_grace(hops, id, entry);
	}
}

uint64_t next_hops_settle(struct next_hops *hops, uint64_t now_ns)
{
	uint64_t next_ns = 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < hops->waiting_count; i++) {
		uint32_t id = hops->waiting_ids[i];
		struct hop_state *state = &hops->states[id];

		if (state->waits && may_flip(state, now_ns))
			flip(hops, id, &state->waiting, now_ns);
		state->listed = state->waits;
		if (!state->waits)
			continue;
		hops->waiting_ids[kept++] = id;
		if (!next_ns || state->flipped_ns + FLOW_GRACE_NS < next_ns)
			next_ns = state->flipped_ns + FLOW_GRACE_NS;
	}
	hops->waiting_count = kept;
	return next_ns;
}
