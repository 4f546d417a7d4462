/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel path's entry point: carries the packets of flows that the daemon has installed, and
 * passes everything else up with a named reason. One pipeline for every combination of families
 * and forms:
 *
 *   parse -> find the flow -> decide -> take the data out of one form, put it into the other,
 *   address it -> send
 *
 * Up to rewrite_frame nothing of the packet changes, so every step before may pass it up; after
 * it the packet is sent. Needs kernel 5.15: no kfuncs, no bpf_loop, no helper newer than that.
 */
#include "lib/packet.h"

#include "lib/lookup.h"
#include "lib/maps.h"
#include "lib/nexthop.h"
#include "lib/parse.h"
#include "lib/rewrite.h"
#include "lib/stats.h"

static __always_inline enum flow_verdict find(struct packet *p)
{
	enum flow_verdict verdict = parse_frame(p);

	if (verdict != VERDICT_NONE)
		return verdict;
	return lookup_flow(p);
}

static __always_inline enum flow_verdict decide(struct packet *p)
{
	enum flow_verdict verdict;

	if (!rewrite_supports(p))
		return FLOW_VERDICT_UNSUPPORTED;
	verdict = rewrite_take(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	verdict = nexthop_find(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	return rewrite_decide(p);
}

static __always_inline enum flow_verdict carry(struct packet *p)
{
	enum flow_verdict verdict = find(p);

	if (verdict != VERDICT_NONE)
		return verdict;
	verdict = decide(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	verdict = rewrite_frame(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	p->action = nexthop_send(p);
	return p->out.form == FLOW_FORM_UDP ? FLOW_VERDICT_TO_PEER : FLOW_VERDICT_TO_CLIENT;
}

SEC("xdp")
int turnpike_xdp(struct xdp_md *xdp)
{
	struct packet packet = {
		.xdp = xdp,
		.frame_len = xdp->data_end - xdp->data,
		.action = XDP_PASS,
	};

	stats_record(&packet, carry(&packet));
	return packet.action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
