/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors from the way to a peer, RFC 8656 11.5 and 18.13.
 */
#include "flow/scenario.h"

static const char address[] = "198.51.100.7:40000";
static const char peer[] = "198.51.100.9:5000";
static const char peer6[] = "[2001:db8::9]:5000";

/* The client gets one Data indication with two attributes: about whom, and what. */
static void assert_told(const struct scenario *s, const struct client *c, const char *about,
			uint8_t type, uint8_t code, uint32_t data)
{
	const struct event *e = scenario_event(s, TURN_SEND_CLIENT);
	struct stun_message message;
	struct span value;
	struct addr shown, expected = addr_of(about);
	uint8_t bytes[8] = {0, 0, (uint8_t)(type << 1), code,
			    0, 0, (uint8_t)(data >> 8), (uint8_t)data};

	assert_int_equal(s->event_count, 1);
	assert_non_null(e);
	assert_true(addr_equal(&e->action.send_client.client, &c->from.tuple.client));
	assert_int_equal(stun_parse(scenario_bytes(s, e), &message), e->len);
	assert_int_equal(message.method, STUN_METHOD_DATA);
	assert_int_equal(message.class, STUN_CLASS_INDICATION);
	assert_true(stun_find(&message, STUN_ATTR_XOR_PEER_ADDRESS, &value));
	assert_int_equal(stun_read_xor_address(&message, value, &shown), 0);
	assert_true(addr_equal(&shown, &expected));
	assert_false(stun_find(&message, STUN_ATTR_DATA, &value));
	assert_true(stun_find(&message, STUN_ATTR_ICMP, &value));
	assert_int_equal(value.len, 8);
	assert_memory_equal(value.data, bytes, 8);
}

static void errors_about_permitted_peers_reach_the_client(void **state)
{
	static const struct {
		const char *peer;
		uint8_t type, code;
		uint32_t mtu, data;
	} rows[] = {
		{peer, 3, 3, 0, 0},	   {peer, 3, 1, 0, 0},	   {peer, 3, 4, 1400, 1400},
		{peer, 11, 0, 0, 0},	   {peer, 3, 3, 1400, 0},  {peer6, 1, 4, 0, 0},
		{peer6, 2, 0, 1280, 1280}, {peer6, 3, 0, 0, 0},	   {peer6, 3, 4, 1400, 0},
		{peer, 3, 255, 0, 0},	   {peer6, 1, 255, 99, 0},
	};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate_dual(s, &c);
	struct addr v4 = reply_relayed(&r, ADDR_IPV4), v6 = reply_relayed(&r, ADDR_IPV6);

	assert_success(scenario_permit(s, &c, peer));
	assert_success(scenario_permit(s, &c, peer6));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool is_v4 = rows[i].peer == peer;

		scenario_peer_error(s, is_v4 ? &v4 : &v6, rows[i].peer, rows[i].type, rows[i].code,
				    rows[i].mtu);
		assert_told(s, &c, rows[i].peer, rows[i].type, rows[i].code, rows[i].data);
	}
	assert_int_equal(scenario_counter(s, icmp_unreachable), 6);
	assert_int_equal(scenario_counter(s, icmp_too_large), 2);
	assert_int_equal(scenario_counter(s, icmp_time_exceeded), 3);
	scenario_free(&s);
}

static void errors_of_other_kinds_are_not_passed_on(void **state)
{
	/* Redirects, source quench, parameter problems, queries. */
	static const uint8_t v4_types[] = {0, 1, 2, 4, 5, 8, 12, 13, 255};
	static const uint8_t v6_types[] = {0, 4, 11, 100, 127, 128, 129, 137, 255};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate_dual(s, &c);
	struct addr v4 = reply_relayed(&r, ADDR_IPV4), v6 = reply_relayed(&r, ADDR_IPV6);

	assert_success(scenario_permit(s, &c, peer));
	assert_success(scenario_permit(s, &c, peer6));
	for (size_t i = 0; i < ARRAY_SIZE(v4_types); i++) {
		scenario_peer_error(s, &v4, peer, v4_types[i], 0, 0);
		assert_int_equal(s->event_count, 0);
		scenario_peer_error(s, &v6, peer6, v6_types[i], 0, 0);
		assert_int_equal(s->event_count, 0);
	}
	assert_int_equal(scenario_counter(s, drop_icmp_kind), 2 * ARRAY_SIZE(v4_types));
	scenario_free(&s);
}

