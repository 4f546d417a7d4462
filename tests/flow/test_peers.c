/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may be a peer: special-purpose addresses, this relay's own allocations (hairpin), and both
 * forms of its addresses behind a 1:1 NAT.
 */
#include "flow/scenario.h"

static const char alices[] = "198.51.100.7:40000";
static const char bobs[] = "198.51.100.8:40000";

static const char *text_of(struct addr a)
{
	static char texts[4][ADDR_TEXT_MAX];
	static unsigned int next;

	return addr_format(&a, texts[next++ % 4]);
}

static void special_purpose_addresses_are_denied_in_every_encoding(void **state)
{
	static const char *const peers[] = {
		"0.0.0.0:1",
		"10.1.2.3:1",
		"100.64.0.1:1",
		"127.0.0.1:1",
		"169.254.169.254:1",
		"172.31.255.255:1",
		"192.168.0.1:1",
		"224.0.0.1:1",
		"255.255.255.255:1",
		"[::]:1",
		"[::1]:1",
		"[::ffff:10.0.0.1]:1",
		"[::ffff:8.8.8.8]:1",
		"[::10.0.0.1]:1",
		"[64:ff9b::10.0.0.1]:1",
		"[64:ff9b:1::10.0.0.1]:1",
		"[2002:a00:1::1]:1",
		"[2001:0:1:2:3:4:f5ff:fffe]:1",
		"[2600::5efe:10.0.0.1]:1",
		"[fd00:ec2::254]:1",
		"[fe80::1]:1",
		"[ff02::1]:1",
	};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(alices, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		if (scenario_permit(s, &c, peers[i]).code != 403 ||
		    scenario_bind(s, &c, 0x4000, peers[i]).code != 403)
			fail_msg("%s is not denied", peers[i]);
		scenario_send_indication(s, &c, peers[i], "x");
		assert_int_equal(s->event_count, 0);
	}
	assert_success(scenario_permit(s, &c, "8.8.8.8:1"));
	assert_success(scenario_permit(s, &c, "[2600::1]:1"));
	assert_success(scenario_permit(s, &c, "[64:ff9b::8.8.8.8]:1"));
	scenario_free(&s);
}

static void what_peers_allow_names_is_allowed_and_what_peers_deny_names_is_not(void **state)
{
	struct scenario *s = scenario_new(
		&(struct options){.allow = "10.0.0.0/8", .deny = "10.1.0.0/16"});
	struct client c = client_make(alices, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_permit(s, &c, "10.2.0.1:1"));
	assert_code(scenario_permit(s, &c, "10.1.0.1:1"), 403);
	assert_code(scenario_permit(s, &c, "192.168.0.1:1"), 403);
	scenario_free(&s);
}

struct pair {
	struct client alice, bob;
	struct addr a, b; /* relayed, as clients see them */
};

static struct pair make_pair(struct scenario *s, int bobs_worker)
{
	struct pair p = {.alice = client_make(alices, "alice"), .bob = client_make(bobs, "bob")};

	p.bob.worker = bobs_worker;
	struct reply r = scenario_allocate(s, &p.alice);

	assert_success(r);
	p.a = reply_relayed(&r, ADDR_IPV4);
	r = scenario_allocate(s, &p.bob);
	assert_success(r);
	p.b = reply_relayed(&r, ADDR_IPV4);
	return p;
}

/* What the driver's sockets would do with a datagram from one relay to the other. */
static void carry_hairpin(struct scenario *s)
{
	const struct event *e = scenario_event(s, TURN_SEND_PEER);

	assert_non_null(e);
	uint8_t data[64];
	struct addr from = s->sockets[e->action.send_peer.relay].internal;
	struct addr to = e->action.send_peer.peer;
	size_t len = e->len;

	assert_true(len <= sizeof(data));
	memcpy(data, s->bytes + e->at, len);
	scenario_peer_input(s, &to, text_of(from), span_make(data, len));
}

