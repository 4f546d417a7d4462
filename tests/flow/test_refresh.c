/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Refresh, RFC 8656 8: longer, shorter, the end; one family of two.
 */
#include "flow/scenario.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";
static const char peer4[] = "198.51.100.9:5000";
static const char peer6[] = "[2001:db8::9]:5000";

static struct reply refresh_family(struct scenario *s, struct client *c, uint8_t family,
				   uint32_t lifetime_s)
{
	message_begin(&m, c, STUN_METHOD_REFRESH);
	stun_put_u32(&m.w, STUN_ATTR_LIFETIME, lifetime_s);
	message_put_u8(&m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, family, 4);
	return scenario_send(s, c, &m);
}

static void refresh_grants_what_allocate_would(void **state)
{
	static const struct {
		uint32_t asked, granted;
	} rows[] = {{1, 600}, {600, 600}, {1800, 1800}, {3600, 3600}, {UINT32_MAX, 3600}};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reply r = scenario_refresh(s, &c, rows[i].asked);

		assert_success(r);
		assert_int_equal(reply_u32(&r, STUN_ATTR_LIFETIME), rows[i].granted);
	}
	/* Without LIFETIME the default is meant. */
	message_begin(&m, &c, STUN_METHOD_REFRESH);
	struct reply r = scenario_send(s, &c, &m);

	assert_success(r);
	assert_int_equal(reply_u32(&r, STUN_ATTR_LIFETIME), 600);
	scenario_free(&s);
}

static void refresh_prolongs_from_now(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	scenario_run(s, 599);
	assert_success(scenario_refresh(s, &c, 600));
	scenario_run(s, 599);
	assert_int_equal(turn_allocation_count(s->turn[0]), 1);
	scenario_run(s, 1);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	assert_int_equal(scenario_counter(s, allocations_expired), 1);
	scenario_free(&s);
}

static void refresh_can_shorten(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_refresh(s, &c, 3600));
	/* The tick of the first ten minutes has looked further ahead by now. */
	scenario_run(s, 1000);
	assert_success(scenario_refresh(s, &c, 600));
	assert_true(turn_next_tick(s->turn[0]) <= s->now.mono_ns + 600 * NSEC_PER_SEC);
	scenario_run(s, 600);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	scenario_free(&s);
}

static void lifetime_zero_ends_flows_then_relay_then_answers(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, peer4));
	assert_success(scenario_bind(s, &c, 0x4001, "198.51.100.10:5000"));
	struct reply r = scenario_refresh(s, &c, 0);

	assert_success(r);
	assert_int_equal(reply_u32(&r, STUN_ATTR_LIFETIME), 0);
	static const enum turn_action_kind order[] = {
		TURN_REMOVE_FLOW,   TURN_REMOVE_FLOW, TURN_REMOVE_GRANT, TURN_REMOVE_GRANT,
		TURN_REMOVE_SENDER, TURN_CLOSE_RELAY, TURN_SEND_CLIENT,
	};

	assert_int_equal(s->event_count, ARRAY_SIZE(order));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_int_equal(s->events[i].action.kind, order[i]);
	assert_int_equal(scenario_taken_ports(s), 0);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	assert_int_equal(scenario_counter(s, allocations_deleted), 1);
	scenario_free(&s);
}

static void after_the_end_the_five_tuple_is_free_again(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	struct client bob = client_make(address, "bob");

	(void)state;
	bob.transactions = 100;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_refresh(s, &c, 0));
	assert_code(scenario_refresh(s, &c, 600), 437);
	assert_success(scenario_allocate(s, &bob));
	scenario_free(&s);
}

static void a_family_the_allocation_has_not_gets_443(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_code(refresh_family(s, &c, STUN_FAMILY_IPV6, 600), 443);
	assert_code(refresh_family(s, &c, STUN_FAMILY_IPV6, 0), 443);
	assert_code(refresh_family(s, &c, 3, 600), 443);
	assert_success(refresh_family(s, &c, STUN_FAMILY_IPV4, 600));
	assert_success(refresh_family(s, &c, STUN_FAMILY_IPV4, 0));
	scenario_free(&s);
}

