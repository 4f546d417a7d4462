/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of XDP tests. See rows.h.
 */
#include "rows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

static uint32_t expected_action(const struct rig *rig, const struct rig_flow *flow,
				enum flow_verdict verdict)
{
	if (rig_verdict_kind(verdict) != FLOW_KIND_CARRIED)
		return XDP_PASS;
	return flow->hop.entry[flow->hop.active & 1].ifindex == rig->ingress ? XDP_TX
									     : XDP_REDIRECT;
}

static void compare(const struct rig *rig, const struct rig_result *result, const uint8_t *bytes,
		    size_t len)
{
	size_t at = 0;

	if (result->len != len)
		fail_msg("%s: %zu bytes came out, expected %zu", rig->doing, result->len, len);
	while (at < len && result->bytes[at] == bytes[at])
		at++;
	if (at < len)
		fail_msg("%s: byte %zu of %zu is 0x%02x, expected 0x%02x", rig->doing, at, len,
			 result->bytes[at], bytes[at]);
}

void rows_check(struct rig *rig, const struct rig_flow *flow, const struct frame *arriving,
		enum flow_verdict verdict)
{
	static struct rig_result result;
	static uint8_t in[FRAME_MAX], out[FRAME_MAX];
	bool carried = rig_verdict_kind(verdict) == FLOW_KIND_CARRIED;
	size_t in_len = frame_build(arriving, in);
	uint32_t action = expected_action(rig, flow, verdict);
	struct frame leaving = *arriving;

	rig_install(rig, flow);
	rig_run(rig, in, in_len, 1, &result);
	rig_check_stats(rig, verdict, 1, in_len);
	rig_check_traffic(rig, flow->slot_number, carried, carried ? arriving->size : 0);
	if (result.action != action)
		fail_msg("%s: action %u, expected %u", rig->doing, result.action, action);
	if (carried)
		leaving = rig_leaving(flow, arriving);
	/* The one random field: taken over, so that the header checksum still has to fit. */
	if (carried && leaving.leg.family == FLOW_IPV4 && !leaving.dont_fragment)
		leaving.id = frame_get16(result.bytes + frame_offset(&leaving, FRAME_IP) + 4);
	compare(rig, &result, out, frame_build(&leaving, out));
}

static void run_row(struct rig *rig, const struct row *row, uint8_t family,
		    enum rig_direction direction)
{
	struct rig_flow flow = rig_flow(rig, family, direction);
	struct frame frame = rig_arriving(&flow);
	enum flow_verdict verdict = row->verdict;

	snprintf(rig->doing, sizeof(rig->doing), "%s (IPv%d, %s)", row->what, family,
		 direction == RIG_TO_PEER ? "to peer" : "to client");
	if (row->arrange)
		row->arrange(rig, &flow);
	if (row->size)
		frame.size = row->size < 0 ? 0 : (uint16_t)row->size;
	if (row->ttl)
		frame.ttl = row->ttl < 0 ? 0 : (uint8_t)row->ttl;
	frame.padding = row->padding;
	frame.trailer = row->trailer;
	frame.traffic_class = row->traffic_class;
	frame.dont_fragment = !row->may_fragment;
	frame.sum = row->sum;
	frame.bad_header = row->bad_header;
	memcpy(frame.patches, row->patches, sizeof(frame.patches));
	if (verdict == ROW_CARRIED && direction == RIG_TO_CLIENT)
		verdict = FLOW_VERDICT_TO_CLIENT;
	rows_check(rig, &flow, &frame, verdict);
}

void rows_run(struct rig *rig, const struct row *rows, size_t count)
{
	static const uint8_t families[] = {FLOW_IPV4, FLOW_IPV6};

	for (size_t i = 0; i < count; i++) {
		for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
			if (rows[i].family && rows[i].family != families[f])
				continue;
			if (rows[i].direction != ROW_TO_CLIENT)
				run_row(rig, &rows[i], families[f], RIG_TO_PEER);
			if (rows[i].direction != ROW_TO_PEER)
				run_row(rig, &rows[i], families[f], RIG_TO_CLIENT);
		}
	}
}
