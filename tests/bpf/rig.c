/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program under BPF_PROG_TEST_RUN. See rig.h.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "netns.h"

#define FLOW_SLOT   3
#define DECOY_SLOT  4
#define GENERATION  0x70000001
#define CPUS_MAX    1024
#define LISTEN_PORT 3478
#define RELAY_FIRST 50000
#define RELAY_LAST  50009

static const struct {
	const char *name;
	enum flow_verdict_kind kind;
} verdicts[] = {
#define X(constant, name, kind, meaning) {#name, FLOW_KIND_##kind},
	FLOW_VERDICTS(X)
#undef X
};

const char *rig_verdict_name(enum flow_verdict verdict)
{
	return verdicts[verdict].name;
}

enum flow_verdict_kind rig_verdict_kind(enum flow_verdict verdict)
{
	return verdicts[verdict].kind;
}

bool rig_may_run(const char *name)
{
	if (!netns_may_run(name))
		return false;
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL) > 0)
		return true;
	printf("SKIP %s: this process cannot load XDP programs\n", name);
	return false;
}

static void set_sizes(struct turnpike_bpf *program)
{
	assert_int_equal(bpf_map__set_max_entries(program->maps.slots, RIG_SLOTS), 0);
	assert_int_equal(bpf_map__set_max_entries(program->maps.traffic, RIG_SLOTS), 0);
	assert_int_equal(bpf_map__set_max_entries(program->maps.nexthops, RIG_NEXTHOPS), 0);
	assert_int_equal(bpf_map__set_max_entries(program->maps.buckets, RIG_BUCKETS), 0);
}

void rig_open(struct rig *rig)
{
	*rig = (struct rig){.program = turnpike_bpf__open()};
	assert_non_null(rig->program);
	set_sizes(rig->program);
	netns_run("ip link add name tp-in type veth peer name tp-out");
	rig->ingress = if_nametoindex("tp-in");
	rig->other = if_nametoindex("tp-out");
	rig->unknown = if_nametoindex("lo");
	assert_int_equal(turnpike_bpf__load(rig->program), 0);
	/* Only this one: a redirect that succeeds can have gone nowhere else. */
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(rig->program->maps.devices), &rig->other,
					     &rig->other, BPF_ANY),
			 0);
}

void rig_close(struct rig *rig)
{
	turnpike_bpf__destroy(rig->program);
	rig->program = NULL;
}

static union flow_ip ip(const char *text)
{
	union flow_ip ret = {};

	assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, &ret), 1);
	return ret;
}

static struct flow_leg leg(uint8_t family, const char *src4, const char *dst4, const char *src6,
			   const char *dst6, uint16_t sport, uint16_t dport)
{
	return (struct flow_leg){
		.src = ip(family == FLOW_IPV4 ? src4 : src6),
		.dst = ip(family == FLOW_IPV4 ? dst4 : dst6),
		.sport = htons(sport),
		.dport = htons(dport),
		.family = family,
	};
}

static void set_legs(struct flow_slot *slot, uint8_t family, enum rig_direction direction)
{
	if (direction == RIG_TO_PEER) {
		slot->in = leg(family, "198.51.100.7", "192.0.2.1", "2001:db8:c::7", "2001:db8::1",
			       40000, LISTEN_PORT);
		slot->out = leg(family, "192.0.2.1", "203.0.113.9", "2001:db8::1", "2001:db8:e::9",
				RELAY_FIRST + 1, 5000);
		slot->in.channel = htons(0x4001);
		slot->in.form = FLOW_FORM_CHANNEL;
	} else {
		slot->in = leg(family, "203.0.113.9", "192.0.2.1", "2001:db8:e::9", "2001:db8::1",
			       5000, RELAY_FIRST + 1);
		slot->out = leg(family, "192.0.2.1", "198.51.100.7", "2001:db8::1", "2001:db8:c::7",
				LISTEN_PORT, 40000);
		slot->out.channel = htons(0x4001);
		slot->out.form = FLOW_FORM_CHANNEL;
	}
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

struct rig_flow rig_flow(const struct rig *rig, uint8_t family, enum rig_direction direction)
{
	struct rig_flow flow = {
		.ref = {.slot = FLOW_SLOT, .generation = GENERATION},
		.slot_number = FLOW_SLOT,
		.slot = {.generation = GENERATION,
			 .next_hop = 1 + direction,
			 .expires_ns = now_ns() + 60 * NSEC_PER_SEC},
		.hop.entry = {{.ifindex = rig->ingress,
			       .mtu = RIG_MTU,
			       .src_mac = {2, 0x11, 0x12, 0x13, 0x14, (uint8_t)direction},
			       .dst_mac = {2, 0x21, 0x22, 0x23, 0x24, (uint8_t)direction},
			       .valid = 1}},
	};

	set_legs(&flow.slot, family, direction);
	flow.key = flow.slot.in;
	return flow;
}

static void update(const struct bpf_map *map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

static void clear(const struct bpf_map *map)
{
	uint8_t key[64];

	while (bpf_map_get_next_key(bpf_map__fd(map), NULL, key) == 0)
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(map), key), 0);
}

