/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Permissions, RFC 8656 9 and 10: all or nothing, five minutes, by address and not by port.
 */
#include "flow/scenario.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";

static struct reply permit_many(struct scenario *s, struct client *c, const char *const peers[],
				size_t count)
{
	message_begin(&m, c, STUN_METHOD_CREATE_PERMISSION);
	for (size_t i = 0; i < count; i++)
		message_put_peer(&m, peers[i]);
	return scenario_send(s, c, &m);
}

static bool reaches_client(struct scenario *s, const struct addr *relayed, const char *peer)
{
	scenario_peer_input(s, relayed, peer, span_of("x"));
	return scenario_count(s, TURN_SEND_CLIENT) == 1;
}

static void a_permission_is_for_every_port_of_an_address(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_false(reaches_client(s, &relayed, "198.51.100.9:5000"));
	assert_success(scenario_permit(s, &c, "198.51.100.9:1"));
	assert_true(reaches_client(s, &relayed, "198.51.100.9:5000"));
	assert_true(reaches_client(s, &relayed, "198.51.100.9:65535"));
	assert_false(reaches_client(s, &relayed, "198.51.100.10:5000"));
	assert_int_equal(scenario_counter(s, drop_no_permission), 2);
	scenario_free(&s);
}

static void one_request_permits_several_peers(void **state)
{
	static const char *const peers[] = {"198.51.100.9:1", "[2001:db8::9]:1", "198.51.100.10:1",
					    "198.51.100.9:2"};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate_dual(s, &c);
	struct addr v4 = reply_relayed(&r, ADDR_IPV4), v6 = reply_relayed(&r, ADDR_IPV6);

	assert_success(permit_many(s, &c, peers, ARRAY_SIZE(peers)));
	assert_true(reaches_client(s, &v4, "198.51.100.9:7"));
	assert_true(reaches_client(s, &v4, "198.51.100.10:7"));
	assert_true(reaches_client(s, &v6, "[2001:db8::9]:7"));
	scenario_free(&s);
}

static void one_bad_peer_among_good_ones_refuses_them_all(void **state)
{
	static const struct {
		const char *bad;
		unsigned int code;
	} rows[] = {
		{"[2001:db8::9]:1", 443},
		{"10.0.0.1:1", 403},
		{"127.0.0.1:1", 403},
		{"198.51.100.200:1", 403}, /* this host's own */
	};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *peers[] = {"198.51.100.9:1", rows[i].bad, "198.51.100.10:1"};

		assert_code(permit_many(s, &c, peers, ARRAY_SIZE(peers)), rows[i].code);
		assert_false(reaches_client(s, &relayed, "198.51.100.9:7"));
		assert_false(reaches_client(s, &relayed, "198.51.100.10:7"));
	}
	assert_int_equal(scenario_counter(s, peers_denied), 3);
	scenario_free(&s);
}

static void no_peer_or_a_malformed_one_is_a_bad_request(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	message_begin(&m, &c, STUN_METHOD_CREATE_PERMISSION);
	assert_code(scenario_send(s, &c, &m), 400);
	message_begin(&m, &c, STUN_METHOD_CREATE_PERMISSION);
	message_put_peer(&m, "198.51.100.9:1");
	stun_put(&m.w, STUN_ATTR_XOR_PEER_ADDRESS, span_make("\0\1\0\0\0\0", 6));
	assert_code(scenario_send(s, &c, &m), 400);
	scenario_free(&s);
}

static void a_refusal_names_the_rule(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	struct span value;

	(void)state;
	assert_success(scenario_allocate(s, &c));
	struct reply r = scenario_permit(s, &c, "10.0.0.1:1");

	assert_code(r, 403);
	assert_true(stun_find(&r.message, STUN_ATTR_ERROR_CODE, &value));
	assert_true(span_equal(span_make(value.data + 4, value.len - 4), span_of("private-use")));
	scenario_free(&s);
}

