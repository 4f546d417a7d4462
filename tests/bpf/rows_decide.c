/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XDP rows: packets of a live flow that may not leave this way.
 */
#include "rows.h"

#include <arpa/inet.h>

static void unknown_device(const struct rig *rig, struct rig_flow *flow)
{
	flow->hop.entry[0].ifindex = rig->unknown;
}

static void invalid_hop(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->hop.entry[1] = flow->hop.entry[0];
	flow->hop.entry[0].valid = 0;
}

static void no_hop_yet(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.next_hop = 0;
}

static void hop_beyond_table(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.next_hop = RIG_NEXTHOPS;
}

static void no_out_family(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.out.family = 0;
}

static void unknown_out_form(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.out.form = 200;
}

static void same_form(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.out.form = flow->slot.in.form;
}

static const struct row decide_rows[] = {
	{.what = "no family on the other leg",
	 .arrange = no_out_family,
	 .verdict = FLOW_VERDICT_UNSUPPORTED},
	{.what = "unknown form on the other leg",
	 .arrange = unknown_out_form,
	 .verdict = FLOW_VERDICT_UNSUPPORTED},
	{.what = "the same form on the other leg",
	 .arrange = same_form,
	 .verdict = FLOW_VERDICT_UNSUPPORTED},
	{.what = "four bytes behind the data",
	 .direction = ROW_TO_PEER,
	 .padding = 4,
	 .verdict = FLOW_VERDICT_BAD_LENGTH},
	{.what = "many bytes behind the data",
	 .direction = ROW_TO_PEER,
	 .padding = 200,
	 .verdict = FLOW_VERDICT_BAD_LENGTH},
	{.what = "length one beyond the datagram",
	 .direction = ROW_TO_PEER,
	 PATCH(FRAME_PAYLOAD, 2, 2, {0, 101}),
	 .verdict = FLOW_VERDICT_BAD_LENGTH},
	{.what = "length one beyond the datagram, in the trailer",
	 .direction = ROW_TO_PEER,
	 PATCH(FRAME_PAYLOAD, 2, 2, {0, 101}),
	 .trailer = 10,
	 .verdict = FLOW_VERDICT_BAD_LENGTH},
	{.what = "length far beyond the datagram",
	 .direction = ROW_TO_PEER,
	 PATCH(FRAME_PAYLOAD, 2, 2, {0xff, 0xff}),
	 .verdict = FLOW_VERDICT_BAD_LENGTH},
	{.what = "length 1 without data",
	 .direction = ROW_TO_PEER,
	 .size = -1,
	 PATCH(FRAME_PAYLOAD, 2, 2, {0, 1}),
	 .verdict = FLOW_VERDICT_BAD_LENGTH},
	{.what = "TTL 1", .ttl = 1, .verdict = FLOW_VERDICT_TTL},
	{.what = "TTL 0", .ttl = -1, .verdict = FLOW_VERDICT_TTL},
	{.what = "unresolved next hop",
	 .arrange = invalid_hop,
	 .verdict = FLOW_VERDICT_NO_NEXT_HOP},
	{.what = "no next hop yet", .arrange = no_hop_yet, .verdict = FLOW_VERDICT_NO_NEXT_HOP},
	{.what = "next hop beyond the table",
	 .arrange = hop_beyond_table,
	 .verdict = FLOW_VERDICT_NO_NEXT_HOP},
	{.what = "interface without the program",
	 .arrange = unknown_device,
	 .verdict = FLOW_VERDICT_NO_DEVICE},
	{.what = "one byte too many to the client",
	 .size = 1469,
	 IPV4_ONLY,
	 .direction = ROW_TO_CLIENT,
	 .verdict = FLOW_VERDICT_MTU},
	{.what = "one byte too many to the client",
	 .size = 1449,
	 IPV6_ONLY,
	 .direction = ROW_TO_CLIENT,
	 .verdict = FLOW_VERDICT_MTU},
	{.what = "one byte too many to the peer",
	 .size = 1473,
	 IPV4_ONLY,
	 .direction = ROW_TO_PEER,
	 .verdict = FLOW_VERDICT_MTU},
	{.what = "one byte too many to the peer",
	 .size = 1453,
	 IPV6_ONLY,
	 .direction = ROW_TO_PEER,
	 .verdict = FLOW_VERDICT_MTU},
};

void packets_that_may_not_leave_are_passed_up(void **state)
{
	ROWS_RUN(state, decide_rows);
}
