/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program over whole ranges: every size, padding, truncation, TTL and traffic class, and
 * the values where arithmetic turns over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "rows.h"

#define SIZE_MAX_SWEPT 1500
#define TICK_TRIES     1000

static const uint8_t families[] = {FLOW_IPV4, FLOW_IPV6};

/* Calls the check for both families and both directions. */
static void for_each_flow(struct rig *rig,
			  void (*check)(struct rig *rig, struct rig_flow *flow, struct frame *frame,
					enum flow_verdict carried))
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(families); i++) {
		enum rig_direction direction = i % 2 ? RIG_TO_CLIENT : RIG_TO_PEER;
		struct rig_flow flow = rig_flow(rig, families[i / 2], direction);
		struct frame frame = rig_arriving(&flow);

		check(rig, &flow, &frame,
		      direction == RIG_TO_PEER ? FLOW_VERDICT_TO_PEER : FLOW_VERDICT_TO_CLIENT);
	}
}

static void name(struct rig *rig, const char *what, const struct rig_flow *flow, int value)
{
	snprintf(rig->doing, sizeof(rig->doing), "%s %d (IPv%d, %s)", what, value, flow->key.family,
		 flow->key.channel ? "to peer" : "to client");
}

/* Sizes, with each kind of checksum in turn and, towards the peer, each length of padding. */
static void check_sizes(struct rig *rig, struct rig_flow *flow, struct frame *frame,
			enum flow_verdict carried)
{
	static const enum frame_sum sums[] = {FRAME_SUM_GOOD, FRAME_SUM_PSEUDO, FRAME_SUM_WRONG};

	flow->hop.entry[0].mtu = SIZE_MAX_SWEPT + 100;
	for (int size = 0; size <= SIZE_MAX_SWEPT; size++) {
		for (size_t sum = 0; sum < ARRAY_SIZE(sums); sum++) {
			name(rig, "size", flow, size);
			frame->size = (uint16_t)size;
			frame->sum = sums[sum];
			frame->padding = flow->key.channel ? (uint8_t)(size + sum) % 4 : 0;
			rows_check(rig, flow, frame, carried);
		}
	}
}

static void every_size_is_carried(void **state)
{
	for_each_flow(*state, check_sizes);
}

static void check_padding(struct rig *rig, struct rig_flow *flow, struct frame *frame,
			  enum flow_verdict carried)
{
	if (!flow->key.channel)
		return;
	for (int i = 0; i < 8 * 5 * 4; i++) {
		name(rig, "padding", flow, i);
		frame->size = (uint16_t)(i / 20);
		frame->padding = i / 4 % 5;
		frame->trailer = i % 4 * 7;
		for (frame->sum = FRAME_SUM_GOOD; frame->sum <= FRAME_SUM_WRONG; frame->sum++)
			if (frame->sum != FRAME_SUM_NONE || flow->key.family == FLOW_IPV4)
				rows_check(rig, flow, frame,
					   frame->padding < 4 ? carried : FLOW_VERDICT_BAD_LENGTH);
	}
}

static void padding_is_cut_and_taken_out_of_the_checksum(void **state)
{
	for_each_flow(*state, check_padding);
}

static void check_truncations(struct rig *rig, struct rig_flow *flow, struct frame *frame,
			      enum flow_verdict carried)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	size_t len = frame_build(frame, bytes);

	(void)carried;
	/* BPF_PROG_TEST_RUN takes no frame without a whole Ethernet header. */
	for (size_t cut = 14; cut < len; cut++) {
		name(rig, "cut at", flow, (int)cut);
		rig_install(rig, flow);
		rig_run(rig, bytes, cut, 1, &result);
		rig_check_stats(rig, FLOW_VERDICT_BAD_LENGTH, 1, cut);
		rig_check_traffic(rig, flow->slot_number, 0, 0);
		assert_int_equal(result.action, XDP_PASS);
		assert_int_equal(result.len, cut);
		assert_memory_equal(result.bytes, bytes, cut);
	}
}

static void a_frame_cut_anywhere_is_passed_up(void **state)
{
	for_each_flow(*state, check_truncations);
}

