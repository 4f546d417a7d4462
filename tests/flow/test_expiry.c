/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock: what runs out when, and when the tick is asked for.
 */
#include "flow/scenario.h"

#define MANY 300

static struct message m;
static const char address[] = "198.51.100.7:40000";

static void without_anything_to_expire_no_tick_is_asked_for(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_int_equal(turn_next_tick(s->turn[0]), UINT64_MAX);
	assert_success(scenario_allocate(s, &c));
	assert_int_equal(turn_next_tick(s->turn[0]), s->now.mono_ns + 600 * NSEC_PER_SEC);
	assert_success(scenario_permit(s, &c, "198.51.100.9:1"));
	assert_int_equal(turn_next_tick(s->turn[0]), s->now.mono_ns + 300 * NSEC_PER_SEC);
	assert_success(scenario_refresh(s, &c, 0));
	assert_int_equal(turn_next_tick(s->turn[0]), UINT64_MAX);
	scenario_free(&s);
}

static void an_allocation_ends_at_its_second_and_not_before(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	s->now.mono_ns += 600 * NSEC_PER_SEC - 1;
	scenario_tick(s);
	assert_int_equal(s->event_count, 0);
	s->now.mono_ns += 1;
	scenario_tick(s);
	assert_int_equal(scenario_count(s, TURN_CLOSE_RELAY), 1);
	assert_int_equal(scenario_taken_ports(s), 0);
	assert_int_equal(scenario_counter(s, allocations_expired), 1);
	scenario_free(&s);
}

static void a_request_after_the_end_but_before_the_tick_finds_nothing(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, "198.51.100.9:5000"));
	scenario_wait(s, 600);
	assert_code(scenario_refresh(s, &c, 600), 437);
	/* It is closed at once, so that the answer is true. */
	assert_true(scenario_position(s, TURN_REMOVE_FLOW) <
		    scenario_position(s, TURN_CLOSE_RELAY));
	assert_true(scenario_position(s, TURN_CLOSE_RELAY) <
		    scenario_position(s, TURN_SEND_CLIENT));
	assert_success(scenario_allocate(s, &c));
	scenario_free(&s);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* An earliest time by looking at all of them. */
static uint64_t earliest(const uint64_t expires_ns[], size_t count)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < count; i++)
		first = MIN(first, expires_ns[i]);
	return first;
}

static uint64_t allocate_for(struct scenario *s, struct client *c, uint32_t lifetime_s)
{
	message_begin(&m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
	stun_put_u32(&m.w, STUN_ATTR_LIFETIME, lifetime_s);
	assert_success(scenario_send(s, c, &m));
	return s->now.mono_ns + lifetime_s * NSEC_PER_SEC;
}

static void of_many_allocations_the_next_to_end_is_always_known(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.allocations = MANY});
	static struct client clients[MANY];
	static uint64_t expires_ns[MANY];
	uint32_t seed = 600;

	(void)state;
	for (uint16_t i = 0; i < MANY; i++) {
		clients[i] = client_make(address, "alice");
		clients[i].from.tuple.client.port = (uint16_t)(41000 + i);
		expires_ns[i] = allocate_for(s, &clients[i], 600 + next_random(&seed) % 3000);
		assert_int_equal(turn_next_tick(s->turn[0]), earliest(expires_ns, i + 1U));
	}
	/* A third is ended out of order, which takes from the middle of the heap. */
	for (size_t i = 0; i < MANY; i += 3) {
		assert_success(scenario_refresh(s, &clients[i], 0));
		expires_ns[i] = UINT64_MAX;
		assert_int_equal(turn_next_tick(s->turn[0]), earliest(expires_ns, MANY));
	}
	while (earliest(expires_ns, MANY) != UINT64_MAX) {
		uint64_t due = earliest(expires_ns, MANY);

		assert_int_equal(turn_next_tick(s->turn[0]), due);
		s->now.mono_ns = due;
		scenario_tick(s);
		size_t ended = 0;

		for (size_t i = 0; i < MANY; i++) {
			ended += expires_ns[i] == due;
			if (expires_ns[i] == due)
				expires_ns[i] = UINT64_MAX;
		}
		assert_int_equal(scenario_count(s, TURN_CLOSE_RELAY), ended);
	}
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	scenario_free(&s);
}

static void nothing_that_lives_is_touched_by_a_late_tick(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, "198.51.100.9:5000"));
	scenario_wait(s, 200);
	assert_success(scenario_bind(s, &c, 0x4001, "198.51.100.10:5000"));
	assert_success(scenario_refresh(s, &c, 3600));
	/* The first channel is over, the second is not; no tick came in between. */
	scenario_wait(s, 450);
	scenario_tick(s);
	assert_int_equal(scenario_count(s, TURN_REMOVE_FLOW), 1);
	assert_int_equal(scenario_count(s, TURN_REMOVE_GRANT), 2);
	assert_int_equal(s->event_count, 3);
	scenario_channel_data(s, &c, 0x4001, "x");
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	scenario_free(&s);
}

static void limits_that_make_no_sense_are_refused(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct turn *turn = NULL;
	struct turn_config config;

	(void)state;
#define REFUSED(change)     \
	config = s->config; \
	change;             \
	assert_int_equal(turn_new(&config, &turn), -22);
	REFUSED(config.allocations_max = 0)
	REFUSED(config.permissions_per_allocation = 0)
	REFUSED(config.channels_per_allocation = 0)
	REFUSED(config.channels_per_allocation = 1025)
	REFUSED(config.permissions_per_allocation = 1025)
	REFUSED(config.credentials = NULL)
	REFUSED(config.ports = NULL)
#undef REFUSED
	assert_null(turn);
	turn_free(&turn);
	assert_int_equal(turn_flow_limit(s->turn[0]), 100 * 64);
	assert_int_equal(turn_grant_limit(s->turn[0]), 100 * 64);
	scenario_free(&s);
}

static void the_end_of_the_relay_gives_its_ports_back(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, "198.51.100.9:5000"));
	turn_free(&s->turn[0]);
	assert_null(s->turn[0]);
	assert_int_equal(scenario_taken_ports(s), 0);
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_anything_to_expire_no_tick_is_asked_for),
		cmocka_unit_test(an_allocation_ends_at_its_second_and_not_before),
		cmocka_unit_test(a_request_after_the_end_but_before_the_tick_finds_nothing),
		cmocka_unit_test(of_many_allocations_the_next_to_end_is_always_known),
		cmocka_unit_test(nothing_that_lives_is_touched_by_a_late_tick),
		cmocka_unit_test(limits_that_make_no_sense_are_refused),
		cmocka_unit_test(the_end_of_the_relay_gives_its_ports_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
