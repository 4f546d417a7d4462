/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits that hold for the relay as a whole, whichever worker a client reaches; bandwidth; and how
 * much a datagram holds.
 */
#include <stdlib.h>

#include "flow/scenario.h"
#include "wire/channel_data.h"

static struct message m;
static uint8_t zeros[65536];
static const char address[] = "198.51.100.7:40000";
static const char peer[] = "198.51.100.9:5000";
static const char peer6[] = "[2001:db8::9]:5000";

static struct client client_at(uint16_t i, const char *user)
{
	struct client c = client_make(address, user);

	c.from.tuple.client.port = (uint16_t)(41000 + i);
	c.worker = i % SCENARIO_WORKERS;
	return c;
}

static void a_users_quota_holds_over_all_workers(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.per_user = 3});
	struct client c[5];
	struct client bob = client_at(9, "bob");

	(void)state;
	for (uint16_t i = 0; i < 5; i++) {
		c[i] = client_at(i, "alice");
		assert_code(scenario_allocate(s, &c[i]), i < 3 ? 0 : 486);
	}
	assert_success(scenario_allocate(s, &bob));
	/* What ends at one worker is free at the other. */
	assert_success(scenario_refresh(s, &c[0], 0));
	assert_success(scenario_allocate(s, &c[3]));
	assert_int_equal(quota_used(s->quota), 4);
	scenario_free(&s);
}

static void the_overall_limit_holds_over_all_workers_and_for_one_alone(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.allocations = 4});
	struct client c[6];

	(void)state;
	for (uint16_t i = 0; i < 6; i++) {
		c[i] = client_at(i, "alice");
		assert_code(scenario_allocate(s, &c[i]), i < 4 ? 0 : 508);
	}
	assert_int_equal(scenario_counter(s, refused_allocations), 2);
	scenario_run(s, 600);
	assert_int_equal(quota_used(s->quota), 0);
	/* One worker may have them all: clients are not spread evenly. */
	for (uint16_t i = 0; i < 5; i++) {
		c[0] = client_at(i, "alice");
		c[0].worker = 1;
		assert_code(scenario_allocate(s, &c[0]), i < 4 ? 0 : 508);
	}
	scenario_free(&s);
}

static void what_did_not_become_an_allocation_leaves_the_quota(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.per_user = 1});
	struct client c = client_at(0, "alice");

	(void)state;
	s->bind_failures = -1;
	s->bind_error = -13;
	assert_code(scenario_allocate(s, &c), 508);
	s->bind_failures = 0;
	message_begin(&m, &c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	message_put_text(&m, STUN_ATTR_RESERVATION_TOKEN, "no token");
	assert_code(scenario_send(s, &c, &m), 508);
	assert_int_equal(quota_used(s->quota), 0);
	assert_success(scenario_allocate(s, &c));
	scenario_free(&s);
}

/* RFC 8656 7.2: steps 4 to 9 come before the quota of step 10. */
static void what_can_never_be_had_is_said_before_the_quota(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.per_user = 1, .no_ipv6 = true});
	struct client first = client_at(0, "alice"), c = client_at(1, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &first));
	assert_code(scenario_allocate(s, &c), 486);
	assert_code(scenario_allocate_v6(s, &c), 440);
	message_begin(&m, &c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	message_put_text(&m, STUN_ATTR_RESERVATION_TOKEN, "no token");
	assert_code(scenario_send(s, &c, &m), 508);
	/* IPv4 is there: the family that is not is no reason to refuse all of it. */
	assert_code(scenario_allocate_dual(s, &c), 486);
	scenario_free(&s);
}

/* The quota is full while the token waits: it is still good when there is room. */
static void a_token_outlives_a_refusal_by_quota(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.per_user = 1});
	struct client first = client_at(0, "alice"), c = client_at(2, "alice");
	struct span token;
	uint8_t copy[PORTS_TOKEN_LEN];

	(void)state;
	message_begin(&m, &first, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	message_put_u8(&m, STUN_ATTR_EVEN_PORT, 0x80, 1);
	struct reply r = scenario_send(s, &first, &m);

	assert_success(r);
	assert_true(stun_find(&r.message, STUN_ATTR_RESERVATION_TOKEN, &token));
	memcpy(copy, token.data, sizeof(copy));
	for (int i = 0; i < 2; i++) {
		message_begin(&m, &c, STUN_METHOD_ALLOCATE);
		message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
		stun_put(&m.w, STUN_ATTR_RESERVATION_TOKEN, span_make(copy, sizeof(copy)));
		assert_code(scenario_send(s, &c, &m), i ? 0 : 486);
		assert_success(scenario_refresh(s, i ? &c : &first, 0));
	}
	scenario_free(&s);
}

