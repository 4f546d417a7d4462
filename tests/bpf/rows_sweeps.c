/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sweeps over every path of the XDP program: sizes, cuts, attributes, and where checksums turn
 * over. A path is installed once, then many packets take it.
 */
#include "rows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "rows_paths.h"

#define SIZE_MAX_SWEPT 1500
#define ETHERNET_LEN   14
#define STUN_LEN       20

/* What was counted since the path was installed, by verdict. */
static void check_counted(struct rig *rig, const struct path *path, uint64_t carried, uint64_t data)
{
	struct flow_counter counters[FLOW_VERDICT_MAX];

	rig_read_stats(rig, counters);
	assert_int_equal(counters[path_verdict(path)].packets, carried);
	rig_check_traffics(rig, path_slots(path), carried, data);
}

/* Every size, with each kind of checksum and of Send indication in turn. */
static void check_sizes(struct rig *rig, struct path *path)
{
	uint64_t carried = 0, data = 0;

	path_hop_flow(path)->hop.entry[0].mtu = UINT16_MAX;
	path_install(rig, path);
	for (unsigned int i = 0; i < 2 * (SIZE_MAX_SWEPT + 1); i++) {
		struct frame *frame = &path->frame;

		frame->size = (uint16_t)(i / 2);
		frame->sum = (i / 2 + i) % (FRAME_SUM_WRONG + 1);
		if (frame->sum == FRAME_SUM_NONE && path->from_family == FLOW_IPV6)
			frame->sum = FRAME_SUM_WRONG;
		if (path->from == FLOW_FORM_CHANNEL)
			frame->padding = (uint8_t)(i / 3 % 4);
		if (path->from == FLOW_FORM_INDICATION)
			frame->message.kind = (uint8_t)(i / 3 % FRAME_DATA_INDICATION);
		frame->trailer = (uint8_t)(i / 5 % 6);
		frame->dont_fragment = i / 7 % 2;
		path_run(rig, path, path_verdict(path));
		carried++;
		data += frame->size;
	}
	check_counted(rig, path, carried, data);
}

void every_size_is_carried_on_every_path(void **state)
{
	paths_for_each(*state, check_sizes);
}

/* BPF_PROG_TEST_RUN takes no frame without a whole Ethernet header. */
static void check_frame_cuts(struct rig *rig, struct path *path)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	size_t len;

	path->frame.tags = 2;
	path->frame.tag[0].protocol = path->frame.tag[1].protocol = (__be16)0x0081;
	len = frame_build(&path->frame, bytes);
	for (size_t cut = ETHERNET_LEN; cut < len; cut++) {
		path_install(rig, path);
		rig_run(rig, bytes, cut, 1, &result);
		rig_check_stats(rig, FLOW_VERDICT_BAD_LENGTH, 1, cut);
		assert_int_equal(result.action, XDP_PASS);
		assert_int_equal(result.len, cut);
		assert_memory_equal(result.bytes, bytes, cut);
	}
}

void a_frame_cut_anywhere_is_passed_up_on_every_path(void **state)
{
	paths_for_each(*state, check_frame_cuts);
}

/* One of the verdicts that a packet is passed up with; returns which. */
static enum flow_verdict run_passed(struct rig *rig, struct path *path)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	struct flow_counter counters[FLOW_VERDICT_MAX];
	size_t len = frame_build(&path->frame, bytes);

	path_install(rig, path);
	rig_run(rig, bytes, len, 1, &result);
	rig_read_stats(rig, counters);
	for (int i = 0; i < FLOW_VERDICT_MAX; i++) {
		if (!counters[i].packets)
			continue;
		if (rig_verdict_kind(i) != FLOW_KIND_PASSED)
			return i;
		assert_int_equal(result.action, XDP_PASS);
		assert_int_equal(result.len, len);
		assert_memory_equal(result.bytes, bytes, len);
		return i;
	}
	fail_msg("%s: nothing counted", rig->doing);
	return FLOW_VERDICT_MAX;
}

/* The datagram ends early; its header says so, or still promises all of it. */
static enum flow_verdict verdict_of_cut(const struct path *path, size_t left, bool adjusted)
{
	const bool fingerprint = path->frame.message.kind == FRAME_SEND_FINGERPRINT ||
				 path->frame.message.kind == FRAME_SEND_DATA_FIRST_FINGERPRINT;

	if (left < STUN_LEN)
		return left ? FLOW_VERDICT_CONTROL : FLOW_VERDICT_NO_FLOW;
	if (!adjusted || left % 4)
		return FLOW_VERDICT_BAD_LENGTH;
	if (fingerprint && path->frame.cut == 8)
		return path_verdict(path);
	return FLOW_VERDICT_MAX;
}

