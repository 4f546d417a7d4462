/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/macros.h"
#include "support/guard.h"
#include "wire/integrity.h"
#include "wire/stun.h"

static const uint8_t transaction_id[STUN_TRANSACTION_ID_LEN] = "twelve bytes";

#define ID_HEX "7477656c7665206279746573"

static const char *const addresses[] = {
	"192.0.2.1:3478",
	"255.255.255.255:65535",
	"0.0.0.0:1",
	"[2001:db8::1]:3478",
	"[2001:db8:1234:5678:11:2233:4455:6677]:32853",
	"[::]:1",
};

/* A writer over bytes that hold what must not leave, with a message begun. */
static struct writer begin(uint8_t *bytes, size_t size)
{
	struct writer w = writer_make(bytes, size);

	memset(bytes, 0xEE, size);
	stun_begin(&w, STUN_METHOD_ALLOCATE, STUN_CLASS_ERROR, transaction_id);
	return w;
}

static void assert_bytes(const uint8_t *bytes, int len, const char *want_hex)
{
	uint8_t want[256];
	size_t want_len = hex_bytes(want_hex, want, sizeof(want));

	assert_int_equal(len, want_len);
	assert_memory_equal(bytes, want, want_len);
}

static void an_empty_message_is_a_header(void **state)
{
	uint8_t bytes[64];
	struct writer w = begin(bytes, sizeof(bytes));

	(void)state;
	assert_bytes(bytes, stun_end(&w), "0113 0000 2112a442" ID_HEX);
}

static void each_attribute_has_its_bytes_and_zeroed_padding(void **state)
{
	static const uint16_t types[] = {0x001a, 0x7fff, 0x0012};
	uint8_t bytes[128];
	struct writer w = begin(bytes, sizeof(bytes));

	(void)state;
	stun_put(&w, STUN_ATTR_DONT_FRAGMENT, (struct span){0});
	stun_put(&w, STUN_ATTR_SOFTWARE, span_of("a"));
	stun_put(&w, STUN_ATTR_SOFTWARE, span_of("abcd"));
	stun_put_u32(&w, STUN_ATTR_LIFETIME, 0x01020304);
	stun_put_error(&w, 401, "Un");
	stun_put_error(&w, 300, "");
	stun_put_error(&w, 699, "");
	stun_put_address_error(&w, ADDR_IPV4, 440);
	stun_put_address_error(&w, ADDR_IPV6, 508);
	stun_put_unknown_attributes(&w, types, 3);
	assert_bytes(bytes, stun_end(&w),
		     "0113 0054 2112a442" ID_HEX "001a 0000"
		     "8022 0001 61000000"
		     "8022 0004 61626364"
		     "000d 0004 01020304"
		     "0009 0006 00000401 556e0000"
		     "0009 0004 00000300"
		     "0009 0004 00000663"
		     "8001 0004 01000428"
		     "8001 0004 02000508"
		     "000a 0006 001a7fff0012 0000");
}

static void xor_addresses_have_their_bytes(void **state)
{
	uint8_t bytes[128];
	struct writer w = begin(bytes, sizeof(bytes));
	struct addr v4, v6;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.1:32853", &v4), 0);
	assert_int_equal(addr_parse("[2001:db8::1]:32853", &v6), 0);
	stun_put_xor_address(&w, STUN_ATTR_XOR_RELAYED_ADDRESS, &v4);
	stun_put_xor_address(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &v6);
	/* 20010db8 ^ 2112a442, then the transaction ID with the address's last bit. */
	assert_bytes(bytes, stun_end(&w),
		     "0113 0024 2112a442" ID_HEX "0016 0008 0001 a147 e112a643"
		     "0020 0014 0002 a147 0113a9fa 7477656c7665206279746572");
}

static void addresses_survive_building_and_parsing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		uint8_t bytes[64];
		struct writer w = begin(bytes, sizeof(bytes));
		struct stun_message message;
		struct addr in, out;
		struct span value;

		assert_int_equal(addr_parse(addresses[i], &in), 0);
		stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &in);
		assert_int_equal(stun_parse(span_make(bytes, (size_t)stun_end(&w)), &message),
				 w.len);
		assert_true(stun_find(&message, STUN_ATTR_XOR_PEER_ADDRESS, &value));
		assert_int_equal(stun_read_xor_address(&message, value, &out), 0);
		assert_string_equal(ADDR_TEXT(&out), addresses[i]);
	}
}

static void every_method_and_class_survives_building_and_parsing(void **state)
{
	static const uint16_t classes[] = {STUN_CLASS_REQUEST, STUN_CLASS_INDICATION,
					   STUN_CLASS_SUCCESS, STUN_CLASS_ERROR};

	(void)state;
	for (uint16_t method = 0; method <= 0xFFF; method++) {
		for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
			uint8_t bytes[STUN_HEADER_LEN];
			struct writer w = writer_make(bytes, sizeof(bytes));
			struct stun_message message;

			stun_begin(&w, method, classes[i], transaction_id);
			assert_int_equal(stun_end(&w), STUN_HEADER_LEN);
			assert_int_equal(stun_parse(span_make(bytes, sizeof(bytes)), &message),
					 STUN_HEADER_LEN);
			assert_int_equal(message.method, method);
			assert_int_equal(message.class, classes[i]);
		}
	}
}