static void a_full_table_takes_all_of_a_request_or_none(void **state)
{
	static const char *const two[] = {"198.51.100.12:1", "198.51.100.13:1"};
	static const char *const known[] = {"198.51.100.9:1", "198.51.100.10:1"};
	/* The same new peer twice needs one place. */
	static const char *const twice[] = {"198.51.100.11:1", "198.51.100.11:2"};
	struct scenario *s = scenario_new(&(struct options){.permissions = 3});
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(permit_many(s, &c, known, ARRAY_SIZE(known)));
	assert_code(permit_many(s, &c, two, ARRAY_SIZE(two)), 508);
	assert_false(reaches_client(s, &relayed, "198.51.100.12:7"));
	assert_success(permit_many(s, &c, known, ARRAY_SIZE(known)));
	assert_success(permit_many(s, &c, twice, ARRAY_SIZE(twice)));
	assert_true(reaches_client(s, &relayed, "198.51.100.11:7"));
	assert_code(scenario_permit(s, &c, "198.51.100.12:1"), 508);
	/* Places come back with time, without a tick too. */
	scenario_wait(s, 300);
	assert_success(permit_many(s, &c, two, ARRAY_SIZE(two)));
	scenario_free(&s);
}

static void a_refused_request_does_not_refresh_what_was_there(void **state)
{
	static const char *const peers[] = {"198.51.100.9:1", "10.0.0.1:1"};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_permit(s, &c, "198.51.100.9:1"));
	scenario_wait(s, 200);
	assert_code(permit_many(s, &c, peers, ARRAY_SIZE(peers)), 403);
	scenario_wait(s, 100);
	assert_false(reaches_client(s, &relayed, "198.51.100.9:7"));
	scenario_free(&s);
}

static void a_permission_lasts_exactly_five_minutes(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_refresh(s, &c, 3600));
	assert_success(scenario_permit(s, &c, "198.51.100.9:1"));
	scenario_wait(s, 299);
	assert_true(reaches_client(s, &relayed, "198.51.100.9:7"));
	scenario_send_indication(s, &c, "198.51.100.9:7", "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	/* Neither of those refreshed it. */
	scenario_wait(s, 1);
	assert_false(reaches_client(s, &relayed, "198.51.100.9:7"));
	scenario_send_indication(s, &c, "198.51.100.9:7", "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 0);
	/* CreatePermission does. */
	assert_success(scenario_permit(s, &c, "198.51.100.9:1"));
	scenario_wait(s, 200);
	assert_success(scenario_permit(s, &c, "198.51.100.9:1"));
	scenario_wait(s, 299);
	assert_true(reaches_client(s, &relayed, "198.51.100.9:7"));
	scenario_free(&s);
}

static void a_permission_of_one_allocation_is_none_of_another(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client a = client_make(address, "alice");
	struct client b = client_make("198.51.100.8:40000", "bob");

	(void)state;
	assert_success(scenario_allocate(s, &a));
	struct reply r = scenario_allocate(s, &b);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_permit(s, &a, "198.51.100.9:1"));
	assert_false(reaches_client(s, &relayed, "198.51.100.9:7"));
	scenario_free(&s);
}

static void creating_a_permission_prolongs_the_flow_of_its_channels_towards_the_client(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, "198.51.100.9:5000"));
	assert_success(scenario_bind(s, &c, 0x4001, "198.51.100.10:5000"));
	scenario_wait(s, 100);
	assert_success(scenario_permit(s, &c, "198.51.100.9:1"));
	assert_int_equal(scenario_count(s, TURN_SET_FLOW), 1);
	const struct turn_flow *flow = &scenario_event(s, TURN_SET_FLOW)->action.set_flow;

	assert_int_equal(flow->channel, 0x4000);
	assert_int_equal(flow->to_client_expires_ns, s->now.mono_ns + 300 * NSEC_PER_SEC);
	assert_int_equal(flow->to_peer_expires_ns, s->now.mono_ns + 500 * NSEC_PER_SEC);
	assert_true(scenario_position(s, TURN_SET_FLOW) < scenario_position(s, TURN_SEND_CLIENT));
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_permission_is_for_every_port_of_an_address),
		cmocka_unit_test(one_request_permits_several_peers),
		cmocka_unit_test(one_bad_peer_among_good_ones_refuses_them_all),
		cmocka_unit_test(no_peer_or_a_malformed_one_is_a_bad_request),
		cmocka_unit_test(a_refusal_names_the_rule),
		cmocka_unit_test(a_full_table_takes_all_of_a_request_or_none),
		cmocka_unit_test(a_refused_request_does_not_refresh_what_was_there),
		cmocka_unit_test(a_permission_lasts_exactly_five_minutes),
		cmocka_unit_test(a_permission_of_one_allocation_is_none_of_another),
		cmocka_unit_test(
			creating_a_permission_prolongs_the_flow_of_its_channels_towards_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
