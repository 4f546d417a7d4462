/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XDP rows: packets of no flow, or of one that must not be used.
 */
#include "rows.h"

#include <arpa/inet.h>

static void not_installed(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->absent = true;
}

static void expired_long_ago(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.expires_ns = 1;
}

static void never_live(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.expires_ns = 0;
}

static void other_generation(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.generation++;
}

static void free_slot(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.generation = 0;
	flow->ref.generation = 0;
}

static void slot_beyond_table(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->ref.slot = RIG_SLOTS;
}

static void another_slot(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->ref.slot = 4; /* the decoy's, of the same generation */
}

static void other_source(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.in.src.v6[flow->key.family == FLOW_IPV4 ? 3 : 15] ^= 1;
}

static void other_destination(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.in.dst.v6[0] ^= 0x80;
}

static void other_source_port(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.in.sport ^= htons(1);
}

static void other_destination_port(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.in.dport ^= htons(0x8000);
}

static void other_channel(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.in.channel ^= htons(1);
}

static void other_in_form(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.in.form ^= 1;
}

static void other_in_family(const struct rig *rig, struct rig_flow *flow)
{
	(void)rig;
	flow->slot.in.family ^= FLOW_IPV4 ^ FLOW_IPV6;
}

/* Destination ports: 3478 and 9999 listen, 50000 to 50009 are relayed addresses. */
#define TO_PORT(port) .patches = {{FRAME_UDP, 2, 2, {(port) >> 8, (port)&0xff}}}

static const struct row lookup_rows[] = {
	{.what = "not installed", .arrange = not_installed, .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "another source port",
	 PATCH(FRAME_UDP, 0, 2, {1, 1}),
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "another source",
	 IPV4_ONLY,
	 PATCH(FRAME_IP, 12, 1, {10}),
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "another source",
	 IPV6_ONLY,
	 PATCH(FRAME_IP, 23, 1, {10}),
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "another channel",
	 PATCH(FRAME_PAYLOAD, 0, 2, {0x40, 0x02}),
	 .direction = ROW_TO_PEER,
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "channel numbers end at 0x4fff",
	 PATCH(FRAME_PAYLOAD, 0, 2, {0x50, 0x01}),
	 .direction = ROW_TO_PEER,
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "neither STUN nor a channel",
	 PATCH(FRAME_PAYLOAD, 0, 2, {0x80, 0x01}),
	 .direction = ROW_TO_PEER,
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "a channel's flow is not for bare data",
	 PATCH(FRAME_PAYLOAD, 0, 2, {0xff, 0xff}),
	 .direction = ROW_TO_PEER,
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "Binding request",
	 .direction = ROW_TO_PEER,
	 PATCH(FRAME_PAYLOAD, 0, 8, {0, 1, 0, 96, 0x21, 0x12, 0xa4, 0x42}),
	 .verdict = FLOW_VERDICT_CONTROL},
	{.what = "the largest STUN type",
	 PATCH(FRAME_PAYLOAD, 0, 2, {0x3f, 0xff}),
	 .direction = ROW_TO_PEER,
	 .verdict = FLOW_VERDICT_CONTROL},
	{.what = "STUN to another listener",
	 .direction = ROW_TO_PEER,
	 .patches = {{FRAME_UDP, 2, 2, {9999 >> 8, 9999 & 0xff}}, {FRAME_PAYLOAD, 0, 2, {0, 1}}},
	 .verdict = FLOW_VERDICT_CONTROL},
	{.what = "STUN to a relayed address",
	 .direction = ROW_TO_CLIENT,
	 .arrange = not_installed,
	 PATCH(FRAME_PAYLOAD, 0, 2, {0, 1}),
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "first relay port", TO_PORT(50000), .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "last relay port", TO_PORT(50009), .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "below the relay ports", TO_PORT(49999), .verdict = FLOW_VERDICT_NOT_OWNED},
	{.what = "above the relay ports", TO_PORT(50010), .verdict = FLOW_VERDICT_NOT_OWNED},
	{.what = "port 0 is no listener", TO_PORT(0), .verdict = FLOW_VERDICT_NOT_OWNED},
	{.what = "another host's address",
	 IPV4_ONLY,
	 PATCH(FRAME_IP, 16, 1, {10}),
	 .verdict = FLOW_VERDICT_NOT_OWNED},
	{.what = "another host's address",
	 IPV6_ONLY,
	 PATCH(FRAME_IP, 39, 1, {10}),
	 .verdict = FLOW_VERDICT_NOT_OWNED},
	{.what = "empty datagram to a listener",
	 .size = -1,
	 TO_PORT(3478),
	 .direction = ROW_TO_CLIENT,
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "three bytes are no ChannelData",
	 .size = 3,
	 .direction = ROW_TO_CLIENT,
	 .patches = {{FRAME_UDP, 2, 2, {3478 >> 8, 3478 & 0xff}},
		     {FRAME_PAYLOAD, 0, 3, {0x40, 0x01, 0}}},
	 .verdict = FLOW_VERDICT_NO_FLOW},
	{.what = "removed or reused slot",
	 .arrange = other_generation,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "free slot", .arrange = free_slot, .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "slot beyond the table",
	 .arrange = slot_beyond_table,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "another flow's slot",
	 .arrange = another_slot,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "slot of another source",
	 .arrange = other_source,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "slot of another destination",
	 .arrange = other_destination,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "slot of another source port",
	 .arrange = other_source_port,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "slot of another destination port",
	 .arrange = other_destination_port,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "slot of another channel",
	 .arrange = other_channel,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "slot of another form",
	 .arrange = other_in_form,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "slot of another family",
	 .arrange = other_in_family,
	 .verdict = FLOW_VERDICT_STALE_SLOT},
	{.what = "expired", .arrange = expired_long_ago, .verdict = FLOW_VERDICT_EXPIRED},
	{.what = "never live", .arrange = never_live, .verdict = FLOW_VERDICT_EXPIRED},
};

void packets_of_no_live_flow_are_passed_up(void **state)
{
	ROWS_RUN(state, lookup_rows);
}
