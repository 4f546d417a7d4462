/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel path's entry point. Passes everything up so far.
 */
#include "lib/maps.h"

SEC("xdp")
int turnpike_xdp(struct xdp_md *xdp)
{
	__u32 zero = 0;
	struct flow_stats *record = bpf_map_lookup_elem(&stats, &zero);

	if (record) {
		record->not_ip.packets++;
		record->not_ip.bytes += xdp->data_end - xdp->data;
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
