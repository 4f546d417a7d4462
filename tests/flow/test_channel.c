/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ChannelBind and the flows that the kernel path learns from it, RFC 8656 12.
 */
#include "flow/scenario.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";
static const char peer[] = "198.51.100.9:5000";
static const char other_peer[] = "198.51.100.9:5001";

static void a_flow_is_live_before_the_client_knows(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_bind(s, &c, 0x4000, peer));
	assert_int_equal(s->event_count, 3);
	assert_int_equal(s->events[0].action.kind, TURN_SET_GRANT);
	assert_int_equal(s->events[1].action.kind, TURN_SET_FLOW);
	assert_int_equal(s->events[2].action.kind, TURN_SEND_CLIENT);
	const struct turn_flow *flow = &s->events[1].action.set_flow;

	assert_int_equal(flow->channel, 0x4000);
	assert_true(addr_equal(&flow->relayed, &relayed));
	struct addr expected = addr_of(peer);

	assert_true(addr_equal(&flow->peer, &expected));
	assert_false(flow->peer_is_allocation);
	assert_memory_equal(&flow->tuple, &c.from.tuple, sizeof(c.from.tuple));
	/* Ten minutes to the peer, five back: the permission ends first. */
	assert_int_equal(flow->to_peer_expires_ns, s->now.mono_ns + 600 * NSEC_PER_SEC);
	assert_int_equal(flow->to_client_expires_ns, s->now.mono_ns + 300 * NSEC_PER_SEC);
	scenario_free(&s);
}

static void channel_numbers_are_0x4000_to_0x4fff(void **state)
{
	static const struct {
		uint16_t number;
		unsigned int code;
	} rows[] = {{0x0000, 400}, {0x3fff, 400}, {0x4000, 0},	{0x4fff, 0},
		    {0x5000, 400}, {0x7fff, 400}, {0xffff, 400}};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.51.100.9:%zu", 5000 + i);
		assert_code(scenario_bind(s, &c, rows[i].number, text), rows[i].code);
	}
	assert_int_equal(scenario_live_flows(s), 2);
	scenario_free(&s);
}

static void number_and_peer_belong_to_each_other_alone(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	assert_code(scenario_bind(s, &c, 0x4000, other_peer), 400);
	assert_code(scenario_bind(s, &c, 0x4001, peer), 400);
	/* Another port is another peer. */
	assert_success(scenario_bind(s, &c, 0x4001, other_peer));
	/* Crossed: both are bound, but not to each other. */
	assert_code(scenario_bind(s, &c, 0x4000, other_peer), 400);
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	assert_int_equal(scenario_live_flows(s), 2);
	scenario_free(&s);
}

static void missing_or_malformed_attributes_are_a_bad_request(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	message_begin(&m, &c, STUN_METHOD_CHANNEL_BIND);
	message_put_peer(&m, peer);
	assert_code(scenario_send(s, &c, &m), 400);
	message_begin(&m, &c, STUN_METHOD_CHANNEL_BIND);
	stun_put_u32(&m.w, STUN_ATTR_CHANNEL_NUMBER, 0x40000000);
	assert_code(scenario_send(s, &c, &m), 400);
	message_begin(&m, &c, STUN_METHOD_CHANNEL_BIND);
	message_put_u8(&m, STUN_ATTR_CHANNEL_NUMBER, 0x40, 2);
	message_put_peer(&m, peer);
	assert_code(scenario_send(s, &c, &m), 400);
	message_begin(&m, &c, STUN_METHOD_CHANNEL_BIND);
	stun_put_u32(&m.w, STUN_ATTR_CHANNEL_NUMBER, 0x40000000);
	stun_put(&m.w, STUN_ATTR_XOR_PEER_ADDRESS, span_make("\0\1\0\0", 4));
	assert_code(scenario_send(s, &c, &m), 400);
	assert_int_equal(scenario_live_flows(s), 0);
	scenario_free(&s);
}

