/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Namespaces, links, programs and flows of the benchmark. See world.h.
 */
#include "world.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "bare_flow.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/macros.h"
#include "net/net.h"

#define HOP_BACK	       1 /* out by the interface it came in by */
#define HOP_ACROSS	       2
#define SLOTS		       64
#define RELAY_FIRST	       50000
#define RELAY_LAST	       50099
#define BUCKET		       1
/* More than one core can send, so that the limit is asked and never reached. */
#define BUCKET_BITS_PER_SECOND 1000000000000ULL
#define BUCKET_BURST_MS	       1000

#define UP(client, listen, number, relayed, peer, hop)                                         \
	{                                                                                      \
		.role = FLOW_ROLE_CHANNEL, .from = client, .at = listen, .channel_in = number, \
		.source = relayed, .to = peer, .next_hop = hop                                 \
	}
#define DOWN(peer, relayed, listen, client, number, hop)                                  \
	{                                                                                 \
		.role = FLOW_ROLE_CHANNEL, .from = peer, .at = relayed, .source = listen, \
		.to = client, .channel_out = number, .next_hop = hop                      \
	}
#define SENDER(client, listen, relayed)                                                   \
	{                                                                                 \
		.role = FLOW_ROLE_SENDER, .from = client, .at = listen, .source = relayed \
	}
#define PERMISSION(peer, relayed, listen, client, hop)                                       \
	{                                                                                    \
		.role = FLOW_ROLE_PERMISSION, .from = peer, .at = relayed, .source = listen, \
		.to = client, .next_hop = HOP_BACK, .peer_hop = hop                          \
	}

static const struct flow_row {
	enum flow_role role;
	const char *from, *at, *source, *to;
	uint16_t channel_in, channel_out;
	uint32_t next_hop, peer_hop, bucket;
} flow_rows[] = {
	UP(CLIENT4, LISTEN4, CHANNEL_PLAIN, RELAY44, PEER4, HOP_BACK),
	DOWN(PEER4, RELAY44, LISTEN4, CLIENT4, CHANNEL_PLAIN, HOP_BACK),
	UP(CLIENT6, LISTEN6, CHANNEL_PLAIN, RELAY66, PEER6, HOP_BACK),
	DOWN(PEER6, RELAY66, LISTEN6, CLIENT6, CHANNEL_PLAIN, HOP_BACK),
	UP(CLIENT4, LISTEN4, CHANNEL_MIXED, RELAY46, PEER6, HOP_BACK),
	DOWN(PEER6, RELAY46, LISTEN4, CLIENT4, CHANNEL_MIXED, HOP_BACK),
	UP(CLIENT6, LISTEN6, CHANNEL_MIXED, RELAY64, PEER4, HOP_BACK),
	DOWN(PEER4, RELAY64, LISTEN6, CLIENT6, CHANNEL_MIXED, HOP_BACK),
	UP(CLIENT4, LISTEN4, CHANNEL_ACROSS, RELAY44, ACROSS4, HOP_ACROSS),
	DOWN(ACROSS4, RELAY44, LISTEN4, CLIENT4, CHANNEL_ACROSS, HOP_ACROSS),
	{.role = FLOW_ROLE_CHANNEL,
	 .from = CLIENT4,
	 .at = LISTEN4,
	 .channel_in = CHANNEL_LIMITED,
	 .source = RELAY44,
	 .to = LIMITED4,
	 .next_hop = HOP_BACK,
	 .bucket = BUCKET},

	SENDER(CLIENT4, LISTEN4, RELAY44),
	SENDER(CLIENT4, LISTEN4, RELAY46),
	SENDER(CLIENT6, LISTEN6, RELAY64),
	SENDER(CLIENT6, LISTEN6, RELAY66),
	PERMISSION("203.0.113.10", RELAY44, LISTEN4, CLIENT4, HOP_BACK),
	PERMISSION("2001:db8:e::10", RELAY46, LISTEN4, CLIENT4, HOP_BACK),
	PERMISSION("203.0.113.10", RELAY64, LISTEN6, CLIENT6, HOP_BACK),
	PERMISSION("2001:db8:e::10", RELAY66, LISTEN6, CLIENT6, HOP_BACK),
	/* Of CLIENT4's allocation for the relay's own address. */
	PERMISSION("192.0.2.1", RELAY44, LISTEN4, CLIENT4, FLOW_NEXT_HOP_SELF),

	UP(CLIENT4, LISTEN4, CHANNEL_HAIRPIN, RELAY44, OTHER_CHANNEL4, FLOW_NEXT_HOP_SELF),
	DOWN(RELAY44, OTHER_CHANNEL4, LISTEN4, "198.51.100.8:40000", CHANNEL_PLAIN, HOP_BACK),
	UP(CLIENT6, LISTEN6, CHANNEL_HAIRPIN, RELAY66, OTHER_CHANNEL6, FLOW_NEXT_HOP_SELF),
	DOWN(RELAY66, OTHER_CHANNEL6, LISTEN6, "[2001:db8:c::8]:40000", CHANNEL_PLAIN, HOP_BACK),
	UP(CLIENT4, LISTEN4, CHANNEL_HAIRPIN_46, RELAY44, OTHER_MIXED4, FLOW_NEXT_HOP_SELF),
	DOWN(RELAY44, OTHER_MIXED4, LISTEN6, "[2001:db8:c::8]:40000", CHANNEL_PLAIN, HOP_BACK),
	UP(CLIENT4, LISTEN4, CHANNEL_HAIRPIN_DI, RELAY44, OTHER_INDICATION4, FLOW_NEXT_HOP_SELF),
	PERMISSION("192.0.2.1", OTHER_INDICATION4, LISTEN4, "198.51.100.9:40000", HOP_BACK),
};

