/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports of allocations: even ones, reserved ones, ones that another process holds, and none left.
 */
#include <errno.h>

#include "flow/scenario.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";

static struct reply allocate_even(struct scenario *s, struct client *c, uint8_t flags)
{
	message_begin(&m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	message_put_u8(&m, STUN_ATTR_EVEN_PORT, flags, 1);
	return scenario_send(s, c, &m);
}

static void read_token(const struct reply *r, uint8_t token[static PORTS_TOKEN_LEN])
{
	struct span value;

	assert_true(stun_find(&r->message, STUN_ATTR_RESERVATION_TOKEN, &value));
	assert_int_equal(value.len, PORTS_TOKEN_LEN);
	memcpy(token, value.data, PORTS_TOKEN_LEN);
}

static struct reply allocate_with_token(struct scenario *s, struct client *c,
					const uint8_t token[static PORTS_TOKEN_LEN])
{
	message_begin(&m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	stun_put(&m.w, STUN_ATTR_RESERVATION_TOKEN, span_make(token, PORTS_TOKEN_LEN));
	return scenario_send(s, c, &m);
}

static void even_port_without_the_r_bit_gives_an_even_port_and_no_token(void **state)
{
	struct scenario *s = scenario_new(NULL);

	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		struct client c = client_make(address, "alice");

		c.from.tuple.client.port = (uint16_t)(41000 + i);
		struct reply r = allocate_even(s, &c, 0);

		assert_success(r);
		assert_int_equal(reply_relayed(&r, ADDR_IPV4).port % 2, 0);
		assert_false(reply_has(&r, STUN_ATTR_RESERVATION_TOKEN));
	}
	assert_int_equal(scenario_taken_ports(s), 20);
	scenario_free(&s);
}

static void the_r_bit_reserves_the_next_port_for_whoever_brings_the_token(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client first = client_make(address, "alice");
	struct client second = client_make("198.51.100.7:40001", "alice");
	uint8_t token[PORTS_TOKEN_LEN];

	(void)state;
	struct reply r = allocate_even(s, &first, 0x80);

	assert_success(r);
	uint16_t port = reply_relayed(&r, ADDR_IPV4).port;

	assert_int_equal(port % 2, 0);
	assert_int_equal(scenario_open_sockets(s), 2);
	read_token(&r, token);
	r = allocate_with_token(s, &second, token);
	assert_success(r);
	assert_int_equal(reply_relayed(&r, ADDR_IPV4).port, port + 1);
	/* The socket is there already; it only begins to receive, before the client knows. */
	assert_int_equal(scenario_count(s, TURN_OPEN_RELAY), 0);
	assert_int_equal(scenario_position(s, TURN_ATTACH_RELAY), 0);
	assert_int_equal(scenario_position(s, TURN_SET_SENDER), 1);
	assert_int_equal(scenario_position(s, TURN_SEND_CLIENT), 2);
	/* A token is good once. */
	struct client third = client_make("198.51.100.7:40002", "alice");

	assert_code(allocate_with_token(s, &third, token), 508);
	scenario_free(&s);
}

static void a_reservation_of_one_worker_is_redeemed_at_the_other(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client first = client_make(address, "alice");
	struct client second = client_make("198.51.100.7:40001", "alice");
	uint8_t token[PORTS_TOKEN_LEN];

	(void)state;
	second.worker = 1;
	struct reply r = allocate_even(s, &first, 0x80);

	assert_success(r);
	read_token(&r, token);
	/* What reserved it may be gone by then. */
	assert_success(scenario_refresh(s, &first, 0));
	r = allocate_with_token(s, &second, token);
	assert_success(r);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_permit(s, &second, "198.51.100.9:1"));
	scenario_peer_input(s, &relayed, "198.51.100.9:5000", span_of("hello"));
	assert_int_equal(scenario_event(s, TURN_SEND_CLIENT)->worker, 1);
	scenario_free(&s);
}

static void a_token_of_another_user_is_unknown(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client alice = client_make(address, "alice");
	struct client bob = client_make("198.51.100.8:40000", "bob");
	struct client again = client_make("198.51.100.7:40001", "alice");
	uint8_t token[PORTS_TOKEN_LEN];

	(void)state;
	struct reply r = allocate_even(s, &alice, 0x80);

	assert_success(r);
	read_token(&r, token);
	assert_code(allocate_with_token(s, &bob, token), 508);
	assert_success(allocate_with_token(s, &again, token));
	scenario_free(&s);
}

static void a_reservation_lasts_thirty_seconds(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client first = client_make(address, "alice");
	struct client second = client_make("198.51.100.7:40001", "alice");
	uint8_t token[PORTS_TOKEN_LEN];

	(void)state;
	struct reply r = allocate_even(s, &first, 0x80);

	assert_success(r);
	read_token(&r, token);
	assert_int_equal(turn_next_tick(s->turn[0]), s->now.mono_ns + 30 * NSEC_PER_SEC);
	scenario_wait(s, 30);
	assert_code(allocate_with_token(s, &second, token), 508);
	assert_int_equal(scenario_open_sockets(s), 2);
	scenario_tick(s);
	assert_int_equal(scenario_count(s, TURN_CLOSE_RELAY), 1);
	assert_int_equal(scenario_open_sockets(s), 1);
	assert_int_equal(scenario_taken_ports(s), 1);
	scenario_free(&s);
}

