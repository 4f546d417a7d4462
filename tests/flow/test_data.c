/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Application data both ways, byte for byte: RFC 8656 11 and 12.
 */
#include "flow/scenario.h"
#include "support/guard.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";
static const char peer[] = "198.51.100.9:5000";
static const char peer6[] = "[2001:db8::9]:5000";

static const struct event *to_peer(const struct scenario *s)
{
	assert_int_equal(scenario_count(s, TURN_SEND_PEER), 1);
	return scenario_event(s, TURN_SEND_PEER);
}

static void assert_sent(const struct scenario *s, const char *to, const char *data)
{
	const struct event *e = to_peer(s);
	struct addr expected = addr_of(to);

	assert_true(addr_equal(&e->action.send_peer.peer, &expected));
	assert_true(span_equal(scenario_bytes(s, e), span_of(data)));
}

static void channel_data_goes_to_the_channels_peer_from_the_relay(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_bind(s, &c, 0x4000, peer));
	scenario_channel_data(s, &c, 0x4000, "hello");
	assert_sent(s, peer, "hello");
	const struct event *e = to_peer(s);

	assert_true(addr_equal(&s->sockets[e->action.send_peer.relay].internal, &relayed));
	assert_false(e->action.send_peer.dont_fragment);
	assert_int_equal(scenario_counter(s, to_peer_packets), 1);
	assert_int_equal(scenario_counter(s, to_peer_bytes), 5);
	scenario_free(&s);
}

static void padding_of_channel_data_is_cut_and_no_data_is_data(void **state)
{
	static const struct {
		const char *hex, *data;
	} rows[] = {
		{"4000 0000", ""},
		{"4000 0001 61", "a"},
		{"4000 0001 61 000000", "a"},
		{"4000 0001 61 ff", "a"},
		{"4000 0004 61626364", "abcd"},
	};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[16];
		size_t len = hex_bytes(rows[i].hex, bytes, sizeof(bytes));

		scenario_input(s, &c, span_make(bytes, len));
		assert_sent(s, peer, rows[i].data);
	}
	scenario_free(&s);
}

static void a_channel_of_another_five_tuple_is_unknown(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client alice = client_make(address, "alice");
	struct client bob = client_make("198.51.100.8:40000", "bob");
	struct client spoofer = client_make("198.51.100.7:40001", NULL);

	(void)state;
	assert_success(scenario_allocate(s, &alice));
	assert_success(scenario_bind(s, &alice, 0x4000, peer));
	assert_success(scenario_allocate(s, &bob));
	scenario_channel_data(s, &bob, 0x4000, "x");
	assert_int_equal(s->event_count, 0);
	assert_int_equal(scenario_counter(s, drop_no_channel), 1);
	scenario_channel_data(s, &spoofer, 0x4000, "x");
	assert_int_equal(s->event_count, 0);
	assert_int_equal(scenario_counter(s, drop_no_allocation), 1);
	scenario_free(&s);
}

static void a_lapsed_permission_stops_the_peer_and_not_the_channels_client(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_bind(s, &c, 0x4000, peer));
	scenario_run(s, 300);
	scenario_channel_data(s, &c, 0x4000, "x");
	assert_sent(s, peer, "x");
	scenario_peer_input(s, &relayed, peer, span_of("y"));
	assert_int_equal(s->event_count, 0);
	assert_int_equal(scenario_counter(s, drop_no_permission), 1);
	/* The daemon does as the flow says. */
	const struct turn_flow *flow = &s->flows[0][0].flow;

	assert_true(flow->to_client_expires_ns <= s->now.mono_ns);
	assert_true(flow->to_peer_expires_ns > s->now.mono_ns);
	scenario_free(&s);
}

static void peer_data_on_a_channel_arrives_behind_its_header_unpadded(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_bind(s, &c, 0x4abc, peer));
	scenario_peer_input(s, &relayed, peer, span_of("hello"));
	const struct event *e = scenario_event(s, TURN_SEND_CLIENT);

	assert_non_null(e);
	assert_true(span_equal(scenario_bytes(s, e), span_make("\x4a\xbc\0\5hello", 9)));
	assert_true(addr_equal(&e->action.send_client.client, &c.from.tuple.client));
	scenario_peer_input(s, &relayed, peer, span_of(""));
	assert_true(span_equal(scenario_bytes(s, scenario_event(s, TURN_SEND_CLIENT)),
			       span_make("\x4a\xbc\0\0", 4)));
	assert_int_equal(scenario_counter(s, to_client_packets), 2);
	assert_int_equal(scenario_counter(s, to_client_bytes), 5);
	scenario_free(&s);
}

