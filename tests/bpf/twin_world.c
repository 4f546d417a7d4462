/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay and the loaded program. See twin_world.h. The clients that bring its state about are
 * in twin_clients.c, the flows in twin_flows.c.
 */
#include "twin_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "kernel_fixture.h"
#include "netns.h"
#include "twin_clients.h"
#include "twin_flows.h"

#define LISTEN_PORT    3478
/* Less than the test sends even where a sanitizer slows it. */
#define TWIN_BANDWIDTH 1000000
#define TWIN_BURST_MS  10
#define RELAY_FIRST    50000
#define RELAY_LAST     50199
#define EXTERNAL       "203.0.113.200"

static struct addr address(const char *text, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, &a), 0);
	a.port = port;
	return a;
}

static void publish_hops(struct twin_kernel *k)
{
	static const uint8_t macs[2][6] = {{2, 0x11, 0, 0, 0, 0}, {2, 0x22, 0, 0, 0, 0}};
	const unsigned int devices[TWIN_HOP_MAX] = {
		[TWIN_HOP_SAME] = k->ingress,
		[TWIN_HOP_OTHER] = if_nametoindex("tp-other"),
		[TWIN_HOP_NARROW] = k->ingress,
		[TWIN_HOP_TAGGED] = k->ingress,
		[TWIN_HOP_DOUBLE_TAGGED] = if_nametoindex("tp-other"),
		[TWIN_HOP_UNRESOLVED] = k->ingress,
		[TWIN_HOP_STRANGE] = if_nametoindex("lo"),
	};

	for (uint32_t id = 1; id < TWIN_HOP_MAX; id++) {
		struct net_hop *hop = &k->hops[id];

		hop->ifindex = devices[id];
		hop->mtu = id == TWIN_HOP_NARROW ? 1280 : 1500;
		hop->valid = id != TWIN_HOP_UNRESOLVED;
		hop->tags = id == TWIN_HOP_TAGGED ? 1 : id == TWIN_HOP_DOUBLE_TAGGED ? 2 : 0;
		hop->tag[0] = (struct net_tag){hop->tags == 2 ? 0x88a8 : 0x8100, 0x6123};
		hop->tag[1] = (struct net_tag){0x8100, 0x0456};
		memcpy(hop->src_mac, macs[0], 6);
		memcpy(hop->dst_mac, macs[1], 6);
		hop->src_mac[5] = hop->dst_mac[5] = (uint8_t)id;
		kernel_set_next_hop(k->kernel, id, hop);
	}
}

void twin_kernel_open(struct twin_kernel *ret)
{
	struct kernel_options options = fixture_options(KERNEL_MODE_AUTO);
	struct kernel_problem problem = {""};
	const struct addr own[] = {address("192.0.2.1", 0), address("2001:db8::1", 0)};
	struct twin_kernel k = {.kernel = NULL};

	netns_make_pair();
	/* No frame but the test's own may be counted. */
	netns_run_there("ip link set tp-there down");
	netns_run("ip link add name tp-other type veth peer name tp-far && "
		  "ip link set tp-other up");
	options.slots = TWIN_SLOTS;
	options.next_hops = TWIN_NEXT_HOPS;
	options.buckets = TWIN_BUCKETS;
	options.workers = 1;
	if (kernel_open(&options, &k.kernel, &problem) != 0)
		fail_msg("kernel_open: %s", problem.text);
	fixture_attach(k.kernel, "tp-here", KERNEL_MODE_NATIVE);
	fixture_attach(k.kernel, "tp-other", KERNEL_MODE_NATIVE);
	k.ingress = if_nametoindex("tp-here");
	k.program = bpf_prog_get_fd_by_id(fixture_program_on("tp-here"));
	assert_true(k.program >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		assert_int_equal(
			kernel_own(k.kernel, &own[i], LISTEN_PORT, RELAY_FIRST, RELAY_LAST), 0);
	publish_hops(&k);
	*ret = k;
}

void twin_kernel_close(struct twin_kernel *kernel)
{
	cleanup_close(&kernel->program);
	kernel_close(&kernel->kernel);
}

void twin_world_set_clock(struct twin_world *world)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	world->now.mono_ns = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec +
			     TWIN_CLOCK_AHEAD;
	world->now.wall_s = 1700000000;
	twin_fill(&world->random, world->entropy.bytes, TURN_ENTROPY_MIN);
	world->entropy.left = TURN_ENTROPY_MIN;
}

bool twin_world_is_own(const struct twin_world *world, const struct addr *ip)
{
	return addr_same_ip(ip, &world->own[0]) || addr_same_ip(ip, &world->own[1]);
}

static struct ports *make_ports(struct twin_world *w)
{
	struct ports_config config = {
		.first = RELAY_FIRST, .last = RELAY_LAST, .reservations_max = 1, .count = 2};
	struct ports *ports;

	config.addresses[0].internal = address("192.0.2.1", 0);
	config.addresses[0].external = address(twin_chance(&w->random, 50) ? EXTERNAL : "192.0.2.1",
					       0);
	config.addresses[1].internal = config.addresses[1].external = address("2001:db8::1", 0);
	assert_int_equal(ports_new(&config, &ports), 0);
	return ports;
}

static void make_turn(struct twin_world *w)
{
	static const char *const allow[] = {"198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"};
	struct turn_config config = {
		.nonce_lifetime_s = 600,
		.allocations_max = 2 * TWIN_CLIENTS,
		.permissions_per_allocation = 32,
		.channels_per_allocation = 32,
	};

	for (size_t i = 0; i < ARRAY_SIZE(allow); i++)
		assert_int_equal(prefix_parse(allow[i], &w->allow[i]), 0);
	w->own[0] = address("192.0.2.1", 0);
	w->own[1] = address("2001:db8::1", 0);
	w->listeners[0] = address("192.0.2.1", LISTEN_PORT);
	w->listeners[1] = address("2001:db8::1", LISTEN_PORT);
	assert_int_equal(credentials_new(TWIN_REALM, &w->credentials), 0);
	assert_int_equal(credentials_add(w->credentials, TWIN_USER, TWIN_PASSWORD), 0);
	w->ports = make_ports(w);
	config.credentials = w->credentials;
	config.ports = w->ports;
	memset(config.nonce_key, TWIN_NONCE_KEY, sizeof(config.nonce_key));
	config.peers = (struct peer_policy){
		.allow = w->allow, .allow_count = 3, .own = w->own, .own_count = 2};
	assert_int_equal(turn_new(&config, &w->turn), 0);
}

struct twin_world *twin_world_new(struct twin_kernel *kernel, uint64_t seed)
{
	struct twin_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->kernel = kernel;
	w->random.state = seed;
	assert_int_equal(flow_table_new(kernel->kernel, 0, &w->table), 0);
	make_turn(w);
	w->limited = twin_chance(&w->random, 10);
	for (uint32_t id = 1; id < TWIN_BUCKETS; id++)
		kernel_set_bucket(kernel->kernel, id, TWIN_BANDWIDTH, TWIN_BURST_MS);
	twin_world_set_clock(w);
	twin_clients_populate(w);
	return w;
}

void twin_world_free(struct twin_world **world)
{
	struct twin_world *w = *world;

	*world = NULL;
	if (!w)
		return;
	flow_table_free(&w->table);
	turn_free(&w->turn);
	ports_free(&w->ports);
	credentials_free(&w->credentials);
	free(w);
}
