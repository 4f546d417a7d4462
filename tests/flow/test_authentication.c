/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long-term credentials, RFC 8489 9.2.4: each check, in its order, and what a stranger gets.
 */
#include "flow/scenario.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";

static void begin_allocate(struct client *c)
{
	message_begin(&m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
}

static void assert_challenge(const struct reply *r)
{
	struct span realm, nonce;

	assert_true(stun_find(&r->message, STUN_ATTR_REALM, &realm));
	assert_true(span_equal(realm, span_of("example.org")));
	assert_true(stun_find(&r->message, STUN_ATTR_NONCE, &nonce));
	assert_int_equal(nonce.len, NONCE_LEN);
	assert_false(reply_has(r, STUN_ATTR_USERNAME));
	assert_false(reply_has(r, STUN_ATTR_SOFTWARE));
}

static void a_request_without_integrity_is_challenged_and_leaves_nothing(void **state)
{
	static const uint16_t methods[] = {STUN_METHOD_ALLOCATE, STUN_METHOD_REFRESH,
					   STUN_METHOD_CREATE_PERMISSION, STUN_METHOD_CHANNEL_BIND};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		message_begin(&m, &c, methods[i]);
		struct reply r = scenario_send(s, &c, &m);

		assert_code(r, 401);
		assert_challenge(&r);
		/* header, ERROR-CODE without a reason, REALM, NONCE */
		assert_int_equal(r.message.raw.len, 20 + 8 + (4 + 12) + (4 + NONCE_LEN));
	}
	assert_int_equal(scenario_counter(s, error_401), 4);
	assert_int_equal(turn_next_tick(s->turn[0]), UINT64_MAX);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	assert_int_equal(scenario_taken_ports(s), 0);
	scenario_free(&s);
}

static void the_nonce_of_the_challenge_is_good_for_that_client_alone(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client stranger = client_make(address, NULL);
	struct client c = client_make(address, "alice");
	struct client other = client_make("198.51.100.8:40000", "alice");
	char nonce[NONCE_LEN + 1] = {0};
	struct span value;

	(void)state;
	begin_allocate(&stranger);
	struct reply r = scenario_send(s, &stranger, &m);

	assert_code(r, 401);
	assert_true(stun_find(&r.message, STUN_ATTR_NONCE, &value));
	memcpy(nonce, value.data, NONCE_LEN);
	other.nonce = c.nonce = nonce;
	r = scenario_allocate(s, &other);
	assert_code(r, 438);
	assert_challenge(&r);
	assert_success(scenario_allocate(s, &c));
	scenario_free(&s);
}

static void integrity_without_username_realm_or_nonce_is_a_bad_request(void **state)
{
	static const enum stun_attribute names[] = {STUN_ATTR_USERNAME, STUN_ATTR_REALM,
						    STUN_ATTR_NONCE};
	static const uint8_t digest[20];
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, NULL);

	(void)state;
	for (size_t missing = 0; missing < ARRAY_SIZE(names); missing++) {
		begin_allocate(&c);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (i != missing)
				message_put_text(&m, names[i], "alice");
		stun_put(&m.w, STUN_ATTR_MESSAGE_INTEGRITY, span_make(digest, sizeof(digest)));
		struct reply r = scenario_send(s, &c, &m);

		assert_code(r, 400);
		assert_false(reply_has(&r, STUN_ATTR_NONCE));
	}
	scenario_free(&s);
}

static void unknown_users_wrong_passwords_and_wrong_realms_are_challenged(void **state)
{
	static const struct client clients[] = {
		{.user = "mallory"},
		{.user = "alice", .password = "bob-password"},
		{.user = "alice", .realm = "example.com"},
		{.user = "alice", .realm = ""},
		{.user = "Alice", .password = "alice-password"},
	};
	struct scenario *s = scenario_new(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		struct client c = client_make(address, clients[i].user);

		c.password = clients[i].password;
		c.realm = clients[i].realm;
		struct reply r = scenario_allocate(s, &c);

		assert_code(r, 401);
		assert_challenge(&r);
		assert_int_equal(r.message.integrity_at, 0);
	}
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	scenario_free(&s);
}

