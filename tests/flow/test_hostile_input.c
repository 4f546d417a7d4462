/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What strangers and broken clients send: every message cut at every length against a page that
 * faults, lengths that lie, random bytes changed. Nothing of it may have an effect.
 */
#include "flow/scenario.h"
#include "support/guard.h"
#include "wire/channel_data.h"

static struct message m;
static const char address[] = "198.51.100.7:40000";
static const char peer[] = "198.51.100.9:5000";

enum kind {
	BINDING,
	ALLOCATE,
	REFRESH,
	DELETE,
	PERMIT,
	BIND,
	SEND,
	CHANNEL_DATA,
	KIND_MAX,
};

static void put_request(struct client *c, enum kind kind)
{
	static const uint16_t methods[KIND_MAX] = {
		[BINDING] = STUN_METHOD_BINDING,	  [ALLOCATE] = STUN_METHOD_ALLOCATE,
		[REFRESH] = STUN_METHOD_REFRESH,	  [DELETE] = STUN_METHOD_REFRESH,
		[PERMIT] = STUN_METHOD_CREATE_PERMISSION, [BIND] = STUN_METHOD_CHANNEL_BIND,
	};

	message_begin(&m, c, methods[kind]);
	switch (kind) {
	case ALLOCATE:
		message_put_u8(&m, STUN_ATTR_REQUESTED_TRANSPORT, TURN_UDP, 4);
		message_put_u8(&m, STUN_ATTR_EVEN_PORT, 0x80, 1);
		break;
	case REFRESH:
	case DELETE:
		stun_put_u32(&m.w, STUN_ATTR_LIFETIME, kind == DELETE ? 0 : 3600);
		message_put_u8(&m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_IPV4, 4);
		break;
	case BIND:
		stun_put_u32(&m.w, STUN_ATTR_CHANNEL_NUMBER, 0x40050000);
		message_put_peer(&m, "198.51.100.9:5001");
		break;
	case PERMIT:
		message_put_peer(&m, "198.51.100.10:5001");
		message_put_peer(&m, "198.51.100.11:5001");
		break;
	default:
		break;
	}
}

/* A whole, valid message of the kind in m. */
static void make(struct scenario *s, struct client *c, enum kind kind)
{
	if (kind == CHANNEL_DATA) {
		channel_data_header(0x4000, 9, m.bytes);
		memcpy(m.bytes + CHANNEL_DATA_HEADER_LEN, "123456789", 9);
		m.len = CHANNEL_DATA_HEADER_LEN + 9;
		return;
	}
	if (kind == SEND) {
		message_begin_class(&m, c, STUN_METHOD_SEND, STUN_CLASS_INDICATION);
		message_put_peer(&m, peer);
		message_put_text(&m, STUN_ATTR_DONT_FRAGMENT, "");
		message_put_text(&m, STUN_ATTR_DATA, "12345");
		m.len = (size_t)stun_end(&m.w);
		return;
	}
	put_request(c, kind);
	message_seal(s, &m, c);
}

struct world {
	struct scenario *s;
	struct client c, stranger;
	size_t whole; /* length of the message that is cut */
};

/* A client with an allocation and a channel, whom the messages come from. */
static struct world make_world(void)
{
	struct world w = {.s = scenario_new(NULL)};

	w.c = client_make(address, "alice");
	w.stranger = client_make("198.51.100.8:40000", "alice");
	assert_success(scenario_allocate(w.s, &w.c));
	assert_success(scenario_bind(w.s, &w.c, 0x4000, peer));
	return w;
}

static void assert_no_effect(const struct world *w)
{
	assert_int_equal(turn_allocation_count(w->s->turn[0]), 1);
	assert_int_equal(scenario_open_sockets(w->s), 1);
	assert_int_equal(scenario_live_flows(w->s), 1);
}

static void input_prefix(void *ctx, struct span prefix)
{
	struct world *w = ctx;
	const struct client *from = turn_allocation_count(w->s->turn[0]) ? &w->c : &w->stranger;

	if (prefix.len == w->whole)
		return;
	scenario_input(w->s, from, prefix);
	assert_int_equal(w->s->event_count, 0);
	assert_no_effect(w);
}

static void a_message_cut_short_anywhere_is_dropped(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind < KIND_MAX; kind++) {
		for (int fingerprint = 0; fingerprint < 2; fingerprint++) {
			struct world w = make_world();

			w.c.fingerprint = fingerprint;
			make(w.s, &w.c, kind);
			w.whole = m.len;
			guard_each_prefix(span_make(m.bytes, m.len), input_prefix, &w);
			scenario_free(&w.s);
		}
	}
}

static void a_message_cut_short_whose_length_agrees_has_no_effect(void **state)
{
	(void)state;
	for (enum kind kind = ALLOCATE; kind < SEND; kind++) {
		struct world w = make_world();
		/* An Allocate comes from someone who has none yet. */
		struct client *from = kind == ALLOCATE ? &w.stranger : &w.c;

		make(w.s, from, kind);
		for (size_t len = STUN_HEADER_LEN; len < m.len; len += 4) {
			struct span copy = guard_copy(span_make(m.bytes, len));
			uint8_t *bytes = (uint8_t *)(uintptr_t)copy.data;

			bytes[2] = (uint8_t)((len - STUN_HEADER_LEN) >> 8);
			bytes[3] = (uint8_t)(len - STUN_HEADER_LEN);
			uint64_t successes = scenario_counter(w.s, success_responses);

			scenario_input(w.s, from, copy);
			assert_int_equal(scenario_counter(w.s, success_responses), successes);
			assert_no_effect(&w);
			guard_free(copy);
		}
		scenario_free(&w.s);
	}
}