/* 508 is one answer for what has different remedies. */
static void what_ran_out_is_counted_by_what_it_was(void **state)
{
	const struct options options = {.allocations = 3,
					.permissions = 1,
					.channels = 1,
					.reservations = 1,
					.first_port = 50000,
					.last_port = 50001};
	struct scenario *s = scenario_new(&options);
	struct client c[4];

	(void)state;
	for (uint16_t i = 0; i < 4; i++)
		c[i] = client_at(i, "alice");
	assert_success(scenario_allocate_dual(s, &c[0]));
	assert_success(scenario_allocate_dual(s, &c[1]));
	assert_code(scenario_allocate(s, &c[2]), 508);
	assert_int_equal(scenario_counter(s, refused_ports_ipv4), 1);
	assert_code(scenario_allocate_v6(s, &c[2]), 508);
	assert_int_equal(scenario_counter(s, refused_ports_ipv6), 1);
	message_begin(&m, &c[2], STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	message_put_text(&m, STUN_ATTR_RESERVATION_TOKEN, "no token");
	assert_code(scenario_send(s, &c[2], &m), 508);
	assert_int_equal(scenario_counter(s, refused_token), 1);
	assert_success(scenario_bind(s, &c[0], 0x4000, peer));
	assert_code(scenario_permit(s, &c[0], "198.51.100.10:1"), 508);
	assert_int_equal(scenario_counter(s, refused_permissions), 1);
	assert_code(scenario_bind(s, &c[0], 0x4001, "198.51.100.9:5001"), 508);
	assert_int_equal(scenario_counter(s, refused_channels), 1);
	assert_int_equal(scenario_counter(s, refused_allocations), 0);
	assert_int_equal(scenario_counter(s, error_508), 5);
	scenario_free(&s);
}

static void a_worker_alone_has_a_quota_of_its_own(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.per_user = 1});
	struct client c = client_at(0, "alice"), again = client_at(2, "alice");

	(void)state;
	turn_free(&s->turn[0]);
	s->config.quota = NULL;
	assert_int_equal(turn_new(&s->config, &s->turn[0]), 0);
	assert_success(scenario_allocate(s, &c));
	assert_code(scenario_allocate(s, &again), 486);
	assert_int_equal(quota_used(s->quota), 0);
	scenario_free(&s);
}

static void send_channel(struct scenario *s, struct client *c, size_t len)
{
	static uint8_t bytes[65536 + CHANNEL_DATA_HEADER_LEN];

	channel_data_header(0x4000, len, bytes);
	scenario_input(s, c, span_make(bytes, len + CHANNEL_DATA_HEADER_LEN));
}

static void indicate(struct scenario *s, struct client *c, const char *to, size_t len,
		     bool dont_fragment)
{
	message_begin_class(&m, c, STUN_METHOD_SEND, STUN_CLASS_INDICATION);
	message_put_peer(&m, to);
	if (dont_fragment)
		message_put_text(&m, STUN_ATTR_DONT_FRAGMENT, "");
	stun_put(&m.w, STUN_ATTR_DATA, span_make(zeros, len));
	int end = stun_end(&m.w);

	assert_true(end > 0);
	scenario_input(s, c, span_make(m.bytes, (size_t)end));
}

/* 1 Mbit/s: 1000 bytes are 8 ms, and 100 ms of them may be owed. */
static void each_way_carries_what_its_bandwidth_is_and_a_burst(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.bandwidth_bps = 1000000});
	struct client c = client_make(address, "alice");
	size_t up = 0, down = 0;

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_bind(s, &c, 0x4000, peer));
	for (int i = 0; i < 100; i++) {
		send_channel(s, &c, 1000);
		up += scenario_count(s, TURN_SEND_PEER);
	}
	/* The one with which the debt passes the burst still goes. */
	assert_int_equal(up, 13);
	assert_int_equal(scenario_counter(s, drop_over_bandwidth), 87);
	/* The other way is for itself; so are indications, which pay like channels do. */
	for (int i = 0; i < 100; i++) {
		scenario_peer_input(s, &relayed, i % 2 ? peer : "198.51.100.9:6000",
				    span_make(zeros, 1000));
		down += scenario_count(s, TURN_SEND_CLIENT);
	}
	assert_int_equal(down, 13);
	for (int i = 0; i < 10000; i++) {
		s->now.mono_ns += NSEC_PER_MSEC;
		indicate(s, &c, peer, 1000, false);
		up += scenario_count(s, TURN_SEND_PEER);
	}
	/* Ten seconds are 1,250 datagrams. */
	assert_in_range(up, 13 + 1248, 13 + 1250);
	assert_int_equal(scenario_counter(s, to_peer_bytes), up * 1000);
	scenario_free(&s);
}

static void a_burst_is_not_saved_up_and_other_allocations_do_not_pay(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.bandwidth_bps = 1000000});
	struct client alice = client_make(address, "alice");
	struct client bob = client_make("198.51.100.8:40000", "bob");
	size_t sent = 0;

	(void)state;
	assert_success(scenario_allocate(s, &alice));
	assert_success(scenario_allocate(s, &bob));
	assert_success(scenario_bind(s, &alice, 0x4000, peer));
	assert_success(scenario_bind(s, &bob, 0x4000, peer));
	scenario_wait(s, 100);
	for (int i = 0; i < 100; i++) {
		send_channel(s, &alice, 1000);
		sent += scenario_count(s, TURN_SEND_PEER);
	}
	assert_int_equal(sent, 13);
	send_channel(s, &bob, 1000);
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	scenario_free(&s);
}