static void port_zero_cannot_be_bound(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	struct addr zero = addr_of(peer);

	(void)state;
	zero.port = 0;
	assert_success(scenario_allocate(s, &c));
	message_begin(&m, &c, STUN_METHOD_CHANNEL_BIND);
	stun_put_u32(&m.w, STUN_ATTR_CHANNEL_NUMBER, 0x40000000);
	stun_put_xor_address(&m.w, STUN_ATTR_XOR_PEER_ADDRESS, &zero);
	assert_code(scenario_send(s, &c, &m), 400);
	scenario_free(&s);
}

static void the_reserved_bytes_of_a_channel_number_are_ignored(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	message_begin(&m, &c, STUN_METHOD_CHANNEL_BIND);
	stun_put_u32(&m.w, STUN_ATTR_CHANNEL_NUMBER, 0x4123ffff);
	message_put_peer(&m, peer);
	assert_success(scenario_send(s, &c, &m));
	assert_int_equal(scenario_event(s, TURN_SET_FLOW)->action.set_flow.channel, 0x4123);
	scenario_free(&s);
}

static void a_peer_of_another_family_gets_443_and_a_denied_one_403(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_code(scenario_bind(s, &c, 0x4000, "[2001:db8::9]:5000"), 443);
	assert_code(scenario_bind(s, &c, 0x4000, "192.168.1.1:5000"), 403);
	assert_int_equal(scenario_live_flows(s), 0);
	scenario_free(&s);
}

static void full_tables_get_508_and_a_refresh_still_succeeds(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.channels = 2, .permissions = 2});
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	assert_success(scenario_bind(s, &c, 0x4001, other_peer));
	assert_code(scenario_bind(s, &c, 0x4002, "198.51.100.9:5002"), 508);
	assert_success(scenario_bind(s, &c, 0x4001, other_peer));
	scenario_free(&s);

	/* Here it is the permission that has no place: the channel is not made either. */
	s = scenario_new(&(struct options){.permissions = 1});
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_permit(s, &c, "198.51.100.10:1"));
	assert_code(scenario_bind(s, &c, 0x4000, peer), 508);
	assert_int_equal(scenario_count(s, TURN_SET_FLOW), 0);
	assert_success(scenario_bind(s, &c, 0x4000, "198.51.100.10:5000"));
	scenario_free(&s);
}

static void binding_installs_and_refreshes_the_permission(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	scenario_send_indication(s, &c, other_peer, "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	scenario_wait(s, 200);
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	scenario_wait(s, 299);
	scenario_send_indication(s, &c, other_peer, "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	scenario_free(&s);
}

static void a_refresh_is_the_same_flow_with_a_later_expiry(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_refresh(s, &c, 3600));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	uint32_t flow = scenario_event(s, TURN_SET_FLOW)->action.set_flow.flow;

	scenario_run(s, 240);
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	assert_int_equal(scenario_count(s, TURN_SET_FLOW), 1);
	const struct turn_flow *set = &scenario_event(s, TURN_SET_FLOW)->action.set_flow;

	assert_int_equal(set->flow, flow);
	assert_int_equal(set->to_peer_expires_ns, s->now.mono_ns + 600 * NSEC_PER_SEC);
	assert_int_equal(set->to_client_expires_ns, s->now.mono_ns + 300 * NSEC_PER_SEC);
	scenario_free(&s);
}

static void a_channel_ends_after_ten_minutes_and_its_number_and_peer_are_free(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_refresh(s, &c, 3600));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	scenario_run(s, 599);
	assert_int_equal(scenario_live_flows(s), 1);
	scenario_channel_data(s, &c, 0x4000, "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	scenario_wait(s, 1);
	scenario_channel_data(s, &c, 0x4000, "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 0);
	assert_int_equal(scenario_counter(s, drop_no_channel), 1);
	scenario_tick(s);
	assert_int_equal(scenario_count(s, TURN_REMOVE_FLOW), 1);
	/* RFC 8656 12: once unbound they can be bound anew; the five minutes are the client's. */
	assert_success(scenario_bind(s, &c, 0x4001, peer));
	assert_success(scenario_bind(s, &c, 0x4000, other_peer));
	scenario_free(&s);
}

static void a_channel_that_ran_out_is_gone_for_a_request_that_comes_before_the_tick(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_refresh(s, &c, 3600));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	scenario_wait(s, 600);
	assert_success(scenario_bind(s, &c, 0x4001, peer));
	/* The old flow is dead before the new one is live. */
	assert_true(scenario_position(s, TURN_REMOVE_FLOW) < scenario_position(s, TURN_SET_FLOW));
	assert_int_equal(scenario_live_flows(s), 1);
	scenario_free(&s);
}

static void flow_numbers_are_dense_and_used_again(void **state)
{
	struct scenario *s = scenario_new(NULL);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (uint16_t i = 0; i < 8; i++) {
			struct client c = client_make(address, "alice");

			c.from.tuple.client.port = (uint16_t)(41000 + i);
			assert_success(scenario_allocate(s, &c));
			for (uint16_t j = 0; j < 8; j++) {
				char text[32];

				snprintf(text, sizeof(text), "198.51.100.9:%u", 5000U + j);
				assert_success(scenario_bind(s, &c, (uint16_t)(0x4000 + j), text));
			}
		}
		for (int i = 0; i < 64; i++)
			assert_true(s->flows[0][i].live);
		assert_int_equal(scenario_live_flows(s), 64);
		scenario_run(s, 3600);
		assert_int_equal(scenario_live_flows(s), 0);
	}
	scenario_free(&s);
}

