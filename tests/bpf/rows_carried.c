/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XDP rows: packets that are relayed, and how they come out.
 */
#include "rows.h"

#include <arpa/inet.h>

static void redirect(const struct rig *rig, struct rig_flow *flow)
{
	flow->hop.entry[0].ifindex = rig->other;
}

static void second_entry(const struct rig *rig, struct rig_flow *flow)
{
	flow->hop.entry[1] = flow->hop.entry[0];
	flow->hop.entry[1].ifindex = rig->other;
	flow->hop.entry[1].dst_mac[5] = 0x77;
	flow->hop.entry[0].valid = 0;
	flow->hop.active = 1;
}

static const struct row carried_rows[] = {
	{.what = "a packet goes out on its interface"},
	{.what = "a packet is redirected to another interface", .arrange = redirect},
	{.what = "the active entry of a next hop is used", .arrange = second_entry},
	{.what = "a single byte", .size = 1},
	{.what = "no data", .size = -1},
	{.what = "no data, trailer", .size = -1, .trailer = 18},
	{.what = "a short frame's trailer is cut", .size = 2, .trailer = 12},
	{.what = "one byte of padding", .size = 99, .padding = 1, .direction = ROW_TO_PEER},
	{.what = "two bytes of padding", .size = 98, .padding = 2, .direction = ROW_TO_PEER},
	{.what = "three bytes of padding", .size = 97, .padding = 3, .direction = ROW_TO_PEER},
	{.what = "padding that aligns nothing", .padding = 3, .direction = ROW_TO_PEER},
	{.what = "padding behind no data", .size = -1, .padding = 3, .direction = ROW_TO_PEER},
	{.what = "padding and trailer",
	 .size = 1,
	 .padding = 3,
	 .trailer = 10,
	 .direction = ROW_TO_PEER},
	{.what = "padding of a packet summed by its device",
	 .size = 97,
	 .padding = 3,
	 .sum = FRAME_SUM_PSEUDO,
	 .direction = ROW_TO_PEER},
	{.what = "no checksum stays none", .sum = FRAME_SUM_NONE, .family = FLOW_IPV4},
	{.what = "a pseudo-header's sum is completed", .sum = FRAME_SUM_PSEUDO},
	{.what = "a pseudo-header's sum is completed over odd data",
	 .size = 1163,
	 .sum = FRAME_SUM_PSEUDO},
	{.what = "a pseudo-header's sum over no data", .size = -1, .sum = FRAME_SUM_PSEUDO},
	{.what = "a wrong checksum stays wrong", .sum = FRAME_SUM_WRONG},
	{.what = "a wrong checksum stays wrong over odd data", .size = 7, .sum = FRAME_SUM_WRONG},
	{.what = "TTL 2 leaves as 1", .ttl = 2},
	{.what = "TTL 255", .ttl = 255},
	{.what = "ECT(1)", .traffic_class = 0x01},
	{.what = "ECT(0)", .traffic_class = 0x02},
	{.what = "congestion experienced", .traffic_class = 0x03},
	{.what = "DSCP EF", .traffic_class = 0xb8},
	{.what = "DSCP AF41 with ECT(0)", .traffic_class = 0x8a},
	{.what = "all of the traffic class", .traffic_class = 0xff},
	{.what = "without DF", .may_fragment = true, .family = FLOW_IPV4},
	{.what = "without DF, no checksum",
	 .may_fragment = true,
	 .sum = FRAME_SUM_NONE,
	 .family = FLOW_IPV4},
	{.what = "the reserved flag is not carried",
	 .patches = {{FRAME_IP, 6, 1, {0xc0}}},
	 .family = FLOW_IPV4},
	{.what = "a peer's data may look like a channel",
	 .patches = {{FRAME_DATA, 0, 4, {0x40, 0x01, 0, 96}}},
	 .direction = ROW_TO_CLIENT},
	{.what = "a peer's data may look like a channel whose length lies",
	 .patches = {{FRAME_DATA, 0, 4, {0x40, 0x01, 0xff, 0xff}}},
	 .direction = ROW_TO_CLIENT},
	{.what = "a peer's data may look like STUN",
	 .patches = {{FRAME_DATA, 0, 8, {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}}},
	 .direction = ROW_TO_CLIENT},
	{.what = "a client's data may look like a channel",
	 .patches = {{FRAME_DATA, 0, 4, {0x40, 0x02, 0, 96}}},
	 .direction = ROW_TO_PEER},
	{.what = "the largest datagram from the client",
	 .size = 1468,
	 .family = FLOW_IPV4,
	 .direction = ROW_TO_PEER},
	{.what = "the largest datagram to the client",
	 .size = 1468,
	 .family = FLOW_IPV4,
	 .direction = ROW_TO_CLIENT},
	{.what = "the largest datagram to the client",
	 .size = 1448,
	 .family = FLOW_IPV6,
	 .direction = ROW_TO_CLIENT},
	{.what = "as large as the egress allows",
	 .size = 1472,
	 .family = FLOW_IPV4,
	 .direction = ROW_TO_PEER},
	{.what = "as large as the egress allows",
	 .size = 1452,
	 .family = FLOW_IPV6,
	 .direction = ROW_TO_PEER},
};

void every_flow_is_carried_byte_for_byte(void **state)
{
	ROWS_RUN(state, carried_rows);
}