static void check_header_bytes(struct rig *rig, struct rig_flow *flow, struct frame *frame,
			       enum flow_verdict carried)
{
	for (int value = 0; value < 256; value++) {
		name(rig, "traffic class and TTL", flow, value);
		frame->traffic_class = (uint8_t)value;
		frame->ttl = (uint8_t)value;
		rows_check(rig, flow, frame, value <= 1 ? FLOW_VERDICT_TTL : carried);
	}
}

static void every_traffic_class_is_kept_and_every_ttl_counted_down(void **state)
{
	for_each_flow(*state, check_header_bytes);
}

static void check_channels(struct rig *rig, struct rig_flow *flow, struct frame *frame,
			   enum flow_verdict carried)
{
	static const uint16_t numbers[] = {0x4000, 0x4001, 0x40ff, 0x4100, 0x4ffe, 0x4fff};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct flow_leg *leg = flow->key.channel ? &flow->slot.in : &flow->slot.out;

		name(rig, "channel", flow, numbers[i]);
		leg->channel = htons(numbers[i]);
		flow->key = flow->slot.in;
		frame->leg = flow->slot.in;
		rows_check(rig, flow, frame, carried);
	}
}

static void channels_from_0x4000_to_0x4fff_are_carried(void **state)
{
	for_each_flow(*state, check_channels);
}

/* Even the daemon's own mistake is not followed: no packet is ever matched to such a channel. */
static void a_channel_beyond_the_range_is_not_carried(void **state)
{
	static const uint16_t numbers[] = {0x3fff, 0x5000, 0x7fff, 0xffff};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(numbers) * ARRAY_SIZE(families); i++) {
		struct rig_flow flow = rig_flow(rig, families[i % 2], RIG_TO_PEER);
		struct frame frame;

		flow.slot.in.channel = htons(numbers[i / 2]);
		flow.key = flow.slot.in;
		frame = rig_arriving(&flow);
		name(rig, "channel", &flow, numbers[i / 2]);
		rows_check(rig, &flow, &frame,
			   numbers[i / 2] < 0x4000 ? FLOW_VERDICT_CONTROL : FLOW_VERDICT_NO_FLOW);
	}
}

static void check_turning_points(struct rig *rig, struct rig_flow *flow, struct frame *frame,
				 enum flow_verdict carried)
{
	struct frame pseudo = *frame, leaving = rig_leaving(flow, frame);

	pseudo.sum = FRAME_SUM_PSEUDO;
	name(rig, "all ones leave", flow, 0);
	frame_steer(frame, leaving, 0xffff);
	leaving = rig_leaving(flow, frame);
	assert_int_equal(frame_checksum(&leaving), 0xffff);
	rows_check(rig, flow, frame, carried);

	name(rig, "all ones arrive", flow, 0);
	frame_steer(frame, *frame, 0xffff);
	assert_int_equal(frame_checksum(frame), 0xffff);
	rows_check(rig, flow, frame, carried);

	/* A whole checksum that happens to be the pseudo-header's sum. */
	name(rig, "looks like a pseudo-header's sum", flow, 0);
	frame_steer(frame, *frame, frame_checksum(&pseudo));
	assert_int_equal(frame_checksum(frame), frame_checksum(&pseudo));
	rows_check(rig, flow, frame, carried);
}

static void checksums_turn_over_rightly(void **state)
{
	for_each_flow(*state, check_turning_points);
}

static uint64_t coarse_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Runs until the coarse clock stood still around the run, and returns what was carried in it. */
static uint64_t carried_at(struct rig *rig, struct rig_flow *flow, uint64_t later_ns)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	struct frame frame = rig_arriving(flow);
	struct flow_counter counters[FLOW_VERDICT_MAX];
	size_t len = frame_build(&frame, bytes);

	for (int i = 0; i < TICK_TRIES; i++) {
		uint64_t now = coarse_now_ns();

		flow->slot.expires_ns = now + later_ns;
		rig_install(rig, flow);
		rig_run(rig, bytes, len, 1, &result);
		if (coarse_now_ns() != now)
			continue;
		rig_read_stats(rig, counters);
		assert_int_equal(counters[FLOW_VERDICT_TO_PEER].packets +
					 counters[FLOW_VERDICT_TO_CLIENT].packets +
					 counters[FLOW_VERDICT_EXPIRED].packets,
				 1);
		return 1 - counters[FLOW_VERDICT_EXPIRED].packets;
	}
	fail_msg("%s: the clock never stood still", rig->doing);
	return 0;
}