static const char *const relay_names[] = {
#define X(constant, name) name,
	WORLD_RELAYS(X)
#undef X
};

const char *world_relay_name(enum world_relay relay)
{
	return relay_names[relay];
}

struct addr world_addr(const char *text)
{
	struct addr a = {0};

	if (text)
		ASSERT(addr_parse(text, &a) == 0 || addr_parse_ip(text, &a) == 0);
	return a;
}

static int shell(const char *format, ...) PRINTF_LIKE(1, 2);

static int shell(const char *format, ...)
{
	char command[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) == 0)
		return 0;
	fprintf(stderr, "bench: failed: %s\n", command);
	return -EIO;
}

/* Mounts are private, so that pins and a bpffs that was not there go with the process. */
static int enter_namespaces(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) < 0) {
		fprintf(stderr, "bench: cannot make namespaces: %s\n", strerror(errno));
		return -errno;
	}
	/* Nobody has an address here, and no packet but the benchmark's is wanted. */
	return shell("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
		     "net.ipv6.conf.default.disable_ipv6=1");
}

static int make_links(struct world *world)
{
	for (int i = 0; i < WORLD_RELAY_MAX; i++) {
		int err = shell("ip link add tp-gen%d type veth peer name tp-in%d && "
				"ip link add tp-out%d type veth peer name tp-sink%d && "
				"for l in gen in out sink; do ip link set tp-${l}%d up; done",
				i, i, i, i, i);
		char name[4][IF_NAMESIZE];

		if (err)
			return err;
		snprintf(name[0], sizeof(name[0]), "tp-gen%d", i);
		snprintf(name[1], sizeof(name[1]), "tp-in%d", i);
		snprintf(name[2], sizeof(name[2]), "tp-out%d", i);
		snprintf(name[3], sizeof(name[3]), "tp-sink%d", i);
		world->links[i] = (struct world_links){
			if_nametoindex(name[0]), if_nametoindex(name[1]), if_nametoindex(name[2]),
			if_nametoindex(name[3])};
	}
	return 0;
}

static int attach(const struct bpf_program *program, uint32_t ifindex)
{
	int err = bpf_xdp_attach((int)ifindex, bpf_program__fd(program), XDP_FLAGS_DRV_MODE, NULL);

	if (err)
		fprintf(stderr, "bench: cannot attach a program: %s\n", strerror(-err));
	return err;
}

/* On veth a frame arrives only where a program is, so generators and sinks have one as well. */
static int attach_comparisons(const struct world *world)
{
	const struct bpf_program *relays[WORLD_RELAY_MAX] = {
		[WORLD_BARE] = world->bench->progs.bare, [WORLD_WIRE] = world->bench->progs.wire};
	int devices = bpf_map__fd(world->bench->maps.bare_devices), err = 0;

	for (int i = 0; i < WORLD_RELAY_MAX && !err; i++) {
		const struct world_links *links = &world->links[i];

		err = attach(world->bench->progs.bench_sink, links->generator);
		if (!err)
			err = attach(world->bench->progs.bench_sink, links->sink);
		if (!err && relays[i])
			err = attach(relays[i], links->ingress);
		if (!err && relays[i])
			err = attach(relays[i], links->egress);
		if (!err)
			err = bpf_map_update_elem(devices, &links->egress, &links->egress, BPF_ANY);
	}
	return err;
}

