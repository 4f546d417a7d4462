/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binding, and what every message goes through before it is one of TURN.
 */
#include "flow/scenario.h"
#include "support/guard.h"

static struct message m;

static void binding_returns_the_clients_address_without_credentials(void **state)
{
	static const char *const addresses[] = {"198.51.100.7:40000", "[2001:db8::7]:40000"};
	struct scenario *s = scenario_new(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct client c = client_make(addresses[i], NULL);

		message_begin(&m, &c, STUN_METHOD_BINDING);
		struct reply r = scenario_send(s, &c, &m);

		assert_success(r);
		struct addr mapped = reply_xor_address(&r, STUN_ATTR_XOR_MAPPED_ADDRESS);

		assert_true(addr_equal(&mapped, &c.from.tuple.client));
		assert_false(reply_has(&r, STUN_ATTR_SOFTWARE));
	}
	assert_int_equal(scenario_counter(s, binding_requests), 2);
	scenario_free(&s);
}

static void binding_with_a_fingerprint_is_answered_with_one(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make("198.51.100.7:40000", NULL);

	(void)state;
	c.fingerprint = true;
	message_begin(&m, &c, STUN_METHOD_BINDING);
	assert_success(scenario_send(s, &c, &m));
	scenario_free(&s);
}

static void a_request_with_a_wrong_fingerprint_is_dropped_and_counted(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make("198.51.100.7:40000", NULL);

	(void)state;
	c.fingerprint = true;
	message_begin(&m, &c, STUN_METHOD_BINDING);
	message_seal(s, &m, &c);
	m.bytes[m.len - 1] ^= 1;
	assert_false(scenario_send(s, &c, &m).any);
	assert_int_equal(scenario_counter(s, drop_fingerprint), 1);
	scenario_free(&s);
}

static void an_unknown_required_attribute_gets_420_with_its_type(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make("198.51.100.7:40000", NULL);
	struct span value;

	(void)state;
	message_begin(&m, &c, STUN_METHOD_BINDING);
	stun_put_u32(&m.w, (enum stun_attribute)0x0024, 1);
	stun_put_u32(&m.w, (enum stun_attribute)0x8022, 1);
	stun_put_u32(&m.w, (enum stun_attribute)0x7fff, 1);
	struct reply r = scenario_send(s, &c, &m);

	assert_code(r, 420);
	assert_true(stun_find(&r.message, STUN_ATTR_UNKNOWN_ATTRIBUTES, &value));
	assert_int_equal(value.len, 4);
	assert_memory_equal(value.data, "\x00\x24\x7f\xff", 4);
	scenario_free(&s);
}

static void what_is_no_message_is_dropped_and_counted(void **state)
{
	static const struct {
		const char *hex;
		size_t counter;
	} rows[] = {
#define ROW(hex, name) {hex, offsetof(struct turn_counters, name)}
		ROW("", drop_not_stun),
		ROW("00", drop_not_stun),
		ROW("ff 01 02 03 04 05 06 07", drop_not_stun),
		ROW("80 60 00 01", drop_not_stun),
		/* no magic cookie */
		ROW("0001 0000 00000000 000000000000000000000000", drop_not_stun),
		/* a length that goes past the end, one that is no multiple of four, trailing bytes
		 */
		ROW("0001 0008 2112a442 000000000000000000000000", drop_bad_stun),
		ROW("0001 0002 2112a442 000000000000000000000000 0000", drop_bad_stun),
		ROW("0001 0000 2112a442 000000000000000000000000 00000000", drop_bad_stun),
		/* an attribute that is cut short */
		ROW("0001 0004 2112a442 000000000000000000000000 00240008", drop_bad_stun),
		/* responses, an unknown method, a Binding indication, Data from a client */
		ROW("0101 0000 2112a442 000000000000000000000000", drop_unexpected),
		ROW("0111 0000 2112a442 000000000000000000000000", drop_unexpected),
		ROW("0002 0000 2112a442 000000000000000000000000", drop_unexpected),
		ROW("0011 0000 2112a442 000000000000000000000000", drop_unexpected),
		ROW("0017 0000 2112a442 000000000000000000000000", drop_unexpected),
		ROW("0006 0000 2112a442 000000000000000000000000", drop_unexpected),
		/* ChannelData: too short, a length past the end, more than padding behind */
		ROW("4000", drop_bad_channel_data),
		ROW("4000 0005 00000000", drop_bad_channel_data),
		ROW("4000 0001 00 0000 0000", drop_bad_channel_data),
		/* right, but there is no allocation */
		ROW("4000 0001 00", drop_no_allocation),
		ROW("0016 0000 2112a442 000000000000000000000000", drop_no_allocation),
#undef ROW
	};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make("198.51.100.7:40000", NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[64];
		size_t len = hex_bytes(rows[i].hex, bytes, sizeof(bytes));
		uint64_t before = scenario_counter_sum(s, rows[i].counter);

		scenario_input(s, &c, span_make(bytes, len));
		assert_int_equal(s->event_count, 0);
		if (scenario_counter_sum(s, rows[i].counter) != before + 1)
			fail_msg("row %zu: another counter", i);
	}
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binding_returns_the_clients_address_without_credentials),
		cmocka_unit_test(binding_with_a_fingerprint_is_answered_with_one),
		cmocka_unit_test(a_request_with_a_wrong_fingerprint_is_dropped_and_counted),
		cmocka_unit_test(an_unknown_required_attribute_gets_420_with_its_type),
		cmocka_unit_test(what_is_no_message_is_dropped_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
