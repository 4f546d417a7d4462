/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel path is told so that it can carry indications: senders and grants, when, in
 * which order, and until when. That nothing is told twice or outlives what it needs is checked by
 * the driver in every scenario.
 */
#include "flow/scenario.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";
static const char peer[] = "198.51.100.9:5000";
static const char peer6[] = "[2001:db8::9]:5000";

static uint64_t in_seconds(const struct scenario *s, uint64_t seconds)
{
	return s->now.mono_ns + seconds * NSEC_PER_SEC;
}

static void an_allocation_has_a_sender_for_each_relay_before_its_client_knows(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate_dual(s, &c);
	struct addr relayed[] = {reply_relayed(&r, ADDR_IPV4), reply_relayed(&r, ADDR_IPV6)};

	assert_int_equal(scenario_count(s, TURN_SET_SENDER), 2);
	size_t at = scenario_position(s, TURN_SET_SENDER);

	assert_int_equal(scenario_position(s, TURN_SEND_CLIENT), at + 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct turn_sender *sender = &s->events[at + i].action.set_sender;

		assert_int_equal(sender->sender, 2 * sender->allocation + i);
		assert_true(addr_equal(&sender->relayed, &relayed[i]));
		assert_memory_equal(&sender->tuple, &c.from.tuple, sizeof(c.from.tuple));
		assert_int_equal(sender->expires_ns, in_seconds(s, 600));
	}
	scenario_free(&s);
}

static void a_refresh_moves_the_sender_and_what_the_relay_had_cut_short(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	scenario_run(s, 400);
	/* The relay ends before the permission would. */
	assert_success(scenario_permit(s, &c, peer));
	assert_int_equal(scenario_event(s, TURN_SET_GRANT)->action.set_grant.expires_ns,
			 in_seconds(s, 200));
	assert_success(scenario_refresh(s, &c, 600));
	assert_int_equal(scenario_event(s, TURN_SET_SENDER)->action.set_sender.expires_ns,
			 in_seconds(s, 600));
	assert_int_equal(scenario_event(s, TURN_SET_GRANT)->action.set_grant.expires_ns,
			 in_seconds(s, 300));
	assert_int_equal(s->events[s->event_count - 1].action.kind, TURN_SEND_CLIENT);
	/* Now the relay outlives it anyhow: only the sender has news. */
	scenario_run(s, 10);
	assert_success(scenario_refresh(s, &c, 600));
	assert_int_equal(scenario_count(s, TURN_SET_SENDER), 1);
	assert_int_equal(scenario_count(s, TURN_SET_GRANT), 0);
	scenario_free(&s);
}

static void a_permission_is_a_grant_before_its_client_knows(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	struct addr ip = addr_of(peer);

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_permit(s, &c, peer));
	assert_int_equal(s->event_count, 2);
	assert_int_equal(s->events[0].action.kind, TURN_SET_GRANT);
	const struct turn_grant grant = s->events[0].action.set_grant;

	ip.port = 0;
	assert_true(addr_equal(&grant.peer, &ip));
	assert_true(addr_equal(&grant.relayed, &relayed));
	assert_memory_equal(&grant.tuple, &c.from.tuple, sizeof(c.from.tuple));
	assert_false(grant.peer_is_relay || grant.peer_is_renamed);
	assert_int_equal(grant.expires_ns, in_seconds(s, 300));
	/* Again, and by another port of the same peer: the same grant, later. */
	scenario_run(s, 100);
	assert_success(scenario_permit(s, &c, "198.51.100.9:6000"));
	assert_int_equal(s->events[0].action.set_grant.grant, grant.grant);
	assert_int_equal(s->events[0].action.set_grant.expires_ns, in_seconds(s, 300));
	/* At its end it goes, the allocation stays. */
	scenario_run(s, 300);
	assert_int_equal(scenario_live_grants(s), 0);
	assert_int_equal(scenario_live_senders(s), 1);
	scenario_free(&s);
}

static void a_request_that_fails_as_a_whole_grants_nothing(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.permissions = 2});
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_permit(s, &c, peer));
	message_begin(&m, &c, STUN_METHOD_CREATE_PERMISSION);
	message_put_peer(&m, "198.51.100.10:1");
	message_put_peer(&m, "198.51.100.11:1");
	assert_code(scenario_send(s, &c, &m), 508);
	assert_int_equal(s->event_count, 1);
	assert_int_equal(scenario_live_grants(s), 1);
	/* And leaks no number. */
	assert_success(scenario_permit(s, &c, "198.51.100.10:1"));
	assert_int_equal(scenario_event(s, TURN_SET_GRANT)->action.set_grant.grant, 1);
	scenario_free(&s);
}

static void grant_numbers_are_dense_and_used_again(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_success(scenario_allocate_dual(s, &c));
		for (unsigned int i = 0; i < 64; i++) {
			char text[48];

			snprintf(text, sizeof(text), i % 2 ? "[2001:db8::%x]:1" : "198.51.100.%u:1",
				 i + 1);
			assert_success(scenario_permit(s, &c, text));
			assert_true(scenario_event(s, TURN_SET_GRANT)->action.set_grant.grant < 64);
		}
		assert_success(scenario_refresh(s, &c, 0));
		assert_int_equal(scenario_count(s, TURN_REMOVE_GRANT), 64);
		assert_int_equal(scenario_count(s, TURN_REMOVE_SENDER), 2);
	}
	scenario_free(&s);
}