static void a_low_rate_still_lets_large_datagrams_pass_one_by_one(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.bandwidth_bps = 8000});
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	/* 1,000 bytes per second. */
	for (int i = 0; i < 5; i++) {
		send_channel(s, &c, 8000);
		assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
		scenario_wait(s, 7);
		send_channel(s, &c, 1);
		assert_int_equal(scenario_count(s, TURN_SEND_PEER), 0);
		scenario_wait(s, 1);
	}
	scenario_free(&s);
}

static void without_a_limit_nothing_is_held_back(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	for (int i = 0; i < 1000; i++) {
		send_channel(s, &c, 60000);
		assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	}
	scenario_free(&s);
}

/* 65,507 bytes fit a datagram over IPv4, 65,527 over IPv6. */
static void data_that_the_datagram_to_its_receiver_cannot_hold_is_counted(void **state)
{
	static const struct {
		const char *client, *peer;
		bool up, channel;
		size_t len;
		bool passes;
	} rows[] = {
		{address, peer, true, true, 65503, true},
		{"[2001:db8::7]:40000", peer, true, true, 65507, true},
		{"[2001:db8::7]:40000", peer, true, true, 65508, false},
		{"[2001:db8::7]:40000", peer6, true, true, 65523, true},
		{address, peer, false, true, 65503, true},
		{address, peer, false, true, 65504, false},
		{address, peer6, false, true, 65504, false},
		{"[2001:db8::7]:40000", peer6, false, true, 65523, true},
		{"[2001:db8::7]:40000", peer6, false, true, 65524, false},
		/* 36 bytes before, padding behind: 65,507 are no multiple of four. */
		{address, peer, false, false, 65468, true},
		{address, peer, false, false, 65469, false},
		{address, peer6, false, false, 65456, true},
		{address, peer6, false, false, 65457, false},
		{"[2001:db8::7]:40000", peer, false, false, 65488, true},
		{"[2001:db8::7]:40000", peer, false, false, 65489, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scenario *s = scenario_new(NULL);
		struct client c = client_make(rows[i].client, "alice");
		struct addr to = addr_of(rows[i].peer);
		struct reply r = scenario_allocate_dual(s, &c);
		struct addr relayed = reply_relayed(&r, to.family);

		if (rows[i].channel)
			assert_success(scenario_bind(s, &c, 0x4000, rows[i].peer));
		else
			assert_success(scenario_permit(s, &c, rows[i].peer));
		if (rows[i].up)
			send_channel(s, &c, rows[i].len);
		else
			scenario_peer_input(s, &relayed, rows[i].peer,
					    span_make(zeros, rows[i].len));
		if (s->event_count != rows[i].passes ||
		    scenario_counter(s, drop_too_large) != !rows[i].passes)
			fail_msg("row %zu: %zu events", i, s->event_count);
		scenario_free(&s);
	}
}

/* RFC 8656 13: wherever IPv6 is on one side the attribute is ignored. */
static void dont_fragment_is_heeded_from_ipv4_to_ipv4_alone(void **state)
{
	static const struct {
		const char *client, *peer;
		bool heeded;
	} rows[] = {
		{address, peer, true},
		{address, peer6, false},
		{"[2001:db8::7]:40000", peer, false},
		{"[2001:db8::7]:40000", peer6, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scenario *s = scenario_new(NULL);
		struct client c = client_make(rows[i].client, "alice");

		assert_success(scenario_allocate_dual(s, &c));
		assert_success(scenario_permit(s, &c, rows[i].peer));
		indicate(s, &c, rows[i].peer, 8000, true);
		const struct event *e = scenario_event(s, TURN_SEND_PEER);

		assert_non_null(e);
		assert_int_equal(e->len, 8000);
		assert_int_equal(e->action.send_peer.dont_fragment, rows[i].heeded);
		scenario_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_users_quota_holds_over_all_workers),
		cmocka_unit_test(the_overall_limit_holds_over_all_workers_and_for_one_alone),
		cmocka_unit_test(what_did_not_become_an_allocation_leaves_the_quota),
		cmocka_unit_test(what_can_never_be_had_is_said_before_the_quota),
		cmocka_unit_test(a_token_outlives_a_refusal_by_quota),
		cmocka_unit_test(what_ran_out_is_counted_by_what_it_was),
		cmocka_unit_test(a_worker_alone_has_a_quota_of_its_own),
		cmocka_unit_test(each_way_carries_what_its_bandwidth_is_and_a_burst),
		cmocka_unit_test(a_burst_is_not_saved_up_and_other_allocations_do_not_pay),
		cmocka_unit_test(a_low_rate_still_lets_large_datagrams_pass_one_by_one),
		cmocka_unit_test(without_a_limit_nothing_is_held_back),
		cmocka_unit_test(data_that_the_datagram_to_its_receiver_cannot_hold_is_counted),
		cmocka_unit_test(dont_fragment_is_heeded_from_ipv4_to_ipv4_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
