/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Retransmissions over UDP: the same bytes again, and no second effect.
 */
#include "flow/scenario.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";
static const char peer[] = "198.51.100.9:5000";

static void begin_allocate(struct client *c)
{
	message_begin(&m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
}

static void begin_refresh(struct client *c, uint32_t lifetime_s)
{
	message_begin(&m, c, STUN_METHOD_REFRESH);
	stun_put_u32(&m.w, STUN_ATTR_LIFETIME, lifetime_s);
}

/* The bytes of the one answer, kept beyond the next input. */
struct kept {
	uint8_t bytes[512];
	size_t len;
};

static struct kept keep_answer(const struct scenario *s)
{
	const struct event *e = scenario_event(s, TURN_SEND_CLIENT);
	struct kept kept;

	assert_non_null(e);
	assert_true(e->len <= sizeof(kept.bytes));
	kept.len = e->len;
	memcpy(kept.bytes, s->bytes + e->at, e->len);
	return kept;
}

/* The message in m again: one answer, these bytes, nothing else. */
static void assert_same_answer(struct scenario *s, struct client *c, const struct kept *before)
{
	uint64_t repeated = scenario_counter(s, retransmissions);

	scenario_send(s, c, &m);
	assert_int_equal(s->event_count, 1);
	struct kept again = keep_answer(s);

	assert_int_equal(again.len, before->len);
	assert_memory_equal(again.bytes, before->bytes, before->len);
	assert_int_equal(scenario_counter(s, retransmissions), repeated + 1);
}

static void an_allocate_again_gets_the_same_success(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	c.fingerprint = true;
	begin_allocate(&c);
	message_put_u8(&m, STUN_ATTR_EVEN_PORT, 0x80, 1);
	assert_success(scenario_send(s, &c, &m));
	struct kept before = keep_answer(s);

	scenario_wait(s, 3);
	assert_same_answer(s, &c, &before);
	assert_int_equal(scenario_counter(s, allocations_created), 1);
	assert_int_equal(scenario_taken_ports(s), 2);
	/* Another transaction is another request. */
	assert_code(scenario_allocate(s, &c), 437);
	scenario_free(&s);
}

static void an_allocate_again_says_what_was_granted_whatever_happened_since(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	static struct message allocate, refresh;

	(void)state;
	message_begin(&allocate, &c, STUN_METHOD_ALLOCATE);
	message_put_u8(&allocate, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	message_put_u8(&allocate, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, STUN_FAMILY_IPV6, 4);
	assert_success(scenario_send(s, &c, &allocate));
	struct kept before = keep_answer(s);

	assert_success(scenario_refresh(s, &c, 3600));
	message_begin(&refresh, &c, STUN_METHOD_REFRESH);
	stun_put_u32(&refresh.w, STUN_ATTR_LIFETIME, 0);
	message_put_u8(&refresh, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_IPV6, 4);
	assert_success(scenario_send(s, &c, &refresh));
	m = allocate;
	assert_same_answer(s, &c, &before);
	scenario_free(&s);
}

static void a_partial_success_again_says_again_what_was_missing(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.no_ipv6 = true});
	struct client c = client_make(address, "alice");

	(void)state;
	begin_allocate(&c);
	message_put_u8(&m, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, STUN_FAMILY_IPV6, 4);
	assert_success(scenario_send(s, &c, &m));
	struct kept before = keep_answer(s);

	assert_same_answer(s, &c, &before);
	scenario_free(&s);
}

static void a_refresh_again_does_not_prolong_again(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	begin_refresh(&c, 600);
	assert_success(scenario_send(s, &c, &m));
	struct kept before = keep_answer(s);

	scenario_wait(s, 39);
	assert_same_answer(s, &c, &before);
	scenario_run(s, 561);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	scenario_free(&s);
}

static void an_old_refresh_again_does_not_undo_a_younger_one(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	begin_refresh(&c, 3600);
	assert_success(scenario_send(s, &c, &m));
	struct kept before = keep_answer(s);
	struct message old = m;

	assert_success(scenario_refresh(s, &c, 600));
	m = old;
	assert_same_answer(s, &c, &before);
	scenario_run(s, 600);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	scenario_free(&s);
}

static void the_last_refresh_again_gets_its_success_for_forty_seconds(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	begin_refresh(&c, 0);
	assert_success(scenario_send(s, &c, &m));
	struct kept before = keep_answer(s);

	assert_same_answer(s, &c, &before);
	scenario_run(s, 39);
	assert_same_answer(s, &c, &before);
	scenario_run(s, 1);
	assert_code(scenario_send(s, &c, &m), 437);
	assert_int_equal(scenario_counter(s, allocations_deleted), 1);
	scenario_free(&s);
}

static void the_last_refresh_again_does_not_end_a_younger_allocation(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	begin_refresh(&c, 0);
	assert_success(scenario_send(s, &c, &m));
	struct kept before = keep_answer(s);

	assert_success(scenario_allocate(s, &c));
	assert_same_answer(s, &c, &before);
	assert_int_equal(turn_allocation_count(s->turn[0]), 1);
	scenario_free(&s);
}