static int attach_turnpike(struct world *world)
{
	struct kernel_attachment got;
	struct net_link link = {0};
	const char *const names[] = {"tp-in0", "tp-out0"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int err = kernel_attach(world->kernel, names[i], &got);

		if (err) {
			fprintf(stderr, "bench: %s: %s\n", names[i], got.reason);
			return err;
		}
	}
	if (net_query_link(names[0], &link) == 0)
		world->turnpike_fd = bpf_prog_get_fd_by_id(link.xdp_program);
	return world->turnpike_fd < 0 ? -ENOENT : 0;
}

static void publish_hops(const struct world *world)
{
	struct net_hop hop = {.ifindex = world->links[WORLD_TURNPIKE].ingress,
			      .mtu = 1500,
			      .src_mac = {2, 0, 0, 0, 0, 1},
			      .dst_mac = {2, 0, 0, 0, 0, 2},
			      .valid = true};

	kernel_set_next_hop(world->kernel, HOP_BACK, &hop);
	hop.ifindex = world->links[WORLD_TURNPIKE].egress;
	kernel_set_next_hop(world->kernel, HOP_ACROSS, &hop);
	kernel_set_bucket(world->kernel, BUCKET, BUCKET_BITS_PER_SECOND, BUCKET_BURST_MS);
}

static int add_flows(const struct world *world)
{
	struct timespec now;
	uint64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
	for (size_t i = 0; i < ARRAY_SIZE(flow_rows); i++) {
		const struct flow_row *row = &flow_rows[i];
		const struct flow_spec spec = {
			.in = {world_addr(row->from), world_addr(row->at), row->channel_in},
			.out = {world_addr(row->source), world_addr(row->to), row->channel_out},
			.expires_ns = now_ns + 3600 * NSEC_PER_SEC,
			.next_hop = row->next_hop,
			.allocation = 1,
			.role = row->role,
			.peer_hop = row->peer_hop,
			.bucket = row->bucket,
		};
		bool across = row->next_hop == HOP_ACROSS;
		uint32_t slot;
		int err = flow_table_add(world->flows, &spec, now_ns, &slot);

		if (!err)
			err = bare_flow_add(world->bench, &spec,
					    across ? world->links[WORLD_BARE].egress : 0);
		if (err) {
			fprintf(stderr, "bench: flow %zu: %s\n", i, strerror(-err));
			return err;
		}
	}
	return 0;
}

static int own(struct kernel *kernel, const char *listener)
{
	const struct addr a = world_addr(listener);

	return kernel_own(kernel, &a, a.port, RELAY_FIRST, RELAY_LAST);
}

static int open_kernel(struct world *world)
{
	const struct kernel_options options = {
		.mode = KERNEL_MODE_NATIVE,
		.pin_path = "/sys/fs/bpf/tp-bench",
		.slots = SLOTS,
		.next_hops = 8,
		.buckets = 4,
		.workers = 1,
	};
	struct kernel_problem problem = {""};
	int err = kernel_open(&options, &world->kernel, &problem);

	if (err) {
		fprintf(stderr, "bench: %s\n", problem.text);
		return err;
	}
	err = own(world->kernel, LISTEN4);
	if (!err)
		err = own(world->kernel, LISTEN6);
	return err ? err : flow_table_new(world->kernel, 0, &world->flows);
}

int world_open(struct world *ret)
{
	int err = enter_namespaces();

	*ret = (struct world){.turnpike_fd = -1};
	log_configure(LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	if (!err)
		err = make_links(ret);
	if (!err)
		ret->bench = bench_bpf__open_and_load();
	if (!err && !ret->bench)
		err = -errno;
	if (!err)
		err = open_kernel(ret);
	if (!err)
		err = attach_turnpike(ret);
	if (!err)
		err = attach_comparisons(ret);
	if (!err)
		publish_hops(ret);
	if (!err)
		err = add_flows(ret);
	return err;
}

void world_close(struct world *world)
{
	flow_table_free(&world->flows);
	kernel_close(&world->kernel);
	bench_bpf__destroy(world->bench);
	world->bench = NULL;
	cleanup_close(&world->turnpike_fd);
}
