/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bandwidth of an allocation: charges data to its bucket, or refuses it. Knows no packet.
 */
#ifndef TURNPIKE_BPF_LIMIT_H
#define TURNPIKE_BPF_LIMIT_H

#include "lib/maps.h"
#include "lib/packet.h"

#define LIMIT_NS_PER_MS 1000000ULL
#define LIMIT_TRIES	4

/*
 * See struct flow_bucket. Another CPU may charge the same bucket: who loses that race begins anew,
 * and who loses each time lets the data pass, but has it paid for. Returns whether data may pass.
 */
static __always_inline bool limit_take(__u64 *due_ns, __u64 cost_ns, __u64 burst_ns, __u64 now_ns)
{
	__u64 due, start;

	for (int i = 0; i < LIMIT_TRIES; i++) {
		due = READ_ONCE(*due_ns);
		start = due > now_ns ? due : now_ns;
		if (start - now_ns > burst_ns)
			return false;
		if (__sync_val_compare_and_swap(due_ns, due, start + cost_ns) == due)
			return true;
	}
	__sync_fetch_and_add(due_ns, cost_ns);
	return true;
}

/*
 * Charges `bytes` to a bucket, one way. Returns 0 if that is more than it allows. A global
 * function, so that its loop is verified once.
 */
__noinline int limit_charge(__u32 number, __u32 to_client, __u64 bytes, __u64 now_ns)
{
	struct flow_bucket *bucket = bpf_map_lookup_elem(&buckets, &number);
	__u64 cost_ns;

	if (!bucket || !bucket->ns_per_kib)
		return 1;
	cost_ns = bytes * bucket->ns_per_kib >> 10;
	return limit_take(to_client ? &bucket->to_client_ns : &bucket->to_peer_ns, cost_ns,
			  bucket->burst_ms * LIMIT_NS_PER_MS, now_ns);
}

#endif
