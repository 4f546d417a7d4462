/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocate: what it asks for, what it gets, and each way to be refused. RFC 8656 7.2.
 */
#include <errno.h>

#include "flow/scenario.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";

static void begin(struct client *c)
{
	message_begin(&m, c, STUN_METHOD_ALLOCATE);
	message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
}

static void success_tells_the_relayed_address_the_lifetime_and_the_clients_address(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);

	assert_success(r);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);
	struct addr mapped = reply_xor_address(&r, STUN_ATTR_XOR_MAPPED_ADDRESS);

	assert_true(ports_is_allocation(s->ports, &relayed));
	assert_in_range(relayed.port, 50000, 50999);
	assert_true(addr_equal(&mapped, &c.from.tuple.client));
	assert_int_equal(reply_u32(&r, STUN_ATTR_LIFETIME), 600);
	assert_false(reply_has(&r, STUN_ATTR_RESERVATION_TOKEN));
	assert_true(r.message.integrity_at);
	assert_int_equal(turn_allocation_count(s->turn[0]), 1);
	/* The socket is there before the client knows. */
	assert_true(scenario_position(s, TURN_OPEN_RELAY) < scenario_position(s, TURN_SEND_CLIENT));
	assert_int_equal(scenario_counter(s, allocations_created), 1);
	scenario_free(&s);
}

static void lifetime_is_kept_between_ten_minutes_and_an_hour(void **state)
{
	static const struct {
		uint32_t asked, granted;
	} rows[] = {{0, 600},	  {1, 600},	{600, 600},	   {601, 601},
		    {3600, 3600}, {3601, 3600}, {UINT32_MAX, 3600}};
	struct scenario *s = scenario_new(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client c = client_make(address, "alice");

		c.from.tuple.client.port = (uint16_t)(41000 + i);
		begin(&c);
		stun_put_u32(&m.w, STUN_ATTR_LIFETIME, rows[i].asked);
		struct reply r = scenario_send(s, &c, &m);

		assert_success(r);
		assert_int_equal(reply_u32(&r, STUN_ATTR_LIFETIME), rows[i].granted);
	}
	scenario_free(&s);
}

struct put {
	enum stun_attribute type;
	uint8_t bytes[8];
	size_t len;
};

#define TRANSPORT_UDP                                  \
	{                                              \
		STUN_ATTR_REQUESTED_TRANSPORT, {17}, 4 \
	}

static const struct {
	const char *what;
	unsigned int code;
	struct put puts[4];
} bad_requests[] = {
	{"no transport", 400, {{0}}},
	{"transport too short", 400, {{STUN_ATTR_REQUESTED_TRANSPORT, {17}, 1}}},
	{"transport too long", 400, {{STUN_ATTR_REQUESTED_TRANSPORT, {17}, 8}}},
	{"TCP", 442, {{STUN_ATTR_REQUESTED_TRANSPORT, {6}, 4}}},
	{"transport 0", 442, {{STUN_ATTR_REQUESTED_TRANSPORT, {0}, 4}}},
	{"first of two transports", 442, {{STUN_ATTR_REQUESTED_TRANSPORT, {6}, 4}, TRANSPORT_UDP}},
	{"lifetime too short", 400, {TRANSPORT_UDP, {STUN_ATTR_LIFETIME, {0}, 2}}},
	{"family too long", 400, {TRANSPORT_UDP, {STUN_ATTR_REQUESTED_ADDRESS_FAMILY, {1}, 8}}},
	{"family 3", 440, {TRANSPORT_UDP, {STUN_ATTR_REQUESTED_ADDRESS_FAMILY, {3}, 4}}},
	{"additional IPv4", 400, {TRANSPORT_UDP, {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, {1}, 4}}},
	{"additional family 3",
	 400,
	 {TRANSPORT_UDP, {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, {3}, 4}}},
	{"additional too short",
	 400,
	 {TRANSPORT_UDP, {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, {2}, 1}}},
	{"requested and additional",
	 400,
	 {TRANSPORT_UDP,
	  {STUN_ATTR_REQUESTED_ADDRESS_FAMILY, {1}, 4},
	  {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, {2}, 4}}},
	{"additional and a reserved port",
	 400,
	 {TRANSPORT_UDP,
	  {STUN_ATTR_EVEN_PORT, {0x80}, 1},
	  {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, {2}, 4}}},
	{"EVEN-PORT of four bytes", 400, {TRANSPORT_UDP, {STUN_ATTR_EVEN_PORT, {0}, 4}}},
	{"EVEN-PORT of no bytes", 400, {TRANSPORT_UDP, {STUN_ATTR_EVEN_PORT, {0}, 0}}},
	{"token too short", 400, {TRANSPORT_UDP, {STUN_ATTR_RESERVATION_TOKEN, {0}, 7}}},
	{"token and EVEN-PORT",
	 400,
	 {TRANSPORT_UDP, {STUN_ATTR_RESERVATION_TOKEN, {0}, 8}, {STUN_ATTR_EVEN_PORT, {0}, 1}}},
	{"token and family",
	 400,
	 {TRANSPORT_UDP,
	  {STUN_ATTR_RESERVATION_TOKEN, {0}, 8},
	  {STUN_ATTR_REQUESTED_ADDRESS_FAMILY, {1}, 4}}},
	{"token and additional family",
	 400,
	 {TRANSPORT_UDP,
	  {STUN_ATTR_RESERVATION_TOKEN, {0}, 8},
	  {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, {2}, 4}}},
	{"unknown token",
	 508,
	 {TRANSPORT_UDP, {STUN_ATTR_RESERVATION_TOKEN, {1, 2, 3, 4, 5, 6, 7, 8}, 8}}},
};