static void errors_without_a_permission_are_dropped_whatever_else_there_is(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	scenario_peer_error(s, &relayed, peer, 3, 3, 0);
	assert_int_equal(s->event_count, 0);
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	/* RFC 8656 11.5: ports are not compared. */
	scenario_peer_error(s, &relayed, "198.51.100.9:6000", 3, 3, 0);
	assert_told(s, &c, "198.51.100.9:6000", 3, 3, 0);
	scenario_peer_error(s, &relayed, "198.51.100.10:5000", 3, 3, 0);
	assert_int_equal(s->event_count, 0);
	/* The channel outlives the permission, and is none. */
	scenario_wait(s, 300);
	scenario_peer_error(s, &relayed, peer, 3, 3, 0);
	assert_int_equal(s->event_count, 0);
	assert_int_equal(scenario_counter(s, drop_icmp_no_permission), 3);
	scenario_free(&s);
}

static void an_allocation_that_ran_out_is_told_nothing(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	scenario_run(s, 400);
	assert_success(scenario_permit(s, &c, peer));
	scenario_wait(s, 200);
	scenario_peer_error(s, &relayed, peer, 3, 3, 0);
	assert_int_equal(s->event_count, 0);
	assert_int_equal(scenario_counter(s, drop_icmp_no_permission), 1);
	scenario_free(&s);
}

static void a_peer_of_this_relay_is_named_as_clients_know_it(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.external = "203.0.113.7"});
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	struct addr relayed = s->sockets[10].internal;

	assert_success(scenario_permit(s, &c, "203.0.113.7:50000"));
	/* Packets, and so the ICMP error about them, have the internal form. */
	scenario_peer_error(s, &relayed, "192.0.2.1:50999", 3, 3, 0);
	assert_told(s, &c, "203.0.113.7:50999", 3, 3, 0);
	scenario_free(&s);
}

static void an_allocation_is_told_sixteen_at_once_and_a_hundred_per_second(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client alice = client_make(address, "alice");
	struct client bob = client_make("198.51.100.8:40000", "bob");
	size_t told = 0;

	(void)state;
	struct reply r = scenario_allocate(s, &alice);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);
	struct reply of_bob = scenario_allocate(s, &bob);
	struct addr other = reply_relayed(&of_bob, ADDR_IPV4);

	assert_success(scenario_permit(s, &alice, peer));
	assert_success(scenario_permit(s, &bob, peer));
	for (int i = 0; i < 100; i++) {
		scenario_peer_error(s, &relayed, peer, 3, 3, 0);
		told += s->event_count;
	}
	assert_int_equal(told, 16);
	assert_int_equal(scenario_counter(s, drop_icmp_rate), 84);
	/* Another's trouble is not mine. */
	scenario_peer_error(s, &other, peer, 3, 3, 0);
	assert_told(s, &bob, peer, 3, 3, 0);
	for (int i = 0; i < 1000; i++) {
		s->now.mono_ns += NSEC_PER_MSEC;
		scenario_peer_error(s, &relayed, peer, 3, 3, 0);
		told += s->event_count;
	}
	assert_int_equal(told, 16 + 100);
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_about_permitted_peers_reach_the_client),
		cmocka_unit_test(errors_of_other_kinds_are_not_passed_on),
		cmocka_unit_test(errors_without_a_permission_are_dropped_whatever_else_there_is),
		cmocka_unit_test(an_allocation_that_ran_out_is_told_nothing),
		cmocka_unit_test(a_peer_of_this_relay_is_named_as_clients_know_it),
		cmocka_unit_test(an_allocation_is_told_sixteen_at_once_and_a_hundred_per_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