static void assert_data_indication(const struct scenario *s, const char *from, struct span data)
{
	const struct event *e = scenario_event(s, TURN_SEND_CLIENT);
	struct stun_message message;
	struct addr expected = addr_of(from), a;
	struct stun_attr attr;
	size_t count = 0;

	assert_non_null(e);
	struct span bytes = scenario_bytes(s, e);

	assert_int_equal(stun_parse(bytes, &message), bytes.len);
	assert_int_equal(message.method, STUN_METHOD_DATA);
	assert_int_equal(message.class, STUN_CLASS_INDICATION);
	assert_int_equal(message.fingerprint_at, 0);
	stun_foreach (&message, at, &attr) {
		if (count++ == 0) {
			assert_int_equal(attr.type, STUN_ATTR_XOR_PEER_ADDRESS);
			assert_int_equal(stun_read_xor_address(&message, attr.value, &a), 0);
			assert_true(addr_equal(&a, &expected));
			continue;
		}
		assert_int_equal(attr.type, STUN_ATTR_DATA);
		assert_true(span_equal(attr.value, data));
	}
	assert_int_equal(count, 2);
	/* Padding is zeros: what is left of another packet would leak there. */
	for (size_t i = 0; i < (4 - data.len % 4) % 4; i++)
		assert_int_equal(bytes.data[bytes.len - 1 - i], 0);
}

static void peer_data_without_a_channel_arrives_as_a_data_indication(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate_dual(s, &c);
	struct addr v4 = reply_relayed(&r, ADDR_IPV4), v6 = reply_relayed(&r, ADDR_IPV6);

	assert_success(scenario_permit(s, &c, peer));
	assert_success(scenario_permit(s, &c, peer6));
	for (size_t len = 0; len <= 9; len++) {
		struct span data = span_make("\xff\xff\xff\xff\xff\xff\xff\xff\xff", len);

		scenario_peer_input(s, &v4, peer, data);
		assert_data_indication(s, peer, data);
		scenario_peer_input(s, &v6, peer6, data);
		assert_data_indication(s, peer6, data);
	}
	scenario_free(&s);
}

static void data_indications_have_transaction_ids_of_their_own(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	uint8_t first[STUN_TRANSACTION_ID_LEN];

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_permit(s, &c, peer));
	scenario_peer_input(s, &relayed, peer, span_of("x"));
	memcpy(first, s->bytes + 8, sizeof(first));
	scenario_peer_input(s, &relayed, peer, span_of("x"));
	assert_memory_not_equal(first, s->bytes + 8, sizeof(first));
	scenario_free(&s);
}

static void when_a_channel_ends_its_peer_speaks_in_indications_again(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	assert_success(scenario_refresh(s, &c, 3600));
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	scenario_wait(s, 500);
	assert_success(scenario_permit(s, &c, peer));
	scenario_wait(s, 100);
	scenario_peer_input(s, &relayed, peer, span_of("late"));
	assert_data_indication(s, peer, span_of("late"));
	scenario_tick(s);
	scenario_peer_input(s, &relayed, peer, span_of("late"));
	assert_data_indication(s, peer, span_of("late"));
	scenario_free(&s);
}

static void data_too_large_for_an_indication_is_dropped_and_counted(void **state)
{
	static uint8_t data[65507];
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate_v6(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV6);

	assert_success(scenario_permit(s, &c, peer6));
	scenario_peer_input(s, &relayed, peer6, span_make(data, sizeof(data)));
	assert_int_equal(s->event_count, 0);
	assert_int_equal(scenario_counter(s, drop_too_large), 1);
	scenario_free(&s);
}

static void a_send_indication_reaches_its_peer(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate_dual(s, &c));
	assert_success(scenario_permit(s, &c, peer));
	assert_success(scenario_permit(s, &c, peer6));
	scenario_send_indication(s, &c, peer, "hello");
	assert_sent(s, peer, "hello");
	scenario_send_indication(s, &c, peer6, "");
	assert_sent(s, peer6, "");
	/* As Firefox sends it. */
	c.fingerprint = true;
	scenario_send_indication(s, &c, peer, "hello");
	assert_sent(s, peer, "hello");
	scenario_free(&s);
}

static void dont_fragment_in_a_send_indication_is_passed_on(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	int len;

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_permit(s, &c, peer));
	message_begin_class(&m, &c, STUN_METHOD_SEND, STUN_CLASS_INDICATION);
	message_put_peer(&m, peer);
	message_put_text(&m, STUN_ATTR_DONT_FRAGMENT, "");
	message_put_text(&m, STUN_ATTR_DATA, "x");
	len = stun_end(&m.w);
	scenario_input(s, &c, span_make(m.bytes, (size_t)len));
	assert_sent(s, peer, "x");
	assert_true(to_peer(s)->action.send_peer.dont_fragment);
	scenario_free(&s);
}