static void each_bad_request_gets_its_code_and_leaves_nothing(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_requests); i++) {
		message_begin(&m, &c, STUN_METHOD_ALLOCATE);
		for (size_t j = 0; j < 4 && bad_requests[i].puts[j].type; j++)
			stun_put(&m.w, bad_requests[i].puts[j].type,
				 span_make(bad_requests[i].puts[j].bytes,
					   bad_requests[i].puts[j].len));
		struct reply r = scenario_send(s, &c, &m);

		if (!r.any || r.code != bad_requests[i].code)
			fail_msg("%s: %u, expected %u", bad_requests[i].what, r.code,
				 bad_requests[i].code);
		assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	}
	assert_int_equal(scenario_taken_ports(s), 0);
	assert_int_equal(scenario_open_sockets(s), 0);
	assert_int_equal(turn_next_tick(s->turn[0]), UINT64_MAX);
	scenario_free(&s);
}

static void dont_fragment_is_understood(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	begin(&c);
	message_put_text(&m, STUN_ATTR_DONT_FRAGMENT, "");
	assert_success(scenario_send(s, &c, &m));
	scenario_free(&s);
}

static void a_requested_family_gets_an_address_of_it(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate_v6(s, &c);

	assert_success(r);
	assert_int_equal(reply_relayed(&r, ADDR_IPV6).family, ADDR_IPV6);
	assert_int_equal(scenario_count(s, TURN_OPEN_RELAY), 1);
	scenario_free(&s);
}

static void a_family_that_no_relay_address_has_gets_440(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.no_ipv6 = true});
	struct client c = client_make(address, "alice");

	(void)state;
	assert_code(scenario_allocate_v6(s, &c), 440);
	assert_success(scenario_allocate(s, &c));
	scenario_free(&s);
	/* IPv4 is what is meant where nothing is said. */
	s = scenario_new(&(struct options){.no_ipv4 = true});
	assert_code(scenario_allocate(s, &c), 440);
	assert_success(scenario_allocate_v6(s, &c));
	scenario_free(&s);
}

static void an_additional_family_gives_two_relayed_addresses(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate_dual(s, &c);

	assert_success(r);
	assert_int_equal(reply_relayed(&r, ADDR_IPV4).family, ADDR_IPV4);
	assert_int_equal(reply_relayed(&r, ADDR_IPV6).family, ADDR_IPV6);
	assert_false(reply_has(&r, STUN_ATTR_ADDRESS_ERROR_CODE));
	assert_int_equal(scenario_count(s, TURN_OPEN_RELAY), 2);
	assert_int_equal(scenario_open_sockets(s), 2);
	assert_int_equal(turn_allocation_count(s->turn[0]), 1);
	scenario_free(&s);
}

static void assert_address_error(const struct reply *r, uint8_t family, unsigned int code)
{
	struct span value;

	assert_true(stun_find(&r->message, STUN_ATTR_ADDRESS_ERROR_CODE, &value));
	assert_true(value.len >= 4);
	assert_int_equal(value.data[0], family);
	assert_int_equal((value.data[2] & 7) * 100U + value.data[3], code);
}