static void check_send_cuts(struct rig *rig, struct path *path)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame *frame = &path->frame;
	size_t whole;

	if (path->from != FLOW_FORM_INDICATION || path->to_allocation)
		return;
	for (unsigned int i = 0; i < 2 * FRAME_DATA_INDICATION; i++) {
		frame->message.kind = (uint8_t)(i / 2);
		frame->size = 37;
		frame->cut = 0;
		frame->patches[0].len = 0;
		whole = frame_build(frame, bytes) - frame_offset(frame, FRAME_PAYLOAD);
		for (frame->cut = 1; frame->cut <= whole; frame->cut++) {
			size_t left = whole - frame->cut;
			enum flow_verdict wanted = verdict_of_cut(path, left, i % 2), got;

			if (i % 2 == 0)
				frame->patches[0] = (struct frame_patch){
					FRAME_PAYLOAD, 2, 2, {0, (uint8_t)(whole - STUN_LEN)}};
			/* Cut in the header, there is no length to put right. */
			if (left < 4)
				frame->patches[0].len = 0;
			got = run_passed(rig, path);
			if (wanted == FLOW_VERDICT_MAX
				    ? got != FLOW_VERDICT_BAD_LENGTH &&
					      got != FLOW_VERDICT_OTHER_ATTRIBUTES
				    : got != wanted)
				fail_msg("%s: %zu of %zu bytes, kind %u: %s", rig->doing, left,
					 whole, frame->message.kind, rig_verdict_name(got));
		}
	}
}

void a_send_indication_cut_anywhere_is_passed_up(void **state)
{
	paths_for_each(*state, check_send_cuts);
}

/*
 * Each byte of the first attribute's and the second's header takes each value: only what comes out
 * unchanged, for a byte that does not matter, may be carried.
 */
static void check_attribute_bytes(struct rig *rig, struct path *path)
{
	struct frame *frame = &path->frame;
	const size_t second = path->relay_family == FLOW_IPV4 ? 32 : 44;
	const size_t offsets[] = {20, 21, 22, 23, 25, second, second + 1, second + 2, second + 3};
	static uint8_t bytes[FRAME_MAX];

	if (path->from != FLOW_FORM_INDICATION || path->to_allocation)
		return;
	frame->message.kind = FRAME_SEND_FINGERPRINT;
	for (size_t i = 0; i < ARRAY_SIZE(offsets) * 256; i++) {
		const size_t at = offsets[i / 256];
		const uint8_t value = (uint8_t)i;
		enum flow_verdict verdict;

		frame->patches[0].len = 0;
		frame_build(frame, bytes);
		if (bytes[frame_offset(frame, FRAME_PAYLOAD) + at] == value)
			continue;
		/*
		 * 97 to 99 bytes of data have as much padding as is there for 100, and 105 to 108
		 * take the FINGERPRINT in.
		 */
		if (at == second + 3 &&
		    ((value > 96 && value < 100) || (value > 104 && value < 109)))
			continue;
		frame->patches[0] = (struct frame_patch){FRAME_PAYLOAD, (uint16_t)at, 1, {value}};
		verdict = run_passed(rig, path);
		if (rig_verdict_kind(verdict) != FLOW_KIND_PASSED)
			fail_msg("%s: byte %zu as 0x%02x: %s", rig->doing, at, value,
				 rig_verdict_name(verdict));
	}
}

void a_send_indication_of_any_attribute_is_never_misread(void **state)
{
	paths_for_each(*state, check_attribute_bytes);
}

static void check_turning_points(struct rig *rig, struct path *path)
{
	static const struct rig_result no_result;
	struct frame *frame = &path->frame, pseudo = *frame, leaving;

	path_install(rig, path);
	pseudo.sum = FRAME_SUM_PSEUDO;
	/* A Data indication's checksum hangs on its transaction id. */
	if (path->to != FLOW_FORM_INDICATION) {
		leaving = path_leaving(path, frame, &no_result);
		frame_steer(frame, leaving, 0xffff);
		leaving = path_leaving(path, frame, &no_result);
		assert_int_equal(frame_checksum(&leaving), 0xffff);
		path_run(rig, path, path_verdict(path));
	}
	frame_steer(frame, *frame, 0xffff);
	assert_int_equal(frame_checksum(frame), 0xffff);
	path_run(rig, path, path_verdict(path));

	frame_steer(frame, *frame, frame_checksum(&pseudo));
	assert_int_equal(frame_checksum(frame), frame_checksum(&pseudo));
	path_run(rig, path, path_verdict(path));
}

void checksums_turn_over_rightly_on_every_path(void **state)
{
	paths_for_each(*state, check_turning_points);
}

/* Two random ids of 96 bits are never alike, nor are the words of one. */
static void check_transaction_ids(struct rig *rig, struct path *path)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	uint8_t ids[2][12];

	if (path->to != FLOW_FORM_INDICATION)
		return;
	path_install(rig, path);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct frame leaving;

		rig_run(rig, bytes, frame_build(&path->frame, bytes), 1, &result);
		leaving = path_leaving(path, &path->frame, &result);
		memcpy(ids[i], leaving.message.transaction_id, sizeof(ids[i]));
	}
	for (size_t word = 0; word < sizeof(ids[0]); word += 4)
		if (memcmp(ids[0] + word, ids[1] + word, 4) == 0 &&
		    memcmp(ids[0], ids[1], sizeof(ids[0])) == 0)
			fail_msg("%s: the same transaction id twice", rig->doing);
	assert_memory_not_equal(ids[0], ids[0] + 4, 4);
	assert_memory_not_equal(ids[0] + 4, ids[0] + 8, 4);
}

void transaction_ids_differ(void **state)
{
	paths_for_each(*state, check_transaction_ids);
}