static void the_last_refresh_of_another_client_or_user_is_none_of_mine(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	struct client elsewhere = client_make("198.51.100.7:40001", "alice");
	struct client bob = client_make(address, "bob");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	begin_refresh(&c, 0);
	assert_success(scenario_send(s, &c, &m));
	/* The same transaction id, from elsewhere and of another user. */
	elsewhere.transactions = bob.transactions = c.transactions - 1;
	begin_refresh(&elsewhere, 0);
	m.bytes[8 + 11] = (uint8_t)c.from.tuple.client.port;
	assert_code(scenario_send(s, &elsewhere, &m), 437);
	begin_refresh(&bob, 0);
	assert_code(scenario_send(s, &bob, &m), 437);
	scenario_free(&s);
}

static void half_an_allocation_is_ended_once(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	begin_refresh(&c, 0);
	message_put_u8(&m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_IPV4, 4);
	assert_success(scenario_send(s, &c, &m));
	struct kept before = keep_answer(s);

	/* Carried out again it would be 443. */
	assert_same_answer(s, &c, &before);
	scenario_free(&s);
}

static void a_permission_and_a_channel_again_are_not_refreshed_again(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	message_begin(&m, &c, STUN_METHOD_CHANNEL_BIND);
	stun_put_u32(&m.w, STUN_ATTR_CHANNEL_NUMBER, 0x40000000);
	message_put_peer(&m, peer);
	assert_success(scenario_send(s, &c, &m));
	struct kept before = keep_answer(s);
	struct flow_state flow = s->flows[0][0];

	scenario_wait(s, 10);
	assert_same_answer(s, &c, &before);
	assert_memory_equal(&flow, &s->flows[0][0], sizeof(flow));

	message_begin(&m, &c, STUN_METHOD_CREATE_PERMISSION);
	message_put_peer(&m, "198.51.100.10:1");
	assert_success(scenario_send(s, &c, &m));
	before = keep_answer(s);
	scenario_wait(s, 10);
	assert_same_answer(s, &c, &before);
	scenario_wait(s, 290);
	scenario_send_indication(s, &c, "198.51.100.10:1", "x");
	assert_int_equal(s->event_count, 0);
	scenario_free(&s);
}

static void a_channel_bind_again_after_it_was_refused_is_tried_again(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.permissions = 1});
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_permit(s, &c, "198.51.100.10:1"));
	scenario_wait(s, 299);
	message_begin(&m, &c, STUN_METHOD_CHANNEL_BIND);
	stun_put_u32(&m.w, STUN_ATTR_CHANNEL_NUMBER, 0x40000000);
	message_put_peer(&m, peer);
	assert_code(scenario_send(s, &c, &m), 508);
	scenario_wait(s, 1);
	assert_success(scenario_send(s, &c, &m));
	scenario_free(&s);
}

static void a_retransmission_is_answered_although_its_nonce_ran_out_meanwhile(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.nonce_lifetime_s = 60});
	struct client c = client_make(address, "alice");

	(void)state;
	begin_allocate(&c);
	message_seal(s, &m, &c);
	scenario_wait(s, 60);
	assert_success(scenario_send(s, &c, &m));
	struct kept before = keep_answer(s);

	scenario_wait(s, 2);
	assert_same_answer(s, &c, &before);
	/* What was not answered before is stale. */
	begin_refresh(&c, 600);
	message_seal(s, &m, &c);
	scenario_wait(s, 62);
	assert_code(scenario_send(s, &c, &m), 438);
	scenario_free(&s);
}

static void a_retransmission_without_credentials_is_challenged(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	struct client stranger = client_make(address, NULL);

	(void)state;
	assert_success(scenario_allocate(s, &c));
	stranger.transactions = c.transactions - 1;
	begin_allocate(&stranger);
	assert_code(scenario_send(s, &stranger, &m), 401);
	scenario_free(&s);
}

static void farewells_are_bounded(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.allocations = 3});
	struct client clients[5];
	static struct message refreshes[5];

	(void)state;
	for (uint16_t i = 0; i < 5; i++) {
		clients[i] = client_make(address, "alice");
		clients[i].from.tuple.client.port = (uint16_t)(41000 + i);
		assert_success(scenario_allocate(s, &clients[i]));
		begin_refresh(&clients[i], 0);
		assert_success(scenario_send(s, &clients[i], &m));
		refreshes[i] = m;
	}
	/* The oldest made room. */
	for (uint16_t i = 0; i < 5; i++)
		assert_code(scenario_send(s, &clients[i], &refreshes[i]), i < 2 ? 437 : 0);
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allocate_again_gets_the_same_success),
		cmocka_unit_test(an_allocate_again_says_what_was_granted_whatever_happened_since),
		cmocka_unit_test(a_partial_success_again_says_again_what_was_missing),
		cmocka_unit_test(a_refresh_again_does_not_prolong_again),
		cmocka_unit_test(an_old_refresh_again_does_not_undo_a_younger_one),
		cmocka_unit_test(the_last_refresh_again_gets_its_success_for_forty_seconds),
		cmocka_unit_test(the_last_refresh_again_does_not_end_a_younger_allocation),
		cmocka_unit_test(the_last_refresh_of_another_client_or_user_is_none_of_mine),
		cmocka_unit_test(half_an_allocation_is_ended_once),
		cmocka_unit_test(a_permission_and_a_channel_again_are_not_refreshed_again),
		cmocka_unit_test(a_channel_bind_again_after_it_was_refused_is_tried_again),
		cmocka_unit_test(a_retransmission_is_answered_although_its_nonce_ran_out_meanwhile),
		cmocka_unit_test(a_retransmission_without_credentials_is_challenged),
		cmocka_unit_test(farewells_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