static void without_room_for_the_reservation_nothing_is_allocated(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.reservations = 1});
	struct client first = client_make(address, "alice");
	struct client second = client_make("198.51.100.7:40001", "alice");

	(void)state;
	assert_success(allocate_even(s, &first, 0x80));
	assert_code(allocate_even(s, &second, 0x80), 508);
	assert_int_equal(scenario_counter(s, refused_reservations), 1);
	assert_int_equal(scenario_open_sockets(s), 2);
	assert_int_equal(scenario_taken_ports(s), 2);
	assert_success(allocate_even(s, &second, 0));
	scenario_free(&s);
}

static void a_port_that_another_process_holds_is_left_for_another_one(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	s->bind_failures = 3;
	s->bind_error = -EADDRINUSE;
	assert_success(scenario_allocate(s, &c));
	assert_int_equal(s->binds, 4);
	assert_int_equal(scenario_taken_ports(s), 1);
	scenario_free(&s);
}

static void ports_that_are_all_held_end_in_508_after_a_bounded_number_of_tries(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	s->bind_failures = -1;
	s->bind_error = -EADDRINUSE;
	assert_code(scenario_allocate(s, &c), 508);
	assert_in_range(s->binds, 2, 64);
	assert_code(allocate_even(s, &c, 0x80), 508);
	assert_int_equal(scenario_taken_ports(s), 0);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	s->bind_failures = 0;
	assert_success(scenario_allocate(s, &c));
	scenario_free(&s);
}

static void another_bind_error_ends_in_508_at_once(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	s->bind_failures = 1;
	s->bind_error = -EMFILE;
	assert_code(scenario_allocate(s, &c), 508);
	assert_int_equal(s->binds, 1);
	assert_int_equal(scenario_counter(s, refused_binds), 1);
	assert_int_equal(scenario_counter(s, refused_ports_ipv4), 0);
	scenario_free(&s);
}

static void when_ports_run_out_it_is_508_until_one_is_given_back(void **state)
{
	struct scenario *s = scenario_new(
		&(struct options){.first_port = 50000, .last_port = 50003});
	struct client clients[5];

	(void)state;
	for (uint16_t i = 0; i < 5; i++) {
		clients[i] = client_make(address, "alice");
		clients[i].from.tuple.client.port = (uint16_t)(41000 + i);
		assert_code(scenario_allocate(s, &clients[i]), i < 4 ? 0 : 508);
	}
	assert_int_equal(scenario_taken_ports(s), 4);
	/* IPv6 has ports of its own. */
	assert_success(scenario_allocate_v6(s, &clients[4]));
	assert_success(scenario_refresh(s, &clients[4], 0));
	assert_success(scenario_refresh(s, &clients[2], 0));
	assert_success(scenario_allocate(s, &clients[4]));
	scenario_free(&s);
}

static void two_workers_never_give_out_the_same_port(void **state)
{
	struct scenario *s = scenario_new(
		&(struct options){.first_port = 50000, .last_port = 50063});

	(void)state;
	for (uint16_t i = 0; i < 64; i++) {
		struct client c = client_make(address, "alice");

		c.from.tuple.client.port = (uint16_t)(41000 + i);
		c.worker = i % 2;
		/* The driver fails the test if a port is bound twice. */
		assert_success(scenario_allocate(s, &c));
	}
	assert_int_equal(scenario_taken_ports(s), 64);
	scenario_free(&s);
}

static void while_a_bind_is_outstanding_nothing_is_answered_twice(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	s->hold_binds = true;
	assert_false(scenario_allocate(s, &c).any);
	uint32_t ticket = s->held_ticket;

	c.transactions--;
	assert_false(scenario_allocate(s, &c).any);
	assert_int_equal(s->event_count, 0);
	assert_false(scenario_refresh(s, &c, 0).any);
	scenario_channel_data(s, &c, 0x4000, "early");
	scenario_send_indication(s, &c, "198.51.100.9:1", "early");
	assert_int_equal(s->event_count, 0);
	assert_int_equal(s->held_ticket, ticket);
	scenario_tick(s);
	scenario_release_bind(s, 0);
	assert_int_equal(scenario_count(s, TURN_SEND_CLIENT), 1);
	assert_int_equal(turn_allocation_count(s->turn[0]), 1);
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(even_port_without_the_r_bit_gives_an_even_port_and_no_token),
		cmocka_unit_test(the_r_bit_reserves_the_next_port_for_whoever_brings_the_token),
		cmocka_unit_test(a_reservation_of_one_worker_is_redeemed_at_the_other),
		cmocka_unit_test(a_token_of_another_user_is_unknown),
		cmocka_unit_test(a_reservation_lasts_thirty_seconds),
		cmocka_unit_test(without_room_for_the_reservation_nothing_is_allocated),
		cmocka_unit_test(a_port_that_another_process_holds_is_left_for_another_one),
		cmocka_unit_test(
			ports_that_are_all_held_end_in_508_after_a_bounded_number_of_tries),
		cmocka_unit_test(another_bind_error_ends_in_508_at_once),
		cmocka_unit_test(when_ports_run_out_it_is_508_until_one_is_given_back),
		cmocka_unit_test(two_workers_never_give_out_the_same_port),
		cmocka_unit_test(while_a_bind_is_outstanding_nothing_is_answered_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