static void values_of_every_length_survive_and_are_padded_with_zeros(void **state)
{
	uint8_t value[40], bytes[128];

	(void)state;
	memset(value, 0xDD, sizeof(value));
	for (size_t len = 0; len <= sizeof(value); len++) {
		struct writer w = begin(bytes, sizeof(bytes));
		struct stun_message message;
		struct span read;

		stun_put(&w, STUN_ATTR_DATA, span_make(value, len));
		assert_int_equal(stun_end(&w), 20 + 4 + (len + 3) / 4 * 4);
		assert_int_equal(stun_parse(span_make(bytes, w.len), &message), w.len);
		assert_true(stun_find(&message, STUN_ATTR_DATA, &read));
		assert_true(span_equal(read, span_make(value, len)));
		for (const uint8_t *at = read.data + len; at < bytes + w.len; at++)
			assert_int_equal(*at, 0);
		assert_int_equal(bytes[w.len], 0xEE);
	}
}

static int build_one_of_each(struct writer *w)
{
	static const uint16_t types[] = {0x7ffe, 0x7fff, 0x7ffd};
	struct addr v6 = addr_make_v6((uint8_t[16]){0x20, 0x01}, 1);

	stun_begin(w, STUN_METHOD_ALLOCATE, STUN_CLASS_ERROR, transaction_id);
	stun_put(w, STUN_ATTR_SOFTWARE, span_of("turnpike 1"));
	stun_put_u32(w, STUN_ATTR_LIFETIME, 600);
	stun_put_xor_address(w, STUN_ATTR_XOR_RELAYED_ADDRESS, &v6);
	stun_put_error(w, 420, "Unknown");
	stun_put_address_error(w, ADDR_IPV6, 440);
	stun_put_unknown_attributes(w, types, ARRAY_SIZE(types));
	stun_put_integrity(w, span_of("key"));
	stun_put_fingerprint(w);
	return stun_end(w);
}

static void a_buffer_too_small_by_any_number_of_bytes_gives_enobufs(void **state)
{
	uint8_t bytes[256];
	struct writer roomy = writer_make(bytes, sizeof(bytes));
	int full = build_one_of_each(&roomy);
	struct stun_message message;

	(void)state;
	assert_int_equal(full, 20 + 16 + 8 + 24 + 16 + 8 + 12 + 24 + 8);
	for (size_t size = 0; size <= (size_t)full; size++) {
		struct span room = guard_copy(span_make(bytes, size));
		struct writer w = writer_make((uint8_t *)(uintptr_t)room.data, size);

		assert_int_equal(build_one_of_each(&w), size < (size_t)full ? -ENOBUFS : full);
		if (size == (size_t)full) {
			assert_int_equal(stun_parse(room, &message), full);
			assert_true(stun_integrity_matches(&message, span_of("key")));
			assert_true(stun_fingerprint_matches(&message));
		}
		guard_free(room);
	}
}

static void a_message_longer_than_its_length_field_gives_enobufs(void **state)
{
	static uint8_t bytes[2 * 65536 + 64], value[65536];

	(void)state;
	for (size_t len = 65520; len <= sizeof(value); len++) {
		struct writer w = writer_make(bytes, sizeof(bytes));
		size_t body = 4 + (len + 3) / 4 * 4;

		stun_begin(&w, STUN_METHOD_DATA, STUN_CLASS_INDICATION, transaction_id);
		stun_put(&w, STUN_ATTR_DATA, span_make(value, len));
		assert_int_equal(stun_end(&w), body > 65535 ? -ENOBUFS : (int)body + 20);
	}
}

