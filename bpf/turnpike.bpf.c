/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel path's entry point: carries the packets of flows that the daemon has installed, and
 * passes everything else up with a named reason. One pipeline for every combination of families
 * and forms:
 *
 *   parse -> find the flow -> take the data out of one form -> aim it -> decide -> put it into the
 *   other form and address it -> send
 *
 * Up to rewrite_frame nothing of the packet changes, so every step before may pass it up; after
 * it the packet is sent. Needs kernel 5.15: no kfuncs, no bpf_loop, no helper newer than that.
 */
#include "lib/packet.h"

#include "lib/form.h"
#include "lib/limit.h"
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
	verdict = lookup_flow(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	return form_supports(p) ? VERDICT_NONE : FLOW_VERDICT_UNSUPPORTED;
}

/* Where the data goes that a flow alone does not say: Send indications, other allocations. */
static __always_inline enum flow_verdict aim(struct packet *p)
{
	enum flow_verdict verdict;
	__u8 form = p->in.form;

	if (form == FLOW_FORM_INDICATION) {
		verdict = lookup_peer(p);
		if (verdict != VERDICT_NONE)
			return verdict;
	}
	if (form == FLOW_FORM_UDP || p->flow.next_hop != FLOW_NEXT_HOP_SELF)
		return VERDICT_NONE;
	verdict = lookup_allocation(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	return form_supports(p) ? VERDICT_NONE : FLOW_VERDICT_UNSUPPORTED;
}

static __always_inline enum flow_verdict charge(struct packet *p)
{
	bool to_client = p->flow.out.form != FLOW_FORM_UDP, allowed = true;

	if (p->to_allocation && p->first_bucket)
		allowed = limit_charge(p->first_bucket, false, p->data_len, p->now_ns);
	if (allowed && p->flow.bucket)
		allowed = limit_charge(p->flow.bucket, to_client, p->data_len, p->now_ns);
	if (allowed)
		return VERDICT_NONE;
	p->action = XDP_DROP;
	return FLOW_VERDICT_OVER_BANDWIDTH;
}

static __always_inline enum flow_verdict decide(struct packet *p)
{
	enum flow_verdict verdict = nexthop_find(p);

	if (verdict != VERDICT_NONE)
		return verdict;
	verdict = rewrite_decide(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	return charge(p);
}

static __always_inline enum flow_verdict carry(struct packet *p)
{
	enum flow_verdict verdict = find(p);

	if (verdict != VERDICT_NONE)
		return verdict;
	verdict = form_take(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	verdict = aim(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	verdict = decide(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	verdict = rewrite_frame(p);
	if (verdict != VERDICT_NONE)
		return verdict;
	p->action = nexthop_send(p);
	if (p->to_allocation)
		return FLOW_VERDICT_TO_ALLOCATION;
	return p->flow.out.form == FLOW_FORM_UDP ? FLOW_VERDICT_TO_PEER : FLOW_VERDICT_TO_CLIENT;
}

SEC("xdp")
int turnpike_xdp(struct xdp_md *xdp)
{
	/* Not zeroed: each field is set before it is read, and stores would cost nanoseconds. */
	struct packet packet;

	packet.xdp = xdp;
	packet.frame_len = xdp->data_end - xdp->data;
	packet.action = XDP_PASS;
	packet.to_allocation = false;
	stats_record(&packet, carry(&packet));
	return packet.action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
