/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits.bandwidth_per_allocation for what the daemon relays itself: a generic cell rate
 * algorithm, the same that struct flow_bucket of the map ABI describes. Its only state is the time
 * at which the data sent so far would be paid off; data may come TURN_BURST_MS ahead of it.
 */
#include "turn/state.h"

uint32_t bandwidth_cost(uint64_t bits_per_second)
{
	const uint64_t one_per_second = 1024 * 8 * NSEC_PER_SEC;
	uint64_t cost;

	if (!bits_per_second)
		return 0;
	/* Rounded up, so that the rate is never more than was asked for. */
	cost = (one_per_second - 1) / bits_per_second + 1;
	return (uint32_t)MIN(cost, (uint64_t)UINT32_MAX);
}

/*
 * Conforming is what comes while no more than a burst is owed, however large it is: a rate so low
 * that one datagram costs more than a burst would otherwise let nothing pass.
 */
bool bandwidth_allows(const struct turn *turn, uint64_t *paid_ns, uint64_t now_ns, size_t len)
{
	if (!turn->ns_per_kib)
		return true;
	if (*paid_ns > now_ns + TURN_BURST_MS * NSEC_PER_MSEC)
		return false;
	*paid_ns = MAX(*paid_ns, now_ns) + ((uint64_t)len * turn->ns_per_kib >> 10);
	return true;
}