static void malformed_attributes_get_400_and_change_nothing(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	message_begin(&m, &c, STUN_METHOD_REFRESH);
	message_put_u8(&m, STUN_ATTR_LIFETIME, 0, 2);
	assert_code(scenario_send(s, &c, &m), 400);
	message_begin(&m, &c, STUN_METHOD_REFRESH);
	message_put_u8(&m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 1, 3);
	assert_code(scenario_send(s, &c, &m), 400);
	assert_int_equal(turn_allocation_count(s->turn[0]), 1);
	scenario_free(&s);
}

static void lifetime_zero_with_a_family_ends_only_that_half(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	assert_success(scenario_bind(s, &c, 0x4004, peer4));
	assert_success(scenario_bind(s, &c, 0x4006, peer6));
	assert_int_equal(scenario_live_flows(s), 2);
	assert_success(refresh_family(s, &c, STUN_FAMILY_IPV6, 0));
	assert_int_equal(scenario_count(s, TURN_REMOVE_FLOW), 1);
	assert_int_equal(scenario_count(s, TURN_CLOSE_RELAY), 1);
	assert_int_equal(turn_allocation_count(s->turn[0]), 1);
	assert_int_equal(scenario_taken_ports(s), 1);
	/* The IPv4 half works on; the IPv6 half is gone for every method. */
	scenario_channel_data(s, &c, 0x4004, "on");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	scenario_channel_data(s, &c, 0x4006, "off");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 0);
	assert_code(scenario_permit(s, &c, peer6), 443);
	assert_code(refresh_family(s, &c, STUN_FAMILY_IPV6, 0), 443);
	/* The other half is the end of it. */
	assert_success(refresh_family(s, &c, STUN_FAMILY_IPV4, 0));
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	scenario_free(&s);
}

static void each_family_runs_out_by_itself_if_refreshed_by_itself(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	assert_success(refresh_family(s, &c, STUN_FAMILY_IPV6, 3600));
	scenario_run(s, 600);
	assert_int_equal(scenario_count(s, TURN_CLOSE_RELAY), 1);
	assert_int_equal(turn_allocation_count(s->turn[0]), 1);
	assert_code(scenario_permit(s, &c, peer4), 443);
	assert_success(scenario_permit(s, &c, peer6));
	assert_success(scenario_refresh(s, &c, 600));
	scenario_run(s, 600);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	scenario_free(&s);
}

static void without_a_family_both_halves_are_refreshed_and_both_end(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	assert_success(scenario_refresh(s, &c, 1200));
	scenario_run(s, 1199);
	assert_int_equal(scenario_open_sockets(s), 2);
	assert_success(scenario_refresh(s, &c, 0));
	assert_int_equal(scenario_open_sockets(s), 0);
	scenario_free(&s);
}

static void a_refresh_tells_the_kernel_how_long_its_flows_may_now_live(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	scenario_run(s, 590);
	assert_success(scenario_bind(s, &c, 0x4000, peer4));
	/* Ten seconds of the allocation are left, and so of the flow. */
	assert_int_equal(s->flows[0][0].flow.to_peer_expires_ns,
			 s->now.mono_ns + 10 * NSEC_PER_SEC);
	assert_success(scenario_refresh(s, &c, 600));
	assert_true(scenario_position(s, TURN_SET_FLOW) < scenario_position(s, TURN_SEND_CLIENT));
	assert_int_equal(s->flows[0][0].flow.to_peer_expires_ns,
			 s->now.mono_ns + 600 * NSEC_PER_SEC);
	assert_int_equal(s->flows[0][0].flow.to_client_expires_ns,
			 s->now.mono_ns + 300 * NSEC_PER_SEC);
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refresh_grants_what_allocate_would),
		cmocka_unit_test(refresh_prolongs_from_now),
		cmocka_unit_test(refresh_can_shorten),
		cmocka_unit_test(lifetime_zero_ends_flows_then_relay_then_answers),
		cmocka_unit_test(after_the_end_the_five_tuple_is_free_again),
		cmocka_unit_test(a_family_the_allocation_has_not_gets_443),
		cmocka_unit_test(malformed_attributes_get_400_and_change_nothing),
		cmocka_unit_test(lifetime_zero_with_a_family_ends_only_that_half),
		cmocka_unit_test(each_family_runs_out_by_itself_if_refreshed_by_itself),
		cmocka_unit_test(without_a_family_both_halves_are_refreshed_and_both_end),
		cmocka_unit_test(a_refresh_tells_the_kernel_how_long_its_flows_may_now_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