static void the_end_of_an_allocation_with_many_channels_comes_in_batches(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.channels = 1024, .permissions = 1024});

	(void)state;
	for (uint16_t i = 0; i < 3; i++) {
		struct client c = client_make(address, "alice");

		c.from.tuple.client.port = (uint16_t)(41000 + i);
		assert_success(scenario_allocate(s, &c));
		for (unsigned int j = 0; j < 1024; j++) {
			char text[48];

			snprintf(text, sizeof(text), "198.51.100.%u:%u", 1 + j % 16, 5000U + j);
			assert_success(scenario_bind(s, &c, (uint16_t)(0x4000 + j), text));
		}
	}
	scenario_wait(s, 600);
	/* The driver asserts that each batch fits and ticks until there is no more. */
	s->event_count = 0;
	bool more = turn_tick(s->turn[0], &s->now, &s->out);

	assert_true(more);
	assert_int_equal(s->out.count, 2 * (1024 + 16 + 2));
	turn_actions_clear(&s->out);
	assert_false(turn_tick(s->turn[0], &s->now, &s->out));
	assert_int_equal(s->out.count, 1024 + 16 + 2);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_live_before_the_client_knows),
		cmocka_unit_test(channel_numbers_are_0x4000_to_0x4fff),
		cmocka_unit_test(number_and_peer_belong_to_each_other_alone),
		cmocka_unit_test(missing_or_malformed_attributes_are_a_bad_request),
		cmocka_unit_test(port_zero_cannot_be_bound),
		cmocka_unit_test(the_reserved_bytes_of_a_channel_number_are_ignored),
		cmocka_unit_test(a_peer_of_another_family_gets_443_and_a_denied_one_403),
		cmocka_unit_test(full_tables_get_508_and_a_refresh_still_succeeds),
		cmocka_unit_test(binding_installs_and_refreshes_the_permission),
		cmocka_unit_test(a_refresh_is_the_same_flow_with_a_later_expiry),
		cmocka_unit_test(a_channel_ends_after_ten_minutes_and_its_number_and_peer_are_free),
		cmocka_unit_test(
			a_channel_that_ran_out_is_gone_for_a_request_that_comes_before_the_tick),
		cmocka_unit_test(flow_numbers_are_dense_and_used_again),
		cmocka_unit_test(the_end_of_an_allocation_with_many_channels_comes_in_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