static void list(const struct rig *rig, const struct flow_leg *in, const struct flow_ref *ref)
{
	struct flow_key4 key4 = {.src = in->src.v4,
				 .dst = in->dst.v4,
				 .sport = in->sport,
				 .dport = in->dport,
				 .channel = in->channel};
	struct flow_key6 key6 = {.sport = in->sport, .dport = in->dport, .channel = in->channel};

	memcpy(key6.src, in->src.v6, sizeof(key6.src));
	memcpy(key6.dst, in->dst.v6, sizeof(key6.dst));
	if (in->family == FLOW_IPV4)
		update(rig->program->maps.flows4, &key4, ref);
	else
		update(rig->program->maps.flows6, &key6, ref);
}

static void own(const struct rig *rig, const char *address, uint32_t family)
{
	struct flow_own_key key = {.ip = ip(address), .family = family};
	struct flow_own value = {.listen_ports = {9999, LISTEN_PORT},
				 .relay_first = RELAY_FIRST,
				 .relay_last = RELAY_LAST};

	update(rig->program->maps.owned, &key, &value);
}

static void clear_counters(const struct rig *rig)
{
	static const struct flow_stats zero[CPUS_MAX];

	assert_true(libbpf_num_possible_cpus() <= CPUS_MAX);
	update(rig->program->maps.stats, &(uint32_t){0}, zero);
	for (uint32_t i = 0; i < RIG_SLOTS; i++)
		update(rig->program->maps.traffic, &i, zero);
}

static void clear_arrays(const struct rig *rig)
{
	const struct flow_slot slot = {};
	const struct flow_next_hop hop = {};
	const struct flow_bucket bucket = {};

	for (uint32_t i = 0; i < RIG_SLOTS; i++)
		update(rig->program->maps.slots, &i, &slot);
	for (uint32_t i = 0; i < RIG_NEXTHOPS; i++)
		update(rig->program->maps.nexthops, &i, &hop);
	for (uint32_t i = 0; i < RIG_BUCKETS; i++)
		update(rig->program->maps.buckets, &i, &bucket);
}

/* The flow the other way: nothing of it may show in what the packet becomes. */
static void install_decoy(struct rig *rig, const struct rig_flow *flow)
{
	struct rig_flow decoy = rig_flow(rig, flow->key.family,
					 flow->slot.next_hop == 1 ? RIG_TO_CLIENT : RIG_TO_PEER);
	const struct flow_ref ref = {.slot = DECOY_SLOT, .generation = GENERATION};

	list(rig, &decoy.slot.in, &ref);
	update(rig->program->maps.slots, &ref.slot, &decoy.slot);
	update(rig->program->maps.nexthops, &decoy.slot.next_hop, &decoy.hop);
}

void rig_add(struct rig *rig, const struct rig_flow *flow)
{
	if (!flow->absent)
		list(rig, &flow->key, &flow->ref);
	if (flow->slot_number < RIG_SLOTS)
		update(rig->program->maps.slots, &flow->slot_number, &flow->slot);
	if (flow->slot.next_hop > 0 && flow->slot.next_hop < RIG_NEXTHOPS)
		update(rig->program->maps.nexthops, &flow->slot.next_hop, &flow->hop);
	if (flow->slot.peer_hop > 0 && flow->slot.peer_hop < RIG_NEXTHOPS)
		update(rig->program->maps.nexthops, &flow->slot.peer_hop, &flow->hop);
}

void rig_clear(struct rig *rig)
{
	clear(rig->program->maps.flows4);
	clear(rig->program->maps.flows6);
	clear(rig->program->maps.owned);
	clear_arrays(rig);
	clear_counters(rig);
	own(rig, "192.0.2.1", FLOW_IPV4);
	own(rig, "2001:db8::1", FLOW_IPV6);
}

void rig_install(struct rig *rig, const struct rig_flow *flow)
{
	rig_clear(rig);
	install_decoy(rig, flow);
	rig_add(rig, flow);
}

struct frame rig_arriving(const struct rig_flow *flow)
{
	return (struct frame){
		.leg = flow->key,
		.dst_mac = {2, 0x31, 0x32, 0x33, 0x34, 0x35},
		.src_mac = {2, 0x41, 0x42, 0x43, 0x44, 0x45},
		.size = 100,
		.ttl = 64,
		.dont_fragment = true,
		.id = 0x4242,
		.flow_label = 0xabcde,
	};
}

