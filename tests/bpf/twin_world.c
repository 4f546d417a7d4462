/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay's state, and how turn's actions become flows in the maps. See twin_world.h. The
 * clients that bring it about are in twin_clients.c.
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

#define LISTEN_PORT 3478
#define RELAY_FIRST 50000
#define RELAY_LAST  50199
#define EXTERNAL    "203.0.113.200"

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
		[TWIN_HOP_UNRESOLVED] = k->ingress,
		[TWIN_HOP_STRANGE] = if_nametoindex("lo"),
	};

	for (uint32_t id = 1; id < TWIN_HOP_MAX; id++) {
		struct net_hop *hop = &k->hops[id];

		hop->ifindex = devices[id];
		hop->mtu = id == TWIN_HOP_NARROW ? 1280 : 1500;
		hop->valid = id != TWIN_HOP_UNRESOLVED;
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
	netns_run("ip link add name tp-other type veth peer name tp-far && "
		  "ip link set tp-other up");
	options.slots = TWIN_SLOTS;
	options.workers = 1;
	if (kernel_open(&options, &k.kernel, &problem) != 0)
		fail_msg("kernel_open: %s", problem.text);
	fixture_attach(k.kernel, "tp-here", KERNEL_MODE_NATIVE);
	fixture_attach(k.kernel, "tp-other", KERNEL_MODE_NATIVE);
	/* No frame but the test's own may be counted. */
	netns_run_there("ip link set tp-there down");
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

/* Most hops are good ones. */
static uint32_t draw_hop(struct twin_random *random)
{
	static const uint8_t hops[] = {
		TWIN_HOP_SAME,	TWIN_HOP_SAME,	 TWIN_HOP_SAME, TWIN_HOP_OTHER,
		TWIN_HOP_OTHER, TWIN_HOP_NARROW, TWIN_HOP_SAME, TWIN_HOP_OTHER,
	};

	if (twin_chance(random, 10))
		return twin_below(random, TWIN_HOP_MAX);
	return hops[twin_below(random, sizeof(hops))];
}

static uint64_t kernel_time(uint64_t turn_ns)
{
	return turn_ns > TWIN_CLOCK_AHEAD ? turn_ns - TWIN_CLOCK_AHEAD : 0;
}

static void install(struct twin_world *world, struct twin_flow *flow, const struct flow_spec *spec)
{
	int err;

	if (flow->installed) {
		flow_table_set_expiry(world->table, flow->slot, spec->expires_ns);
		flow->spec.expires_ns = spec->expires_ns;
		return;
	}
	*flow = (struct twin_flow){.spec = *spec};
	flow->spec.next_hop = draw_hop(&world->random);
	err = flow_table_add(world->table, &flow->spec, kernel_time(world->now.mono_ns),
			     &flow->slot);
	if (err)
		fail_msg("flow_table_add: %s", strerror(-err));
	flow->installed = true;
}

static void set_flow(struct twin_world *world, const struct turn_flow *flow)
{
	struct twin_channel *channel = &world->channels[flow->flow];
	const struct flow_spec to_peer = {
		.in = {flow->tuple.client, flow->tuple.server, flow->channel},
		.out = {flow->relayed, flow->peer, 0},
		.expires_ns = kernel_time(flow->to_peer_expires_ns),
		.allocation = flow->allocation,
	};
	const struct flow_spec to_client = {
		.in = {flow->peer, flow->relayed, 0},
		.out = {flow->tuple.server, flow->tuple.client, flow->channel},
		.expires_ns = kernel_time(flow->to_client_expires_ns),
		.allocation = flow->allocation,
	};

	assert_true(flow->flow < TWIN_FLOWS);
	channel->live = true;
	channel->flow = *flow;
	if (flow->peer_is_allocation)
		return;
	install(world, &channel->to_peer, &to_peer);
	install(world, &channel->to_client, &to_client);
}

static void remove_flow(struct twin_world *world, uint32_t number)
{
	struct twin_channel *channel = &world->channels[number];

	assert_true(number < TWIN_FLOWS && channel->live);
	if (channel->to_peer.installed)
		flow_table_remove(world->table, channel->to_peer.slot, world->now.mono_ns);
	if (channel->to_client.installed)
		flow_table_remove(world->table, channel->to_client.slot, world->now.mono_ns);
	*channel = (struct twin_channel){.live = false};
}

static void open_relay(struct twin_world *world, const struct turn_action *action)
{
	struct turn_relay_result result = {.relay = (int)world->relay_count, .reserved = -1};
	uint32_t ticket = action->open_relay.ticket;

	assert_true(world->relay_count < TWIN_RELAYS);
	world->relays[world->relay_count++] = (struct twin_relay){
		.open = true, .internal = action->open_relay.internal};
	turn_actions_clear(&world->out);
	turn_relay_opened(world->turn, &world->now, &world->entropy, ticket, &result, &world->out);
	twin_world_carry_out(world);
}

void twin_world_carry_out(struct twin_world *world)
{
	for (size_t i = 0; i < world->out.count; i++) {
		const struct turn_action *action = &world->out.items[i];

		if (action->kind == TURN_SET_FLOW)
			set_flow(world, &action->set_flow);
		else if (action->kind == TURN_REMOVE_FLOW)
			remove_flow(world, action->remove_flow.flow);
		else if (action->kind == TURN_CLOSE_RELAY)
			world->relays[action->close_relay.relay].open = false;
		else if (action->kind == TURN_OPEN_RELAY) {
			/* The last one of a list. */
			open_relay(world, action);
			return;
		}
	}
}

static bool has_leg(const struct twin_flow *flow, const struct addr *src, const struct addr *dst,
		    uint16_t channel)
{
	return flow->installed && flow->spec.in.channel == channel &&
	       addr_equal(&flow->spec.in.src, src) && addr_equal(&flow->spec.in.dst, dst);
}

struct twin_flow *twin_world_flow(struct twin_world *world, const struct addr *src,
				  const struct addr *dst, uint16_t channel)
{
	for (size_t i = 0; i < TWIN_FLOWS; i++) {
		struct twin_channel *c = &world->channels[i];

		if (has_leg(&c->to_peer, src, dst, channel))
			return &c->to_peer;
		if (has_leg(&c->to_client, src, dst, channel))
			return &c->to_client;
	}
	return NULL;
}

static struct ports *make_ports(void)
{
	struct ports_config config = {
		.first = RELAY_FIRST, .last = RELAY_LAST, .reservations_max = 1, .count = 2};
	struct ports *ports;

	config.addresses[0].internal = address("192.0.2.1", 0);
	config.addresses[0].external = address(EXTERNAL, 0);
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
	w->ports = make_ports();
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