static void send_indications_that_are_not_whole_or_not_allowed_are_counted(void **state)
{
	static const struct {
		const char *what, *peer, *data;
		uint16_t unknown;
		size_t counter;
	} rows[] = {
#define ROW(what, peer, data, unknown, name) \
	{what, peer, data, unknown, offsetof(struct turn_counters, name)}
		ROW("no peer", NULL, "x", 0, drop_bad_send),
		ROW("no data", peer, NULL, 0, drop_bad_send),
		ROW("unknown attribute", peer, "x", 0x0042, drop_bad_send),
		ROW("no IPv6", peer6, "x", 0, drop_peer_family),
		ROW("no permission", "198.51.100.10:5000", "x", 0, drop_no_permission),
#undef ROW
	};
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_permit(s, &c, peer));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		message_begin_class(&m, &c, STUN_METHOD_SEND, STUN_CLASS_INDICATION);
		if (rows[i].peer)
			message_put_peer(&m, rows[i].peer);
		if (rows[i].data)
			message_put_text(&m, STUN_ATTR_DATA, rows[i].data);
		if (rows[i].unknown)
			stun_put_u32(&m.w, (enum stun_attribute)rows[i].unknown, 0);
		int len = stun_end(&m.w);

		scenario_input(s, &c, span_make(m.bytes, (size_t)len));
		assert_int_equal(s->event_count, 0);
		if (scenario_counter_sum(s, rows[i].counter) != (i == 1 || i == 2 ? i + 1 : 1))
			fail_msg("%s: another counter", rows[i].what);
	}
	scenario_free(&s);
}

static void optional_attributes_in_a_send_indication_are_ignored(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	assert_success(scenario_allocate(s, &c));
	assert_success(scenario_permit(s, &c, peer));
	message_begin_class(&m, &c, STUN_METHOD_SEND, STUN_CLASS_INDICATION);
	message_put_text(&m, STUN_ATTR_SOFTWARE, "somebody's");
	message_put_peer(&m, peer);
	message_put_peer(&m, "198.51.100.77:1");
	message_put_text(&m, STUN_ATTR_DATA, "first");
	message_put_text(&m, STUN_ATTR_DATA, "second");
	int len = stun_end(&m.w);

	scenario_input(s, &c, span_make(m.bytes, (size_t)len));
	assert_sent(s, peer, "first");
	scenario_free(&s);
}

static void an_allocation_that_ran_out_carries_nothing_before_its_tick(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);

	scenario_run(s, 500);
	assert_success(scenario_bind(s, &c, 0x4000, peer));
	scenario_wait(s, 99);
	scenario_channel_data(s, &c, 0x4000, "x");
	assert_sent(s, peer, "x");
	scenario_wait(s, 1);
	scenario_channel_data(s, &c, 0x4000, "x");
	assert_int_equal(s->event_count, 0);
	scenario_send_indication(s, &c, peer, "x");
	assert_int_equal(s->event_count, 0);
	scenario_peer_input(s, &relayed, peer, span_of("x"));
	assert_int_equal(s->event_count, 0);
	assert_int_equal(scenario_counter(s, drop_no_allocation), 3);
	scenario_free(&s);
}

static void the_parts_of_what_is_relayed_point_into_what_came(void **state)
{
	struct scenario *s = scenario_new(NULL);
	struct client c = client_make(address, "alice");
	static const uint8_t data[] = "\x40\x00\x00\x05hello";

	(void)state;
	struct reply r = scenario_allocate(s, &c);
	struct addr relayed = reply_relayed(&r, ADDR_IPV4);
	struct addr from = addr_of(peer);

	assert_success(scenario_bind(s, &c, 0x4000, peer));
	turn_client_input(s->turn[0], &s->now, &s->entropy, &c.from, span_make(data, 9), &s->out);
	assert_ptr_equal(s->out.items[0].send_peer.data.data, data + 4);
	int relay = s->out.items[0].send_peer.relay;

	turn_actions_clear(&s->out);
	turn_peer_input(s->turn[0], &s->now, &s->entropy, relay, &from, span_make(data, 9),
			&s->out);
	assert_ptr_equal(s->out.items[0].send_client.parts[1].data, data);
	turn_actions_clear(&s->out);
	(void)relayed;
	scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_data_goes_to_the_channels_peer_from_the_relay),
		cmocka_unit_test(padding_of_channel_data_is_cut_and_no_data_is_data),
		cmocka_unit_test(a_channel_of_another_five_tuple_is_unknown),
		cmocka_unit_test(a_lapsed_permission_stops_the_peer_and_not_the_channels_client),
		cmocka_unit_test(peer_data_on_a_channel_arrives_behind_its_header_unpadded),
		cmocka_unit_test(peer_data_without_a_channel_arrives_as_a_data_indication),
		cmocka_unit_test(data_indications_have_transaction_ids_of_their_own),
		cmocka_unit_test(when_a_channel_ends_its_peer_speaks_in_indications_again),
		cmocka_unit_test(data_too_large_for_an_indication_is_dropped_and_counted),
		cmocka_unit_test(a_send_indication_reaches_its_peer),
		cmocka_unit_test(dont_fragment_in_a_send_indication_is_passed_on),
		cmocka_unit_test(send_indications_that_are_not_whole_or_not_allowed_are_counted),
		cmocka_unit_test(optional_attributes_in_a_send_indication_are_ignored),
		cmocka_unit_test(an_allocation_that_ran_out_carries_nothing_before_its_tick),
		cmocka_unit_test(the_parts_of_what_is_relayed_point_into_what_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