static void half_of_a_dual_allocation_is_a_success_that_says_what_is_missing(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.no_ipv6 = true});
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate_dual(s, &c);

	assert_success(r);
	assert_int_equal(reply_relayed(&r, ADDR_IPV4).family, ADDR_IPV4);
	assert_address_error(&r, STUN_FAMILY_IPV6, 440);
	scenario_free(&s);

	s = scenario_new(&(struct options){.no_ipv4 = true});
	r = scenario_allocate_dual(s, &c);
	assert_success(r);
	assert_int_equal(reply_relayed(&r, ADDR_IPV6).family, ADDR_IPV6);
	assert_address_error(&r, STUN_FAMILY_IPV4, 440);
	scenario_free(&s);

	s = scenario_new(NULL);
	s->bind_failures = 1;
	s->bind_error = -EACCES;
	r = scenario_allocate_dual(s, &c);
	assert_success(r);
	assert_address_error(&r, STUN_FAMILY_IPV4, 508);
	assert_int_equal(scenario_taken_ports(s), 1);
	scenario_free(&s);
}

static void no_half_of_a_dual_allocation_is_508(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	s->bind_failures = -1;
	s->bind_error = -EACCES;
	assert_code(scenario_allocate_dual(s, &c), 508);
	assert_int_equal(scenario_taken_ports(s), 0);
	assert_int_equal(turn_allocation_count(s->turn[0]), 0);
	scenario_free(&s);
}

static void a_second_allocate_on_the_same_five_tuple_gets_437(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	struct client elsewhere = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_code(scenario_allocate(s, &c), 437);
	elsewhere.from.tuple.server.port++;
	assert_success(scenario_allocate(s, &elsewhere));
	assert_int_equal(scenario_open_sockets(s), 2);
	scenario_free(&s);
}

static void a_user_beyond_the_quota_gets_486_and_others_do_not(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.per_user = 2});
	struct client alice = client_make(address, "alice");
	struct client bob = client_make("198.51.100.8:40000", "bob");
	struct client more[2] = {alice, alice};

	(void)state;
	for (uint16_t i = 0; i < 2; i++) {
		more[i].from.tuple.client.port = (uint16_t)(41000 + i);
		assert_success(scenario_allocate(s, &more[i]));
	}
	assert_code(scenario_allocate(s, &alice), 486);
	assert_success(scenario_allocate(s, &bob));
	/* One that ends makes room. */
	assert_success(scenario_refresh(s, &more[0], 0));
	assert_success(scenario_allocate(s, &alice));
	scenario_free(&s);
}

static void beyond_the_overall_limit_everyone_gets_508(void **state)
{
	struct scenario *s = scenario_new(&(struct options){.allocations = 2});
	struct client alice = client_make(address, "alice");
	struct client bob = client_make("198.51.100.8:40000", "bob");
	struct client carol = client_make("198.51.100.9:40000", "carol");

	(void)state;
	assert_success(scenario_allocate(s, &alice));
	assert_success(scenario_allocate(s, &bob));
	assert_code(scenario_allocate(s, &carol), 508);
	scenario_run(s, 600);
	assert_success(scenario_allocate(s, &carol));
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			success_tells_the_relayed_address_the_lifetime_and_the_clients_address),
		cmocka_unit_test(lifetime_is_kept_between_ten_minutes_and_an_hour),
		cmocka_unit_test(each_bad_request_gets_its_code_and_leaves_nothing),
		cmocka_unit_test(dont_fragment_is_understood),
		cmocka_unit_test(a_requested_family_gets_an_address_of_it),
		cmocka_unit_test(a_family_that_no_relay_address_has_gets_440),
		cmocka_unit_test(an_additional_family_gives_two_relayed_addresses),
		cmocka_unit_test(half_of_a_dual_allocation_is_a_success_that_says_what_is_missing),
		cmocka_unit_test(no_half_of_a_dual_allocation_is_508),
		cmocka_unit_test(a_second_allocate_on_the_same_five_tuple_gets_437),
		cmocka_unit_test(a_user_beyond_the_quota_gets_486_and_others_do_not),
		cmocka_unit_test(beyond_the_overall_limit_everyone_gets_508),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