static void a_writer_that_was_never_begun_gives_enobufs(void **state)
{
	uint8_t bytes[8];
	struct writer w = writer_make(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(stun_end(&w), -ENOBUFS);
}

static void a_data_indication_header_has_its_bytes(void **state)
{
	uint8_t bytes[STUN_DATA_INDICATION_HEADER_MAX];
	struct addr v4, v6;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.1:32853", &v4), 0);
	assert_int_equal(addr_parse("[2001:db8::1]:32853", &v6), 0);
	assert_bytes(bytes, (int)stun_data_indication_header(&v4, 5, transaction_id, bytes),
		     "0017 0018 2112a442" ID_HEX "0012 0008 0001 a147 e112a643"
		     "0013 0005");
	assert_bytes(bytes, (int)stun_data_indication_header(&v6, 256, transaction_id, bytes),
		     "0017 011c 2112a442" ID_HEX
		     "0012 0014 0002 a147 0113a9fa 7477656c7665206279746572"
		     "0013 0100");
}

static void a_data_indication_with_its_data_and_padding_is_read_back(void **state)
{
	uint8_t bytes[STUN_DATA_INDICATION_HEADER_MAX + 16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses) * 10; i++) {
		size_t data_len = i % 10, padded = (data_len + 3) / 4 * 4;
		struct stun_message message;
		struct addr in, out;
		struct span value;

		assert_int_equal(addr_parse(addresses[i / 10], &in), 0);
		size_t len = stun_data_indication_header(&in, data_len, transaction_id, bytes);

		memset(bytes + len, 0xDD, data_len);
		memset(bytes + len + data_len, 0, padded - data_len);
		assert_int_equal(stun_parse(span_make(bytes, len + padded), &message),
				 len + padded);
		assert_int_equal(message.method, STUN_METHOD_DATA);
		assert_int_equal(message.class, STUN_CLASS_INDICATION);
		assert_true(stun_find(&message, STUN_ATTR_XOR_PEER_ADDRESS, &value));
		assert_int_equal(stun_read_xor_address(&message, value, &out), 0);
		assert_true(addr_equal(&in, &out));
		assert_true(stun_find(&message, STUN_ATTR_DATA, &value));
		assert_true(span_equal(value, span_make(bytes + len, data_len)));
	}
}

static void a_data_indication_that_cannot_hold_its_data_is_refused(void **state)
{
	static const struct {
		const char *peer;
		size_t len, want;
	} rows[] = {
		{"192.0.2.1:1", 65507, 36},	  {"192.0.2.1:1", 65516, 36},
		{"192.0.2.1:1", 65517, 0},	  {"[2001:db8::1]:1", 65504, 48},
		{"[2001:db8::1]:1", 65505, 0},	  {"[2001:db8::1]:1", 65527, 0},
		{"[2001:db8::1]:1", 65536, 0},	  {"[2001:db8::1]:1", SIZE_MAX, 0},
		{"192.0.2.1:1", SIZE_MAX - 2, 0},
	};
	uint8_t bytes[STUN_DATA_INDICATION_HEADER_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr peer;

		assert_int_equal(addr_parse(rows[i].peer, &peer), 0);
		assert_int_equal(
			stun_data_indication_header(&peer, rows[i].len, transaction_id, bytes),
			rows[i].want);
	}
}

static void an_icmp_error_has_its_bytes(void **state)
{
	static const struct {
		uint8_t type, code;
		uint32_t data;
		const char *hex;
	} rows[] = {
		{3, 4, 1400, "8004 0008 0000 0604 00000578"},
		{11, 0, 0, "8004 0008 0000 1600 00000000"},
		{1, 255, 0, "8004 0008 0000 02ff 00000000"},
		{127, 0, 0xfffffffe, "8004 0008 0000 fe00 fffffffe"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[64];
		struct writer w = begin(bytes, sizeof(bytes));
		char want[128];

		stun_put_icmp(&w, rows[i].type, rows[i].code, rows[i].data);
		snprintf(want, sizeof(want), "0113 000c 2112a442" ID_HEX "%s", rows[i].hex);
		assert_bytes(bytes, stun_end(&w), want);
	}
}

static void the_largest_indication_of_an_icmp_error_fits_its_worst_case(void **state)
{
	uint8_t bytes[STUN_ICMP_INDICATION_MAX];
	struct writer w = begin(bytes, sizeof(bytes));
	struct addr peer;

	(void)state;
	assert_int_equal(addr_parse("[2001:db8::1]:1", &peer), 0);
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_put_icmp(&w, 1, 4, 0);
	assert_int_equal(stun_end(&w), STUN_ICMP_INDICATION_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_message_is_a_header),
		cmocka_unit_test(each_attribute_has_its_bytes_and_zeroed_padding),
		cmocka_unit_test(xor_addresses_have_their_bytes),
		cmocka_unit_test(addresses_survive_building_and_parsing),
		cmocka_unit_test(every_method_and_class_survives_building_and_parsing),
		cmocka_unit_test(values_of_every_length_survive_and_are_padded_with_zeros),
		cmocka_unit_test(a_buffer_too_small_by_any_number_of_bytes_gives_enobufs),
		cmocka_unit_test(a_message_longer_than_its_length_field_gives_enobufs),
		cmocka_unit_test(a_writer_that_was_never_begun_gives_enobufs),
		cmocka_unit_test(a_data_indication_header_has_its_bytes),
		cmocka_unit_test(a_data_indication_with_its_data_and_padding_is_read_back),
		cmocka_unit_test(a_data_indication_that_cannot_hold_its_data_is_refused),
		cmocka_unit_test(an_icmp_error_has_its_bytes),
		cmocka_unit_test(the_largest_indication_of_an_icmp_error_fits_its_worst_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