static void whole_messages_end_at_the_page_and_work(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind < KIND_MAX; kind++) {
		struct world w = make_world();
		const struct client *from = kind == ALLOCATE ? &w.stranger : &w.c;

		make(w.s, kind == ALLOCATE ? &w.stranger : &w.c, kind);
		struct span copy = guard_copy(span_make(m.bytes, m.len));

		scenario_input(w.s, from, copy);
		if (kind >= SEND)
			assert_int_equal(scenario_count(w.s, TURN_SEND_PEER), 1);
		else
			assert_true(scenario_count(w.s, TURN_SEND_CLIENT) == 1 &&
				    scenario_counter(w.s, success_responses) == 3);
		guard_free(copy);
		scenario_free(&w.s);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* One to four bytes of the message, other than they were. */
static void mutate(uint8_t *bytes, size_t len, uint32_t *seed)
{
	uint32_t count = next_random(seed) % 4 + 1;

	while (count--) {
		uint32_t at = next_random(seed) % (uint32_t)len;

		bytes[at] ^= (uint8_t)(next_random(seed) % 255 + 1);
	}
}

static void a_signed_request_with_changed_bytes_has_no_effect(void **state)
{
	uint32_t seed = 20200225;

	(void)state;
	for (enum kind kind = ALLOCATE; kind < SEND; kind++) {
		struct world w = make_world();
		struct client *from = kind == ALLOCATE ? &w.stranger : &w.c;

		make(w.s, from, kind);
		for (int round = 0; round < 3000; round++) {
			uint8_t changed[512];

			memcpy(changed, m.bytes, m.len);
			mutate(changed, m.len, &seed);
			if (memcmp(changed, m.bytes, m.len) == 0)
				continue;
			struct span copy = guard_copy(span_make(changed, m.len));

			scenario_input(w.s, from, copy);
			/* A Binding may have come of it; what is signed has not. */
			assert_int_equal(scenario_counter(w.s, success_responses) -
						 scenario_counter(w.s, binding_requests),
					 2);
			assert_no_effect(&w);
			guard_free(copy);
		}
		scenario_free(&w.s);
	}
}

static void data_with_changed_bytes_goes_to_permitted_peers_or_nowhere(void **state)
{
	uint32_t seed = 8656;

	(void)state;
	for (enum kind kind = SEND; kind < KIND_MAX; kind++) {
		struct world w = make_world();
		struct addr permitted = addr_of(peer);

		make(w.s, &w.c, kind);
		for (int round = 0; round < 20000; round++) {
			uint8_t changed[512];

			memcpy(changed, m.bytes, m.len);
			mutate(changed, m.len, &seed);
			struct span copy = guard_copy(span_make(changed, m.len));

			scenario_input(w.s, &w.c, copy);
			const struct event *e = scenario_event(w.s, TURN_SEND_PEER);

			if (e)
				assert_true(addr_same_ip(&e->action.send_peer.peer, &permitted));
			assert_no_effect(&w);
			guard_free(copy);
		}
		scenario_free(&w.s);
	}
}

static void noise_is_dropped(void **state)
{
	struct world w = make_world();
	uint32_t seed = 42;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t noise[128];
		size_t len = next_random(&seed) % sizeof(noise);

		for (size_t i = 0; i < len; i++)
			noise[i] = (uint8_t)next_random(&seed);
		/* Half of it looks like STUN at first sight. */
		if (len > 8 && round % 2) {
			noise[0] &= 0x3f;
			memcpy(noise + 4, "\x21\x12\xa4\x42", 4);
		}
		struct span copy = guard_copy(span_make(noise, len));

		scenario_input(w.s, &w.c, copy);
		assert_no_effect(&w);
		guard_free(copy);
	}
	scenario_free(&w.s);
}

static void a_datagram_full_of_peers_is_refused_as_a_whole(void **state)
{
	struct world w = make_world();

	(void)state;
	message_begin(&m, &w.c, STUN_METHOD_CREATE_PERMISSION);
	for (unsigned int i = 0; i < 5000; i++) {
		struct addr a = addr_of(peer);

		a.ip[2] = (uint8_t)(100 + i / 250);
		a.ip[3] = (uint8_t)(i % 250);
		a.ip[0] = 8;
		stun_put_xor_address(&m.w, STUN_ATTR_XOR_PEER_ADDRESS, &a);
	}
	struct reply r = scenario_send(w.s, &w.c, &m);

	assert_code(r, 508);
	assert_no_effect(&w);
	scenario_free(&w.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_cut_short_anywhere_is_dropped),
		cmocka_unit_test(a_message_cut_short_whose_length_agrees_has_no_effect),
		cmocka_unit_test(whole_messages_end_at_the_page_and_work),
		cmocka_unit_test(a_signed_request_with_changed_bytes_has_no_effect),
		cmocka_unit_test(data_with_changed_bytes_goes_to_permitted_peers_or_nowhere),
		cmocka_unit_test(noise_is_dropped),
		cmocka_unit_test(a_datagram_full_of_peers_is_refused_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
