/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "unit/wire_vectors.h"
#include "wire/integrity.h"
#include "wire/stun.h"

static const uint8_t transaction_id[STUN_TRANSACTION_ID_LEN] = "twelve bytes";

/* A header in front of attributes given in hexadecimal. Returns the message's length. */
static size_t message_bytes(const char *attributes, uint8_t *ret, size_t size)
{
	static const uint8_t head[] = {0x00, 0x03, 0, 0, 0x21, 0x12, 0xA4, 0x42};
	size_t len = hex_bytes(attributes, ret + STUN_HEADER_LEN, size - STUN_HEADER_LEN);

	memcpy(ret, head, sizeof(head));
	memcpy(ret + sizeof(head), transaction_id, sizeof(transaction_id));
	ret[2] = (uint8_t)(len >> 8);
	ret[3] = (uint8_t)len;
	return STUN_HEADER_LEN + len;
}

/* Every attribute there is, with values of every length modulo four, FINGERPRINT last. */
static struct span every_attribute(uint8_t ret[static 1024])
{
	static const uint16_t types[] = {
#define X(constant, name, type) type,
		STUN_ATTRIBUTES(X)
#undef X
	};
	static const uint8_t value[32] = {0x00, 0x01};
	struct writer w = writer_make(ret, 1024);
	struct addr peer = addr_make_v6((uint8_t[16]){0x20, 0x01, 0x0d, 0xb8}, 40000);

	stun_begin(&w, STUN_METHOD_ALLOCATE, STUN_CLASS_REQUEST, transaction_id);
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i] != STUN_ATTR_MESSAGE_INTEGRITY && types[i] != STUN_ATTR_FINGERPRINT &&
		    types[i] != STUN_ATTR_MESSAGE_INTEGRITY_SHA256)
			stun_put(&w, types[i], span_make(value, i));
	stun_put_integrity(&w, span_of("key"));
	stun_put(&w, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, span_make(value, sizeof(value)));
	stun_put_fingerprint(&w);
	return span_make(ret, (size_t)stun_end(&w));
}

/* Calls everything that reads. Returns how many attributes there are. */
static size_t read_everything(const struct stun_message *message)
{
	struct stun_attr attr;
	size_t count = 0;
	uint16_t unknown[4];
	struct span value;
	struct addr addr;
	uint32_t u32;
	uint8_t u8;

	stun_foreach (message, offset, &attr) {
		count++;
		assert_in_range((uintptr_t)attr.value.data, (uintptr_t)message->body.data,
				(uintptr_t)message->body.data + message->body.len);
		assert_true(attr.value.len <=
			    (size_t)(message->body.data + message->body.len - attr.value.data));
		assert_true(stun_find(message, attr.type, &value));
		stun_read_u32(attr.value, &u32);
		stun_read_u8(attr.value, attr.value.len, &u8);
		stun_read_address(attr.value, &addr);
		stun_read_xor_address(message, attr.value, &addr);
	}
	stun_unknown_attributes(message, NULL, 0, unknown, ARRAY_SIZE(unknown));
	stun_fingerprint_matches(message);
	stun_integrity_matches(message, span_of("key"));
	return count;
}

static void rfc_5769_headers_are_read(void **state)
{
	uint8_t bytes[VECTOR_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct span vector = vector_bytes(&vectors[i], bytes);
		size_t fingerprint_at = vectors[i].has_fingerprint ? vector.len - 8 : 0;
		size_t integrity_at = (fingerprint_at ? fingerprint_at : vector.len) - 24;
		struct stun_message m;

		assert_int_equal(stun_parse(vector, &m), vector.len);
		assert_int_equal(m.method, STUN_METHOD_BINDING);
		assert_int_equal(m.class, vectors[i].class);
		assert_ptr_equal(m.transaction_id, bytes + 8);
		assert_ptr_equal(m.raw.data, bytes);
		assert_int_equal(m.raw.len, vector.len);
		assert_ptr_equal(m.body.data, bytes + STUN_HEADER_LEN);
		assert_int_equal(m.body.len, integrity_at + 24 - STUN_HEADER_LEN);
		assert_int_equal(m.fingerprint_at, fingerprint_at);
		assert_int_equal(m.integrity_at, integrity_at);
		assert_int_equal(m.integrity_sha256_at, 0);
	}
}