static void two_clients_of_one_relay_reach_each_other(void **state)
{
	(void)state;
	for (int worker = 0; worker < SCENARIO_WORKERS; worker++) {
		struct scenario *s = scenario_new(NULL);
		struct pair p = make_pair(s, worker);

		assert_success(scenario_bind(s, &p.alice, 0x4000, text_of(p.b)));
		assert_true(scenario_event(s, TURN_SET_FLOW)->action.set_flow.peer_is_allocation);
		assert_success(scenario_permit(s, &p.bob, text_of(p.a)));
		scenario_channel_data(s, &p.alice, 0x4000, "hello");
		carry_hairpin(s);
		assert_int_equal(scenario_count(s, TURN_SEND_CLIENT), 1);
		assert_int_equal(scenario_event(s, TURN_SEND_CLIENT)->worker, worker);
		scenario_send_indication(s, &p.bob, text_of(p.a), "back");
		carry_hairpin(s);
		assert_true(span_equal(scenario_bytes(s, scenario_event(s, TURN_SEND_CLIENT)),
				       span_make("\x40\0\0\4back", 8)));
		scenario_free(&s);
	}
}

static void of_the_relays_own_ports_only_allocations_are_peers(void **state)
{
	static const char listener[] = "192.0.2.1:3478", ssh[] = "192.0.2.1:22";
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(alices, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	/* The address may be permitted, since allocations live there: the port decides. */
	assert_success(scenario_permit(s, &c, ssh));
	assert_code(scenario_bind(s, &c, 0x4000, ssh), 403);
	assert_code(scenario_bind(s, &c, 0x4000, listener), 403);
	scenario_send_indication(s, &c, ssh, "x");
	assert_int_equal(s->event_count, 0);
	scenario_send_indication(s, &c, listener, "x");
	assert_int_equal(s->event_count, 0);
	assert_int_equal(scenario_counter(s, drop_peer_denied), 2);
	/* To itself is to an allocation. */
	scenario_send_indication(s, &c, text_of(relayed), "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	scenario_free(&s);
}

static void when_the_other_allocation_ends_its_port_is_no_peer_any_more(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct pair p = make_pair(s, 1);

	(void)state;
	assert_success(scenario_bind(s, &p.alice, 0x4000, text_of(p.b)));
	scenario_channel_data(s, &p.alice, 0x4000, "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	assert_success(scenario_refresh(s, &p.bob, 0));
	scenario_channel_data(s, &p.alice, 0x4000, "x");
	assert_int_equal(s->event_count, 0);
	scenario_send_indication(s, &p.alice, text_of(p.b), "x");
	assert_int_equal(s->event_count, 0);
	assert_int_equal(scenario_counter(s, drop_peer_denied), 2);
	assert_code(scenario_bind(s, &p.alice, 0x4000, text_of(p.b)), 403);
	scenario_free(&s);
}

static void a_wrapped_relay_address_is_no_relay_address(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(alices, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	assert_code(scenario_permit(s, &c, "[::ffff:192.0.2.1]:1"), 403);
	assert_code(scenario_permit(s, &c, "[64:ff9b::192.0.2.1]:1"), 403);
	assert_code(scenario_permit(s, &c, "[2002:c000:201::1]:1"), 403);
	scenario_free(&s);
}

static const char *const with_the_peer[] = {"192.0.2.1", "2001:db8::1", "198.51.100.9", NULL};

static void a_peer_whose_address_becomes_the_hosts_own_is_none_any_more(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct pair p = make_pair(s, 1);

	(void)state;
	assert_success(scenario_bind(s, &p.alice, 0x4000, "198.51.100.9:5000"));
	assert_success(scenario_permit(s, &p.bob, "198.51.100.9:1"));
	assert_success(scenario_permit(s, &p.alice, "198.51.100.10:1"));
	assert_success(scenario_bind(s, &p.alice, 0x4001, text_of(p.b)));
	scenario_set_own(s, with_the_peer);
	/* The kernel path forgets it at once, and what stays is left alone. */
	assert_int_equal(scenario_live_flows(s), 1);
	assert_int_equal(scenario_live_grants(s), 2);
	assert_int_equal(scenario_counter(s, peers_withdrawn), 3);
	scenario_channel_data(s, &p.alice, 0x4000, "x");
	assert_int_equal(s->event_count, 0);
	scenario_send_indication(s, &p.bob, "198.51.100.9:5000", "x");
	assert_int_equal(s->event_count, 0);
	scenario_peer_input(s, &p.a, "198.51.100.9:5000", span_make("x", 1));
	assert_int_equal(s->event_count, 0);
	scenario_send_indication(s, &p.alice, "198.51.100.10:1", "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	scenario_channel_data(s, &p.alice, 0x4001, "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	/* It cannot be had again, in any form. */
	assert_code(scenario_permit(s, &p.alice, "198.51.100.9:1"), 403);
	assert_code(scenario_bind(s, &p.alice, 0x4002, "198.51.100.9:5000"), 403);
	scenario_run(s, 4000);
	assert_int_equal(scenario_open_sockets(s), 0);
	scenario_free(&s);
}

static void an_address_that_leaves_the_host_may_be_a_peer_again(void **state)
{
	static const char *const without[] = {"192.0.2.1", "2001:db8::1", NULL};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(alices, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	scenario_set_own(s, with_the_peer);
	assert_code(scenario_permit(s, &c, "198.51.100.9:1"), 403);
	scenario_set_own(s, without);
	assert_success(scenario_permit(s, &c, "198.51.100.9:1"));
	scenario_free(&s);
}

/* More than one list of actions holds. */
static void thousands_of_channels_to_a_new_own_address_are_ended(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.channels = 1024});
	struct client c[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = client_make(alices, "alice");
		c[i].from.tuple.client.port = (uint16_t)(40000 + i);
		assert_success(scenario_allocate(s, &c[i]));
		for (uint16_t n = 0; n < 1024; n++) {
			struct addr peer = addr_of("198.51.100.9:1");

			peer.port = (uint16_t)(1 + n);
			assert_success(
				scenario_bind(s, &c[i], (uint16_t)(0x4000 + n), text_of(peer)));
		}
	}
	assert_int_equal(scenario_live_flows(s), 4096);
	scenario_set_own(s, with_the_peer);
	assert_int_equal(scenario_live_flows(s), 0);
	assert_int_equal(scenario_live_grants(s), 0);
	scenario_free(&s);
}

static void behind_a_nat_clients_see_and_use_the_external_address(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.external = "203.0.113.1"});
	struct pair p = make_pair(s, 0);
	struct addr internal = ports_to_internal(s->ports, &p.b);

	(void)state;
	assert_string_equal(addr_format_ip(&p.b, (char[ADDR_TEXT_MAX]){0}), "203.0.113.1");
	assert_string_equal(addr_format_ip(&internal, (char[ADDR_TEXT_MAX]){0}), "192.0.2.1");
	assert_success(scenario_permit(s, &p.alice, text_of(p.b)));
	scenario_send_indication(s, &p.alice, text_of(p.b), "x");
	assert_true(
		addr_equal(&scenario_event(s, TURN_SEND_PEER)->action.send_peer.peer, &internal));
	/* A channel to the internal form is a channel to the same peer. */
	assert_success(scenario_bind(s, &p.alice, 0x4000, text_of(internal)));
	assert_success(scenario_bind(s, &p.alice, 0x4000, text_of(p.b)));
	assert_code(scenario_bind(s, &p.alice, 0x4001, text_of(internal)), 400);
	assert_true(addr_equal(&s->flows[0][0].flow.peer, &internal));
	scenario_free(&s);
}

static void behind_a_nat_an_allocations_data_is_shown_from_its_external_address(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.external = "203.0.113.1"});
	struct pair p = make_pair(s, 0);
	struct addr internal_a = ports_to_internal(s->ports, &p.a);
	struct addr internal_b = ports_to_internal(s->ports, &p.b);
	struct stun_message message;
	struct span value;
	struct addr shown;

	(void)state;
	assert_success(scenario_permit(s, &p.bob, text_of(p.a)));
	/* As our own socket sends it, and as a NAT that turns it round would show it. */
	for (int i = 0; i < 2; i++) {
		scenario_peer_input(s, &internal_b, text_of(i ? p.a : internal_a), span_of("x"));
		const struct event *e = scenario_event(s, TURN_SEND_CLIENT);

		assert_non_null(e);
		assert_true(stun_parse(scenario_bytes(s, e), &message) > 0);
		assert_true(stun_find(&message, STUN_ATTR_XOR_PEER_ADDRESS, &value));
		assert_int_equal(stun_read_xor_address(&message, value, &shown), 0);
		assert_true(addr_equal(&shown, &p.a));
	}
	scenario_free(&s);
}