static void check_expiry(struct rig *rig, struct rig_flow *flow, struct frame *frame,
			 enum flow_verdict carried)
{
	(void)frame;
	(void)carried;
	name(rig, "expiry", flow, 0);
	assert_int_equal(carried_at(rig, flow, 0), 0);
	assert_int_equal(carried_at(rig, flow, 1), 1);
}

static void a_flow_ends_at_its_expiry_and_not_a_nanosecond_before(void **state)
{
	for_each_flow(*state, check_expiry);
}

/* RFC 6864 4.1: a datagram that may be fragmented needs an identification that differs. */
static void identifications_differ_where_fragments_may_be(void **state)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	struct rig *rig = *state;
	struct rig_flow flow = rig_flow(rig, FLOW_IPV4, RIG_TO_PEER);
	struct frame frame = rig_arriving(&flow);
	uint16_t ids[4];

	frame.dont_fragment = false;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		rig_install(rig, &flow);
		rig_run(rig, bytes, frame_build(&frame, bytes), 1, &result);
		ids[i] = frame_get16(result.bytes + frame_offset(&frame, FRAME_IP) + 4);
	}
	/* Four random numbers are alike once in 2^48 runs. */
	assert_false(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] == ids[3]);
}

#define ROUND_TRIPS 100

/*
 * Two flows, each of which undoes the other: after so many conversions nothing but the TTL may
 * have changed, the checksum least of all.
 */
static void a_packet_carried_to_and_fro_stays_the_same(void **state)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX], expected[FRAME_MAX];
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct rig_flow to = rig_flow(rig, families[i], RIG_TO_PEER), fro = to;
		struct frame frame = rig_arriving(&to);

		fro.slot.in = to.slot.out;
		fro.slot.out = to.slot.in;
		fro.key = fro.slot.in;
		fro.slot_number = fro.ref.slot = to.slot_number + 2;
		frame.ttl = 255;
		name(rig, "to and fro", &to, 0);
		rig_install(rig, &to);
		rig_add(rig, &fro);
		rig_run(rig, bytes, frame_build(&frame, bytes), 2 * ROUND_TRIPS, &result);
		assert_int_equal(result.action, XDP_TX);

		frame.leg = fro.slot.out;
		frame = rig_leaving(&fro, &frame);
		frame.ttl = 255 - 2 * ROUND_TRIPS;
		assert_int_equal(result.len, frame_build(&frame, expected));
		assert_memory_equal(result.bytes, expected, result.len);
		printf("IPv%d: some %u ns per packet in this run\n", families[i],
		       result.duration_ns);
	}
}

static int open_rig(void **state)
{
	static struct rig rig;

	rig_open(&rig);
	*state = &rig;
	return 0;
}

static int close_rig(void **state)
{
	rig_close(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_is_carried),
		cmocka_unit_test(every_size_is_carried_on_every_path),
		cmocka_unit_test(a_frame_cut_anywhere_is_passed_up_on_every_path),
		cmocka_unit_test(a_send_indication_cut_anywhere_is_passed_up),
		cmocka_unit_test(a_send_indication_of_any_attribute_is_never_misread),
		cmocka_unit_test(checksums_turn_over_rightly_on_every_path),
		cmocka_unit_test(transaction_ids_differ),
		cmocka_unit_test(padding_is_cut_and_taken_out_of_the_checksum),
		cmocka_unit_test(a_frame_cut_anywhere_is_passed_up),
		cmocka_unit_test(every_traffic_class_is_kept_and_every_ttl_counted_down),
		cmocka_unit_test(channels_from_0x4000_to_0x4fff_are_carried),
		cmocka_unit_test(a_channel_beyond_the_range_is_not_carried),
		cmocka_unit_test(checksums_turn_over_rightly),
		cmocka_unit_test(a_flow_ends_at_its_expiry_and_not_a_nanosecond_before),
		cmocka_unit_test(a_packet_carried_to_and_fro_stays_the_same),
		cmocka_unit_test(identifications_differ_where_fragments_may_be),
	};

	if (!rig_may_run("test_sweeps"))
		return 0;
	return cmocka_run_group_tests(tests, open_rig, close_rig);
}
