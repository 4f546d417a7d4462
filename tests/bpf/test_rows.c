/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program, row by row: one packet each, every verdict, every output byte and counter. The
 * last test proves that no verdict was left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "rows.h"
#include "rows_paths.h"

#define HEADROOM_RUNS	 200
#define HEADROOM_DATA	 100
#define OLD_METADATA_MAX 32

/* What `grown` runs made of the packet: each put a ChannelData header before all that was there. */
static size_t build_grown(const struct rig_flow *flow, size_t grown, uint8_t ret[static FRAME_MAX])
{
	static uint8_t data[HEADROOM_DATA + 4 * HEADROOM_RUNS];
	const size_t nested = 4 * (grown - 1);
	struct frame frame = rig_arriving(flow);

	frame_build(&frame, ret);
	memcpy(data + nested, ret + frame_offset(&frame, FRAME_DATA), HEADROOM_DATA);
	for (size_t i = 1; i < grown; i++) {
		memcpy(data + nested - 4 * i, &flow->slot.out.channel, 2);
		frame_put16(data + nested - 4 * i + 2, (uint16_t)(HEADROOM_DATA + 4 * (i - 1)));
	}
	frame = rig_leaving(flow, &frame);
	frame.ttl = (uint8_t)(255 - grown);
	frame.size = (uint16_t)(HEADROOM_DATA + nested);
	frame.data = data;
	return frame_build(&frame, ret);
}

/*
 * BPF_PROG_TEST_RUN leaves room before the packet, but does not give it back between repeats. A
 * flow whose way out has the addresses of its way in matches again and again, four bytes longer
 * each time, until the room is used up.
 */
static void a_packet_grows_until_its_headroom_is_used_up(void **state)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	struct rig *rig = *state;
	struct rig_flow flow = rig_flow(rig, FLOW_IPV4, RIG_TO_CLIENT);
	struct flow_counter counters[FLOW_VERDICT_MAX];
	struct frame frame = rig_arriving(&flow);
	size_t grown;

	snprintf(rig->doing, sizeof(rig->doing), "headroom");
	flow.slot.out = flow.slot.in;
	flow.slot.out.form = FLOW_FORM_CHANNEL;
	flow.slot.out.channel = htons(0x4abc);
	frame.ttl = 255;
	rig_install(rig, &flow);
	rig_run(rig, bytes, frame_build(&frame, bytes), HEADROOM_RUNS, &result);
	rig_read_stats(rig, counters);
	grown = counters[FLOW_VERDICT_TO_CLIENT].packets;
	rig->verdicts[FLOW_VERDICT_HEADROOM] += counters[FLOW_VERDICT_HEADROOM].packets;

	assert_true(grown > 0 && grown < HEADROOM_RUNS);
	assert_int_equal(counters[FLOW_VERDICT_HEADROOM].packets, HEADROOM_RUNS - grown);
	assert_int_equal(result.action, XDP_PASS);
	rig_check_traffic(rig, flow.slot_number, grown,
			  HEADROOM_DATA * grown + 4 * grown * (grown - 1) / 2);
	assert_int_equal(result.len, build_grown(&flow, grown, bytes));
	assert_memory_equal(result.bytes, bytes, result.len);
}

/* The most metadata that the kernel accepts, which leaves no headroom. False before 6.5. */
static bool run_without_headroom(const struct rig *rig, const uint8_t *bytes, size_t len,
				 struct rig_result *ret)
{
	for (size_t metadata = RIG_METADATA; metadata > OLD_METADATA_MAX; metadata -= 4)
		if (rig_run_behind(rig, metadata, bytes, len, 1, ret) != -EINVAL)
			return true;
	return false;
}

static void a_packet_without_headroom_is_passed_up_untouched(void **state)
{
	static const uint8_t families[] = {FLOW_IPV4, FLOW_IPV6};
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct rig_flow flow = rig_flow(rig, families[i], RIG_TO_CLIENT);
		struct frame frame = rig_arriving(&flow);
		size_t len;

		snprintf(rig->doing, sizeof(rig->doing), "no headroom (IPv%d)", families[i]);
		frame.trailer = 9;
		len = frame_build(&frame, bytes);
		rig_install(rig, &flow);
		if (!run_without_headroom(rig, bytes, len, &result)) {
			printf("SKIP %s: needs the metadata that kernel 6.5 allows\n", __func__);
			return;
		}
		rig_check_stats(rig, FLOW_VERDICT_HEADROOM, 1, len);
		rig_check_traffic(rig, flow.slot_number, 0, 0);
		assert_int_equal(result.action, XDP_PASS);
		assert_int_equal(result.len, len);
		assert_memory_equal(result.bytes, bytes, len);
	}
}

/* Here the frame grows at its end first, and must be cut again. */
static void check_without_headroom(struct rig *rig, struct path *path)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	size_t len;

	if (path->from != FLOW_FORM_UDP || path->to != FLOW_FORM_INDICATION)
		return;
	for (uint8_t trailer = 0; trailer < 5; trailer++) {
		path->frame.size = 101;
		path->frame.trailer = trailer;
		len = frame_build(&path->frame, bytes);
		path_install(rig, path);
		if (!run_without_headroom(rig, bytes, len, &result))
			return;
		rig_check_stats(rig, FLOW_VERDICT_HEADROOM, 1, len);
		assert_int_equal(result.action, XDP_PASS);
		assert_int_equal(result.len, len);
		assert_memory_equal(result.bytes, bytes, len);
	}
}

static void a_packet_that_grows_at_both_ends_is_passed_up_untouched(void **state)
{
	paths_for_each(*state, check_without_headroom);
}

static void every_verdict_was_hit(void **state)
{
	const struct rig *rig = *state;

	for (int i = 0; i < FLOW_VERDICT_MAX; i++)
		if (!rig->verdicts[i])
			fail_msg("no row ends in %s", rig_verdict_name(i));
}

static void print_size(const struct rig *rig)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int fd = bpf_program__fd(rig->program->progs.turnpike_xdp);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	printf("program: %u instructions verified, %u bytes translated, %u bytes of machine code\n",
	       info.verified_insns, info.xlated_prog_len, info.jited_prog_len);
}

static int open_rig(void **state)
{
	static struct rig rig;

	rig_open(&rig);
	print_size(&rig);
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
		cmocka_unit_test(every_flow_is_carried_byte_for_byte),
		cmocka_unit_test(unusual_packets_are_passed_up),
		cmocka_unit_test(packets_of_no_live_flow_are_passed_up),
		cmocka_unit_test(packets_that_may_not_leave_are_passed_up),
		cmocka_unit_test(every_path_is_carried_byte_for_byte),
		cmocka_unit_test(packets_that_a_path_refuses_are_passed_up),
		cmocka_unit_test(uncommon_send_indications_are_passed_up),
		cmocka_unit_test(data_over_the_bandwidth_is_dropped),
		cmocka_unit_test(a_burst_is_let_through),
		cmocka_unit_test(no_limit_limits_nothing),
		cmocka_unit_test(padding_without_tailroom_is_left_to_the_daemon),
		cmocka_unit_test(a_packet_grows_until_its_headroom_is_used_up),
		cmocka_unit_test(a_packet_without_headroom_is_passed_up_untouched),
		cmocka_unit_test(a_packet_that_grows_at_both_ends_is_passed_up_untouched),
		cmocka_unit_test(every_verdict_was_hit),
	};

	if (!rig_may_run("test_rows"))
		return 0;
	return cmocka_run_group_tests(tests, open_rig, close_rig);
}