struct seen {
	size_t allocations, permissions, channels;
	struct turn_allocation_view last;
	struct turn_channel_view channel;
	struct turn_permission_view permission;
};

static void see(void *ctx, const struct turn_allocation_view *view)
{
	struct seen *seen = ctx;

	seen->allocations++;
	seen->permissions += view->permission_count;
	seen->channels += view->channel_count;
	seen->last = *view;
	if (view->channel_count)
		seen->channel = view->channels[0];
	if (view->permission_count)
		seen->permission = view->permissions[0];
}

static void a_visit_shows_each_allocation_with_what_it_has(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.external = "203.0.113.1"});
	struct client c = client_make(alices, "alice");
	struct seen seen = {0};

	(void)state;
	struct reply r = scenario_allocate_dual(s, &c);
	struct addr v4 = reply_relayed(&r, ADDR_IPV4), v6 = reply_relayed(&r, ADDR_IPV6);

	assert_success(scenario_bind(s, &c, 0x4321, "198.51.100.9:5000"));
	assert_success(scenario_permit(s, &c, "[2001:db8::9]:5000"));
	scenario_channel_data(s, &c, 0x4321, "12345");
	turn_visit(s->turn[0], see, &seen);
	assert_int_equal(seen.allocations, 1);
	assert_int_equal(seen.permissions, 2);
	assert_int_equal(seen.channels, 1);
	assert_string_equal(seen.last.user, "alice");
	assert_true(addr_equal(&seen.last.relayed[0], &v4));
	assert_true(addr_equal(&seen.last.relayed[1], &v6));
	assert_int_equal(seen.last.expires_ns, s->now.mono_ns + 600 * NSEC_PER_SEC);
	assert_int_equal(seen.last.created_ns, s->now.mono_ns);
	assert_int_equal(seen.last.to_peer_packets, 1);
	assert_int_equal(seen.last.to_peer_bytes, 5);
	assert_int_equal(seen.channel.number, 0x4321);
	assert_int_equal(seen.channel.expires_ns, s->now.mono_ns + 600 * NSEC_PER_SEC);
	assert_int_equal(seen.permission.peer.port, 0);
	assert_int_equal(seen.permission.expires_ns, s->now.mono_ns + 300 * NSEC_PER_SEC);
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_purpose_addresses_are_denied_in_every_encoding),
		cmocka_unit_test(
			what_peers_allow_names_is_allowed_and_what_peers_deny_names_is_not),
		cmocka_unit_test(two_clients_of_one_relay_reach_each_other),
		cmocka_unit_test(of_the_relays_own_ports_only_allocations_are_peers),
		cmocka_unit_test(when_the_other_allocation_ends_its_port_is_no_peer_any_more),
		cmocka_unit_test(a_wrapped_relay_address_is_no_relay_address),
		cmocka_unit_test(a_peer_whose_address_becomes_the_hosts_own_is_none_any_more),
		cmocka_unit_test(an_address_that_leaves_the_host_may_be_a_peer_again),
		cmocka_unit_test(thousands_of_channels_to_a_new_own_address_are_ended),
		cmocka_unit_test(behind_a_nat_clients_see_and_use_the_external_address),
		cmocka_unit_test(
			behind_a_nat_an_allocations_data_is_shown_from_its_external_address),
		cmocka_unit_test(a_visit_shows_each_allocation_with_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