static void rfc_5769_attributes_are_found_without_their_padding(void **state)
{
	static const struct {
		size_t vector;
		uint16_t type;
		const char *value;
	} rows[] = {
		{VECTOR_REQUEST, STUN_ATTR_SOFTWARE, "STUN test client"},
		{VECTOR_REQUEST, STUN_ATTR_USERNAME, "evtj:h6vY"},
		{VECTOR_IPV4_RESPONSE, STUN_ATTR_SOFTWARE, "test vector"},
		{VECTOR_LONG_TERM, STUN_ATTR_USERNAME, VECTOR_LONG_TERM_NAME},
		{VECTOR_LONG_TERM, STUN_ATTR_NONCE, VECTOR_LONG_TERM_NONCE},
		{VECTOR_LONG_TERM, STUN_ATTR_REALM, VECTOR_LONG_TERM_REALM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[VECTOR_SIZE_MAX];
		struct span vector = vector_bytes(&vectors[rows[i].vector], bytes), value;
		struct stun_message m;

		assert_int_equal(stun_parse(vector, &m), vector.len);
		assert_true(stun_find(&m, rows[i].type, &value));
		assert_true(span_equal(value, span_of(rows[i].value)));
		assert_false(stun_find(&m, STUN_ATTR_LIFETIME, &value));
	}
}

static void rfc_5769_mapped_addresses_are_read(void **state)
{
	static const struct {
		size_t vector;
		const char *address;
	} rows[] = {
		{VECTOR_IPV4_RESPONSE, "192.0.2.1:32853"},
		{VECTOR_IPV6_RESPONSE, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[VECTOR_SIZE_MAX];
		struct span vector = vector_bytes(&vectors[rows[i].vector], bytes), value;
		struct stun_message m;
		struct addr a;

		assert_int_equal(stun_parse(vector, &m), vector.len);
		assert_true(stun_find(&m, STUN_ATTR_XOR_MAPPED_ADDRESS, &value));
		assert_int_equal(stun_read_xor_address(&m, value, &a), 0);
		assert_string_equal(ADDR_TEXT(&a), rows[i].address);
	}
}

static void check_prefix(void *ctx, struct span prefix)
{
	size_t full = *(size_t *)ctx;
	struct stun_message message = {.method = 7};
	int ret = stun_parse(prefix, &message);

	if (prefix.len < full) {
		assert_int_equal(ret, 0);
		assert_int_equal(message.method, 7);
		assert_null(message.raw.data);
	} else {
		assert_int_equal(ret, full);
		read_everything(&message);
	}
}

static void messages_cut_at_any_length_need_more(void **state)
{
	uint8_t bytes[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct span vector = vector_bytes(&vectors[i], bytes);

		guard_each_prefix(vector, check_prefix, &vector.len);
	}
	struct span all = every_attribute(bytes);

	guard_each_prefix(all, check_prefix, &all.len);
}

/* Copies of the first len bytes whose header says so, so that the cut is in an attribute. */
static void check_cut_that_lies(struct span whole, size_t len)
{
	uint8_t bytes[1024];
	struct stun_message message = {.method = 7};

	memcpy(bytes, whole.data, len);
	bytes[2] = (uint8_t)((len - STUN_HEADER_LEN) >> 8);
	bytes[3] = (uint8_t)(len - STUN_HEADER_LEN);
	struct span copy = guard_copy(span_make(bytes, len));
	int ret = stun_parse(copy, &message);

	if (ret != -EBADMSG)
		assert_int_equal(ret, len);
	if (len % 4)
		assert_int_equal(ret, -EBADMSG);
	if (ret == -EBADMSG)
		assert_int_equal(message.method, 7);
	else
		read_everything(&message);
	guard_free(copy);
}

static void attributes_cut_at_any_length_are_refused_or_read_within_their_bytes(void **state)
{
	uint8_t bytes[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct span vector = vector_bytes(&vectors[i], bytes);

		for (size_t len = STUN_HEADER_LEN; len <= vector.len; len++)
			check_cut_that_lies(vector, len);
	}
	struct span all = every_attribute(bytes);

	for (size_t len = STUN_HEADER_LEN; len <= all.len; len++)
		check_cut_that_lies(all, len);
}

static void messages_are_read_at_odd_addresses_and_without_what_follows(void **state)
{
	uint8_t bytes[1024], shifted[1024 + 8];

	(void)state;
	struct span all = every_attribute(bytes);

	memset(shifted, 0xFF, sizeof(shifted));
	memcpy(shifted, all.data, all.len);
	for (size_t behind = 0; behind < 8; behind++) {
		struct span copy = guard_copy(span_make(shifted, all.len + behind));
		struct stun_message message;

		assert_int_equal((uintptr_t)copy.data % 4, (8 - behind) % 4);
		assert_int_equal(stun_parse(copy, &message), all.len);
		assert_int_equal(message.raw.len, all.len);
		assert_true(stun_fingerprint_matches(&message));
		assert_true(stun_integrity_matches(&message, span_of("key")));
		read_everything(&message);
		guard_free(copy);
	}
}

static void what_is_no_stun_is_refused_as_soon_as_that_shows(void **state)
{
	static const struct {
		const char *why, *hex;
		int want;
	} rows[] = {
		{"nothing yet", "", 0},
		{"first bit", "80", -EBADMSG},
		{"second bit", "40", -EBADMSG},
		{"length 1", "00010001", -EBADMSG},
		{"length 2", "00010002", -EBADMSG},
		{"length 3", "00010003", -EBADMSG},
		{"cookie", "00010000 2112a443", -EBADMSG},
		{"cookie in part", "00010000 2112a4", 0},
		{"RFC 3489", "00010000 00000000 000000000000000000000000", -EBADMSG},
		{"smallest", "00010000 2112a442 000000000000000000000000", 20},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[STUN_HEADER_LEN];
		size_t len = hex_bytes(rows[i].hex, bytes, sizeof(bytes));
		struct span copy = guard_copy(span_make(bytes, len));
		struct stun_message message;

		if (stun_parse(copy, &message) != rows[i].want)
			fail_msg("%s", rows[i].why);
		guard_free(copy);
	}
	assert_int_equal(stun_parse((struct span){0}, &(struct stun_message){0}), 0);
}

/* RFC 8489 5, figure 3, bit by bit. */
static uint16_t interleave(unsigned int method, unsigned int class)
{
	unsigned int type = 0;

	for (unsigned int bit = 0; bit < 12; bit++)
		if (method >> bit & 1)
			type |= 1U << (bit < 4 ? bit : bit < 7 ? bit + 1 : bit + 2);
	return (uint16_t)(type | (class & 1) << 4 | class >> 1 << 8);
}

static void every_method_and_class_is_told_from_the_type(void **state)
{
	static const uint16_t classes[] = {STUN_CLASS_REQUEST, STUN_CLASS_INDICATION,
					   STUN_CLASS_SUCCESS, STUN_CLASS_ERROR};
	uint8_t bytes[STUN_HEADER_LEN];

	(void)state;
	message_bytes("", bytes, sizeof(bytes));
	for (unsigned int method = 0; method <= 0xFFF; method++) {
		for (unsigned int class = 0; class < 4; class ++) {
			uint16_t type = interleave(method, class);
			struct stun_message message;

			bytes[0] = (uint8_t)(type >> 8);
			bytes[1] = (uint8_t)type;
			assert_int_equal(stun_parse(span_make(bytes, sizeof(bytes)), &message),
					 sizeof(bytes));
			assert_int_equal(message.method, method);
			assert_int_equal(message.class, classes[class]);
		}
	}
}

/* Shorthands for hexadecimal attributes below. */
#define H20    "0000000000000000000000000000000000000000"
#define MI     "00080014" H20
#define SHA256 "001c0020" H20 "000000000000000000000000"
#define FP     "80280004 00000000"
#define LIFE   "000d0004 00000258"

static void attribute_lengths_are_checked(void **state)
{
	static const struct {
		const char *attributes;
		bool good;
	} rows[] = {
		{LIFE, true},
		{"000d0000", true},
		{"000d0001 00000000", true},
		{"000d0001", false},
		{"000d0005 00000000", false},
		{"000d0008 00000000", false},
		{"000dffff 00000000", false},
		{"000dfffc 00000000", false},
		{LIFE "000d0001", false},
		{"7fff0003 aabbcc00", true},
		{FP, true},
		{FP LIFE, false},
		{FP MI, false},
		{FP FP, false},
		{"80280000", true},
		{"80280000 80280000", false},
		{MI FP, true},
		{MI LIFE FP, true},
		{MI "000d0005 00000000", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[128];
		size_t len = message_bytes(rows[i].attributes, bytes, sizeof(bytes));
		struct span copy = guard_copy(span_make(bytes, len));
		struct stun_message message;

		if (stun_parse(copy, &message) != (rows[i].good ? (int)len : -EBADMSG))
			fail_msg("%s", rows[i].attributes);
		guard_free(copy);
	}
}

static void the_body_ends_where_integrity_does(void **state)
{
	/* Offsets in raw: the header has 20 bytes, LIFE 8, MI 24, SHA256 36. */
	static const struct {
		const char *attributes;
		size_t body_len, integrity_at, sha256_at, fingerprint_at;
	} rows[] = {
		{"", 0, 0, 0, 0},
		{LIFE, 8, 0, 0, 0},
		{LIFE FP, 8, 0, 0, 28},
		{LIFE MI, 8 + 24, 28, 0, 0},
		{MI LIFE, 24, 20, 0, 0},
		{MI LIFE FP, 24, 20, 0, 52},
		{MI MI, 24, 20, 0, 0},
		{MI SHA256, 24 + 36, 20, 44, 0},
		{MI SHA256 LIFE, 24 + 36, 20, 44, 0},
		{MI SHA256 SHA256, 24 + 36, 20, 44, 0},
		{MI LIFE SHA256, 24, 20, 52, 0},
		{MI LIFE SHA256 LIFE, 24, 20, 52, 0},
		{SHA256 LIFE, 36, 0, 20, 0},
		{SHA256 MI, 36, 0, 20, 0},
		{SHA256 MI FP, 36, 0, 20, 80},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[160];
		size_t len = message_bytes(rows[i].attributes, bytes, sizeof(bytes));
		struct stun_message m;

		assert_int_equal(stun_parse(span_make(bytes, len), &m), len);
		assert_int_equal(m.body.len, rows[i].body_len);
		assert_int_equal(m.integrity_at, rows[i].integrity_at);
		assert_int_equal(m.integrity_sha256_at, rows[i].sha256_at);
		assert_int_equal(m.fingerprint_at, rows[i].fingerprint_at);
	}
}

static void the_first_of_equal_attributes_is_found(void **state)
{
	uint8_t bytes[64];
	size_t len = message_bytes("000d0004 00000001 000d0004 00000002", bytes, sizeof(bytes));
	struct stun_message message;
	struct span value;
	uint32_t lifetime;

	(void)state;
	assert_int_equal(stun_parse(span_make(bytes, len), &message), len);
	assert_true(stun_find(&message, STUN_ATTR_LIFETIME, &value));
	assert_int_equal(stun_read_u32(value, &lifetime), 0);
	assert_int_equal(lifetime, 1);
	assert_int_equal(read_everything(&message), 2);
}

static void values_of_another_length_are_not_read(void **state)
{
	uint8_t bytes[24] = {0};

	(void)state;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct span value = guard_copy(span_make(bytes, len));
		uint32_t u32 = 7;
		uint8_t u8 = 7;

		assert_int_equal(stun_read_u32(value, &u32), len == 4 ? 0 : -EBADMSG);
		assert_int_equal(u32, len == 4 ? 0 : 7);
		assert_int_equal(stun_read_u8(value, 1, &u8), len == 1 ? 0 : -EBADMSG);
		assert_int_equal(u8, len == 1 ? 0 : 7);
		assert_int_equal(stun_read_u8(value, 4, &u8), len == 4 ? 0 : -EBADMSG);
		assert_int_equal(stun_read_u8(value, 0, &u8), -EBADMSG);
		guard_free(value);
	}
}

static void addresses_need_the_length_of_their_family(void **state)
{
	uint8_t bytes[24] = {0};

	(void)state;
	for (unsigned int family = 0; family < 256; family++) {
		for (size_t len = 0; len <= sizeof(bytes); len++) {
			bool good = (family == STUN_FAMILY_IPV4 && len == 8) ||
				    (family == STUN_FAMILY_IPV6 && len == 20);
			struct addr a = {.port = 7};

			bytes[1] = (uint8_t)family;
			assert_int_equal(stun_read_address(span_make(bytes, len), &a),
					 good ? 0 : -EBADMSG);
			assert_int_equal(a.port, good ? 0 : 7);
		}
	}
}

static void plain_addresses_are_read(void **state)
{
	static const struct {
		const char *hex, *address;
	} rows[] = {
		{"00 01 0d96 c0000201", "192.0.2.1:3478"},
		{"ff 01 0d96 c0000201", "192.0.2.1:3478"},
		{"00 02 ffff 20010db8000000000000000000000001", "[2001:db8::1]:65535"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[20];
		struct span value = span_make(bytes, hex_bytes(rows[i].hex, bytes, sizeof(bytes)));
		struct addr a;

		assert_int_equal(stun_read_address(value, &a), 0);
		assert_string_equal(ADDR_TEXT(&a), rows[i].address);
	}
}

static void unknown_attributes_are_listed_once_and_up_to_the_limit(void **state)
{
	static const uint16_t known[] = {STUN_ATTR_LIFETIME, STUN_ATTR_MESSAGE_INTEGRITY};
	/* What is optional (0x8001), known, or behind integrity (0x7ffd) is not listed. */
	static const char attributes[] = "7fff0000 80010000 " LIFE
					 "00000000 7fff0000 00ee0001ff000000 ffff0000" MI
					 "7ffd0000";
	static const uint16_t want[] = {0x7fff, 0x0000, 0x00ee};
	uint8_t bytes[128];
	size_t len = message_bytes(attributes, bytes, sizeof(bytes));
	struct stun_message m;

	(void)state;
	assert_int_equal(stun_parse(span_make(bytes, len), &m), len);
	for (size_t max = 0; max < 6; max++) {
		uint16_t unknown[6] = {1, 1, 1, 1, 1, 1};
		size_t count = stun_unknown_attributes(&m, known, ARRAY_SIZE(known), unknown, max);

		assert_int_equal(count, MIN(max, ARRAY_SIZE(want)));
		assert_memory_equal(unknown, want, count * sizeof(want[0]));
		for (size_t i = count; i < ARRAY_SIZE(unknown); i++)
			assert_int_equal(unknown[i], 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_5769_headers_are_read),
		cmocka_unit_test(rfc_5769_attributes_are_found_without_their_padding),
		cmocka_unit_test(rfc_5769_mapped_addresses_are_read),
		cmocka_unit_test(messages_cut_at_any_length_need_more),
		cmocka_unit_test(
			attributes_cut_at_any_length_are_refused_or_read_within_their_bytes),
		cmocka_unit_test(messages_are_read_at_odd_addresses_and_without_what_follows),
		cmocka_unit_test(what_is_no_stun_is_refused_as_soon_as_that_shows),
		cmocka_unit_test(every_method_and_class_is_told_from_the_type),
		cmocka_unit_test(attribute_lengths_are_checked),
		cmocka_unit_test(the_body_ends_where_integrity_does),
		cmocka_unit_test(the_first_of_equal_attributes_is_found),
		cmocka_unit_test(values_of_another_length_are_not_read),
		cmocka_unit_test(addresses_need_the_length_of_their_family),
		cmocka_unit_test(plain_addresses_are_read),
		cmocka_unit_test(unknown_attributes_are_listed_once_and_up_to_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