struct frame rig_leaving(const struct rig_flow *flow, const struct frame *arriving)
{
	const struct flow_next_hop_entry *hop = &flow->hop.entry[flow->hop.active & 1];
	struct frame leaving = *arriving;

	leaving.leg = flow->slot.out;
	memcpy(leaving.dst_mac, hop->dst_mac, 6);
	memcpy(leaving.src_mac, hop->src_mac, 6);
	for (size_t i = 0; i < FRAME_PATCHES; i++)
		if (leaving.patches[i].layer != FRAME_DATA)
			leaving.patches[i].len = 0;
	leaving.padding = 0;
	leaving.trailer = 0;
	leaving.ttl--;
	leaving.id = 0;
	leaving.flow_label = 0;
	if (leaving.sum == FRAME_SUM_PSEUDO)
		leaving.sum = FRAME_SUM_GOOD;
	return leaving;
}

int rig_run_behind(const struct rig *rig, size_t metadata, const uint8_t *bytes, size_t len,
		   uint32_t repeat, struct rig_result *ret)
{
	static uint8_t in[RIG_METADATA + FRAME_MAX], out[RIG_METADATA + sizeof(ret->bytes)];
	struct xdp_md context = {.data = (uint32_t)metadata,
				 .data_end = (uint32_t)(metadata + len),
				 .ingress_ifindex = rig->ingress};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in, .data_size_in = context.data_end,
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)repeat);
	int err;

	assert_true(metadata <= RIG_METADATA && len <= FRAME_MAX);
	memcpy(in + metadata, bytes, len);
	err = bpf_prog_test_run_opts(bpf_program__fd(rig->program->progs.turnpike_xdp), &options);
	if (err)
		return err;
	ret->action = options.retval;
	ret->duration_ns = options.duration;
	ret->len = options.data_size_out - metadata;
	memcpy(ret->bytes, out + metadata, ret->len);
	return 0;
}

void rig_run(const struct rig *rig, const uint8_t *bytes, size_t len, uint32_t repeat,
	     struct rig_result *ret)
{
	int err = rig_run_behind(rig, 0, bytes, len, repeat, ret);

	if (err)
		fail_msg("%s: BPF_PROG_TEST_RUN of %zu bytes: %s", rig->doing, len, strerror(-err));
}

void rig_read_stats(const struct rig *rig, struct flow_counter ret[static FLOW_VERDICT_MAX])
{
	static union {
		struct flow_stats records[CPUS_MAX];
		struct flow_counter counters[CPUS_MAX][FLOW_VERDICT_MAX];
	} all;

	memset(ret, 0, FLOW_VERDICT_MAX * sizeof(ret[0]));
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(rig->program->maps.stats), &(uint32_t){0},
					     all.records),
			 0);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
		for (int i = 0; i < FLOW_VERDICT_MAX; i++) {
			ret[i].packets += all.counters[cpu][i].packets;
			ret[i].bytes += all.counters[cpu][i].bytes;
		}
	}
}

void rig_check_stats(struct rig *rig, enum flow_verdict verdict, uint64_t packets, uint64_t bytes)
{
	struct flow_counter counters[FLOW_VERDICT_MAX];

	rig_read_stats(rig, counters);
	for (int i = 0; i < FLOW_VERDICT_MAX; i++) {
		bool expected = i == (int)verdict;

		rig->verdicts[i] += counters[i].packets;
		if (counters[i].packets != (expected ? packets : 0) ||
		    counters[i].bytes != (expected ? bytes : 0))
			fail_msg("%s: counted %llu packets, %llu bytes as %s; expected %s",
				 rig->doing, (unsigned long long)counters[i].packets,
				 (unsigned long long)counters[i].bytes, rig_verdict_name(i),
				 rig_verdict_name(verdict));
	}
}

void rig_check_traffics(const struct rig *rig, uint32_t mask, uint64_t packets, uint64_t bytes)
{
	static struct flow_counter cpus[CPUS_MAX];

	for (uint32_t i = 0; i < RIG_SLOTS; i++) {
		bool expected = mask >> i & 1;
		struct flow_counter sum = {};

		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(rig->program->maps.traffic), &i, cpus), 0);
		for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
			sum.packets += cpus[cpu].packets;
			sum.bytes += cpus[cpu].bytes;
		}
		if (sum.packets != (expected ? packets : 0) || sum.bytes != (expected ? bytes : 0))
			fail_msg("%s: traffic of slot %u: %llu packets, %llu bytes", rig->doing, i,
				 (unsigned long long)sum.packets, (unsigned long long)sum.bytes);
	}
}

void rig_check_traffic(const struct rig *rig, uint32_t slot, uint64_t packets, uint64_t bytes)
{
	rig_check_traffics(rig, slot < RIG_SLOTS ? 1U << slot : 0, packets, bytes);
}