static void a_nonce_past_its_lifetime_is_stale_and_a_new_one_comes_along(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	char old[NONCE_LEN + 1] = {0};
	struct span value;

	(void)state;
	nonce_make(s->config.nonce_key, &c.from.tuple.client, s->now.wall_s, old);
	scenario_wait(s, 601);
	c.nonce = old;
	struct reply r = scenario_allocate(s, &c);

	assert_code(r, 438);
	assert_challenge(&r);
	assert_true(stun_find(&r.message, STUN_ATTR_NONCE, &value));
	assert_memory_not_equal(value.data, old, NONCE_LEN);
	char fresh[NONCE_LEN + 1] = {0};

	memcpy(fresh, value.data, NONCE_LEN);
	c.nonce = fresh;
	assert_success(scenario_allocate(s, &c));
	scenario_free(&s);
}

static void a_stale_nonce_with_wrong_integrity_is_unauthenticated_not_stale(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	c.nonce = "not one of ours";
	assert_code(scenario_allocate(s, &c), 438);
	c.password = "wrong";
	assert_code(scenario_allocate(s, &c), 401);
	scenario_free(&s);
}

static void another_user_on_an_allocation_gets_441(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client alice = client_make(address, "alice");
	struct client bob = client_make(address, "bob");

	(void)state;
	bob.transactions = 100;
	assert_success(scenario_allocate(s, &alice));
	assert_code(scenario_refresh(s, &bob, 0), 441);
	assert_code(scenario_permit(s, &bob, "198.51.100.9:1"), 441);
	assert_code(scenario_bind(s, &bob, 0x4000, "198.51.100.9:1"), 441);
	/* RFC 8656 7.2 knows the five-tuple before it asks whose it is. */
	assert_code(scenario_allocate(s, &bob), 437);
	assert_int_equal(scenario_counter(s, error_441), 3);
	assert_success(scenario_refresh(s, &alice, 600));
	scenario_free(&s);
}

static void requests_without_an_allocation_get_437(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_code(scenario_refresh(s, &c, 600), 437);
	assert_code(scenario_refresh(s, &c, 0), 437);
	assert_code(scenario_permit(s, &c, "198.51.100.9:1"), 437);
	assert_code(scenario_bind(s, &c, 0x4000, "198.51.100.9:1"), 437);
	scenario_free(&s);
}

static void unknown_attributes_are_named_only_to_the_authenticated(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client stranger = client_make(address, NULL);
	struct client c = client_make(address, "alice");
	struct span value;

	(void)state;
	begin_allocate(&stranger);
	stun_put_u32(&m.w, (enum stun_attribute)0x0042, 1);
	assert_code(scenario_send(s, &stranger, &m), 401);
	begin_allocate(&c);
	stun_put_u32(&m.w, (enum stun_attribute)0x0042, 1);
	struct reply r = scenario_send(s, &c, &m);

	assert_code(r, 420);
	assert_true(stun_find(&r.message, STUN_ATTR_UNKNOWN_ATTRIBUTES, &value));
	assert_memory_equal(value.data, "\x00\x42", 2);
	assert_true(r.message.integrity_at);
	scenario_free(&s);
}

static void of_two_usernames_the_first_counts(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	begin_allocate(&c);
	message_put_text(&m, STUN_ATTR_USERNAME, "bob");
	/* The signature is alice's, and alice's name comes second. */
	assert_code(scenario_send(s, &c, &m), 401);
	scenario_free(&s);
}

static void integrity_that_covers_another_message_is_refused(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	begin_allocate(&c);
	message_seal(s, &m, &c);
	/* REQUESTED-TRANSPORT's reserved bytes: nobody reads them, but they are signed. */
	m.bytes[20 + 4 + 2] ^= 1;
	assert_code(scenario_send(s, &c, &m), 401);
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_without_integrity_is_challenged_and_leaves_nothing),
		cmocka_unit_test(the_nonce_of_the_challenge_is_good_for_that_client_alone),
		cmocka_unit_test(integrity_without_username_realm_or_nonce_is_a_bad_request),
		cmocka_unit_test(unknown_users_wrong_passwords_and_wrong_realms_are_challenged),
		cmocka_unit_test(a_nonce_past_its_lifetime_is_stale_and_a_new_one_comes_along),
		cmocka_unit_test(a_stale_nonce_with_wrong_integrity_is_unauthenticated_not_stale),
		cmocka_unit_test(another_user_on_an_allocation_gets_441),
		cmocka_unit_test(requests_without_an_allocation_get_437),
		cmocka_unit_test(unknown_attributes_are_named_only_to_the_authenticated),
		cmocka_unit_test(of_two_usernames_the_first_counts),
		cmocka_unit_test(integrity_that_covers_another_message_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
