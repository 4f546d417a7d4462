/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XDP rows: bandwidth of an allocation, and room behind the packet.
 */
#include "rows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rows_paths.h"

#define BUCKET	      1
#define OTHER_BUCKET  2
#define NS_PER_KIB    1024000000U /* a millisecond a byte: no test is slower than the limit */
#define BURST_MS      500U
#define LONG_AGO_NS   1ULL
#define BROKEN_BUCKET RIG_BUCKETS

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static void set_bucket(const struct rig *rig, uint32_t number, const struct flow_bucket *bucket)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(rig->program->maps.buckets), &number,
					     bucket, BPF_ANY),
			 0);
}

static struct flow_bucket get_bucket(const struct rig *rig, uint32_t number)
{
	struct flow_bucket bucket;

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(rig->program->maps.buckets), &number, &bucket), 0);
	return bucket;
}

/* Runs the path's packet again, without installing: the bucket keeps what it was charged. */
static void run(struct rig *rig, struct path *path, enum flow_verdict verdict)
{
	path_run(rig, path, verdict);
	rig->verdicts[verdict]++;
}

static void set_path_bucket(struct path *path)
{
	path->flows[PATH_FIRST].slot.bucket = BUCKET;
	if (path->to_allocation)
		path->flows[PATH_SECOND].slot.bucket = OTHER_BUCKET;
}

/*
 * 1000 bytes cost a second, which is beyond the burst: the second packet is one too many. Nothing
 * but the direction that the data has is charged.
 */
static void check_charge(struct rig *rig, struct path *path)
{
	const bool up = path->from != FLOW_FORM_UDP;
	const struct flow_bucket bucket = {
		.to_peer_ns = LONG_AGO_NS,
		.to_client_ns = LONG_AGO_NS,
		.ns_per_kib = NS_PER_KIB,
		.burst_ms = BURST_MS,
	};
	struct flow_bucket after;
	uint64_t began = now_ns(), charged;

	set_path_bucket(path);
	path->frame.size = 1000;
	path_install(rig, path);
	set_bucket(rig, BUCKET, &bucket);
	set_bucket(rig, OTHER_BUCKET, &bucket);
	run(rig, path, path_verdict(path));
	after = get_bucket(rig, BUCKET);
	charged = up ? after.to_peer_ns : after.to_client_ns;
	assert_int_equal(up ? after.to_client_ns : after.to_peer_ns, LONG_AGO_NS);
	/* The coarse clock may be a tick, 10 ms at most, behind. */
	assert_in_range(charged, began + 990 * NSEC_PER_SEC / 1000, now_ns() + NSEC_PER_SEC);
	after = get_bucket(rig, OTHER_BUCKET);
	assert_int_equal(after.to_peer_ns, LONG_AGO_NS);
	if (path->to_allocation)
		assert_int_equal(after.to_client_ns, charged);
	run(rig, path, FLOW_VERDICT_OVER_BANDWIDTH);
	rig_check_traffics(rig, path_slots(path), 1, 1000);
	after = get_bucket(rig, BUCKET);
	assert_int_equal(up ? after.to_peer_ns : after.to_client_ns, charged);
}

void data_over_the_bandwidth_is_dropped(void **state)
{
	paths_for_each(*state, check_charge);
}

/* Data up to the burst ahead of its time passes, and not what comes further ahead. */
static void check_burst(struct rig *rig, struct path *path)
{
	struct flow_bucket bucket = {.ns_per_kib = 1024, .burst_ms = BURST_MS};

	set_path_bucket(path);
	path_install(rig, path);
	bucket.to_peer_ns = bucket.to_client_ns = now_ns() + (BURST_MS - 50) * 1000000ULL;
	set_bucket(rig, BUCKET, &bucket);
	set_bucket(rig, OTHER_BUCKET, &bucket);
	run(rig, path, path_verdict(path));
	bucket.to_peer_ns = bucket.to_client_ns = now_ns() + (BURST_MS + 3600000) * 1000000ULL;
	set_bucket(rig, path->to_allocation ? OTHER_BUCKET : BUCKET, &bucket);
	run(rig, path, FLOW_VERDICT_OVER_BANDWIDTH);
}

void a_burst_is_let_through(void **state)
{
	paths_for_each(*state, check_burst);
}

/* No bucket, one that sets no limit, one that is not there. */
static void check_unlimited(struct rig *rig, struct path *path)
{
	static const uint32_t numbers[] = {0, BUCKET, BROKEN_BUCKET};
	const struct flow_bucket bucket = {.to_peer_ns = UINT64_MAX, .to_client_ns = UINT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		for (size_t flow = 0; flow < PATH_FLOWS; flow++)
			path->flows[flow].slot.bucket = numbers[i];
		path_install(rig, path);
		set_bucket(rig, 0, &(struct flow_bucket){UINT64_MAX, UINT64_MAX, 1, 0});
		set_bucket(rig, BUCKET, &bucket);
		run(rig, path, path_verdict(path));
	}
}

void no_limit_limits_nothing(void **state)
{
	paths_for_each(*state, check_unlimited);
}

/* Whether BPF_PROG_TEST_RUN gives the program all of the frame at once, and not in fragments. */
static bool is_seen_whole(struct rig *rig, size_t len)
{
	static struct rig_result result;
	static uint8_t bytes[FRAME_MAX];
	struct flow_counter counters[FLOW_VERDICT_MAX];
	uint64_t seen = 0;

	rig_clear(rig);
	if (rig_run_behind(rig, 0, bytes, len, 1, &result) != 0)
		return false;
	rig_read_stats(rig, counters);
	for (size_t i = 0; i < FLOW_VERDICT_MAX; i++)
		seen += counters[i].bytes;
	return seen == len;
}

/* The largest such frame. Behind it there is no room left. */
static size_t largest_frame(struct rig *rig)
{
	size_t len = FRAME_MAX;

	while (len > 0 && !is_seen_whole(rig, len))
		len--;
	return len;
}

/*
 * Data that needs padding there is passed up untouched, although there is headroom. Where padding
 * fits into what is behind the data anyway, none is needed.
 */
static void check_tailroom(struct rig *rig, struct path *path)
{
	const size_t largest = largest_frame(rig);
	size_t size = largest - frame_offset(&path->frame, FRAME_DATA);

	if (path->to != FLOW_FORM_INDICATION || path->from != FLOW_FORM_UDP)
		return;
	path_hop_flow(path)->hop.entry[0].mtu = UINT16_MAX;
	for (size_t trailer = 0; trailer < 8; trailer++) {
		path->frame.size = (uint16_t)(size - trailer);
		path->frame.trailer = (uint8_t)trailer;
		path_check(rig, path,
			   (4 - path->frame.size % 4) % 4 > (int)trailer ? FLOW_VERDICT_TAILROOM
									 : path_verdict(path));
	}
}

void padding_without_tailroom_is_left_to_the_daemon(void **state)
{
	paths_for_each(*state, check_tailroom);
}