static void half_an_allocation_takes_its_sender_and_grants_along(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	assert_success(scenario_permit(s, &c, peer));
	assert_success(scenario_permit(s, &c, peer6));
	message_begin(&m, &c, STUN_METHOD_REFRESH);
	stun_put_u32(&m.w, STUN_ATTR_LIFETIME, 0);
	message_put_u8(&m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_IPV6, 4);
	assert_success(scenario_send(s, &c, &m));
	assert_int_equal(s->events[0].action.kind, TURN_REMOVE_GRANT);
	assert_int_equal(s->events[1].action.kind, TURN_REMOVE_SENDER);
	assert_int_equal(s->events[1].action.remove_sender.sender % 2, 1);
	assert_int_equal(s->events[2].action.kind, TURN_CLOSE_RELAY);
	assert_int_equal(scenario_live_grants(s), 1);
	assert_int_equal(scenario_live_senders(s), 1);
	scenario_free(&s);
}

static void what_was_never_told_is_not_taken_back(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	/* No socket can be had, so there never was a relay. */
	s->bind_failures = -1;
	s->bind_error = -13;
	assert_code(scenario_allocate(s, &c), 508);
	assert_int_equal(scenario_count(s, TURN_SET_SENDER), 0);
	assert_int_equal(scenario_count(s, TURN_REMOVE_SENDER), 0);
	assert_int_equal(quota_used(s->quota), 0);
	scenario_free(&s);
}

static void grants_of_this_relays_own_addresses_say_so(void **state)
{
	static const struct {
		const char *external, *peer;
		bool renamed;
	} rows[] = {
		{NULL, "192.0.2.1:50000", false},
		{"203.0.113.7", "203.0.113.7:50000", true},
		{"203.0.113.7", "192.0.2.1:50000", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scenario *s = scenario_new(&(struct options){.external = rows[i].external});
		struct client c = client_make(address, "alice");

		assert_success(scenario_allocate(s, &c));
		assert_success(scenario_permit(s, &c, rows[i].peer));
		const struct turn_grant *grant =
			&scenario_event(s, TURN_SET_GRANT)->action.set_grant;
		struct addr internal = addr_of("192.0.2.1:1");

		internal.port = 0;
		assert_true(addr_equal(&grant->peer, &internal));
		assert_true(grant->peer_is_relay);
		assert_int_equal(grant->peer_is_renamed, rows[i].renamed);
		/* What is nobody's address of ours has one name only. */
		assert_success(scenario_permit(s, &c, peer));
		assert_false(scenario_event(s, TURN_SET_GRANT)->action.set_grant.peer_is_renamed);
		scenario_free(&s);
	}
}

/* The most actions that one request can lead to. Peers and channels over IPv6, so that the IPv4
 * relay of the allocation still lives when all of them have run out. */
static void everything_that_ran_out_and_a_thousand_new_permissions_fit_the_actions(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.channels = 1024, .permissions = 1024});
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	for (unsigned int i = 0; i < 1024; i++) {
		char text[48];

		snprintf(text, sizeof(text), "[2001:db8:1::%x]:5000", i + 1);
		assert_success(scenario_bind(s, &c, (uint16_t)(0x4000 + i), text));
	}
	assert_success(scenario_refresh(s, &c, 3600));
	scenario_wait(s, 600);
	message_begin(&m, &c, STUN_METHOD_CREATE_PERMISSION);
	for (unsigned int i = 0; i < 1024; i++) {
		char text[48];

		snprintf(text, sizeof(text), "[2001:db8:2::%x]:5000", i + 1);
		message_put_peer(&m, text);
	}
	assert_success(scenario_send(s, &c, &m));
	assert_int_equal(scenario_count(s, TURN_REMOVE_FLOW), 1024);
	assert_int_equal(scenario_count(s, TURN_REMOVE_GRANT), 1024);
	assert_int_equal(scenario_count(s, TURN_SET_GRANT), 1024);
	assert_int_equal(scenario_live_grants(s), 1024);
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allocation_has_a_sender_for_each_relay_before_its_client_knows),
		cmocka_unit_test(a_refresh_moves_the_sender_and_what_the_relay_had_cut_short),
		cmocka_unit_test(a_permission_is_a_grant_before_its_client_knows),
		cmocka_unit_test(a_request_that_fails_as_a_whole_grants_nothing),
		cmocka_unit_test(grant_numbers_are_dense_and_used_again),
		cmocka_unit_test(half_an_allocation_takes_its_sender_and_grants_along),
		cmocka_unit_test(what_was_never_told_is_not_taken_back),
		cmocka_unit_test(grants_of_this_relays_own_addresses_say_so),
		cmocka_unit_test(
			everything_that_ran_out_and_a_thousand_new_permissions_fit_the_actions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
