/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/wire_vectors.h"
#include "wire/integrity.h"
#include "wire/stun.h"

static const uint8_t transaction_id[STUN_TRANSACTION_ID_LEN] = "twelve bytes";

static void fingerprints_of_rfc_5769_match(void **state)
{
	uint8_t bytes[VECTOR_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct span vector = vector_bytes(&vectors[i], bytes);
		struct stun_message message;

		assert_int_equal(stun_parse(vector, &message), vector.len);
		assert_int_equal(stun_fingerprint_matches(&message), vectors[i].has_fingerprint);
	}
}

static void a_single_wrong_byte_never_matches(void **state)
{
	uint8_t bytes[VECTOR_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i <= VECTOR_IPV6_RESPONSE; i++) {
		struct span vector = vector_bytes(&vectors[i], bytes);

		for (size_t at = 0; at < vector.len; at++) {
			for (unsigned int flip = 1; flip < 256; flip++) {
				struct stun_message message;

				bytes[at] ^= (uint8_t)flip;
				if (stun_parse(vector, &message) > 0)
					assert_false(stun_fingerprint_matches(&message));
				bytes[at] ^= (uint8_t)flip;
			}
		}
	}
}

static void a_fingerprint_of_another_length_does_not_match(void **state)
{
	for (size_t len = 0; len <= 8; len++) {
		uint8_t bytes[64], value[8] = {0};
		struct writer w = writer_make(bytes, sizeof(bytes));
		struct stun_message message;

		(void)state;
		stun_begin(&w, STUN_METHOD_BINDING, STUN_CLASS_REQUEST, transaction_id);
		stun_put(&w, STUN_ATTR_FINGERPRINT, span_make(value, len));
		struct span copy = guard_copy(span_make(bytes, (size_t)stun_end(&w)));

		assert_int_equal(stun_parse(copy, &message), copy.len);
		assert_false(stun_fingerprint_matches(&message));
		guard_free(copy);
	}
}

static void a_fingerprint_put_last_matches(void **state)
{
	uint8_t bytes[128];
	struct stun_message message;

	(void)state;
	for (size_t len = 0; len < 9; len++) {
		struct writer w = writer_make(bytes, sizeof(bytes));

		stun_begin(&w, STUN_METHOD_REFRESH, STUN_CLASS_SUCCESS, transaction_id);
		stun_put(&w, STUN_ATTR_SOFTWARE, span_make("turnpike", len));
		stun_put_integrity(&w, span_of("key"));
		stun_put_fingerprint(&w);
		int built = stun_end(&w);

		assert_int_equal(stun_parse(span_make(bytes, sizeof(bytes)), &message), built);
		assert_int_equal(message.fingerprint_at, built - 8);
		assert_true(stun_fingerprint_matches(&message));
	}
}

static void a_fingerprint_without_room_fails_the_writer(void **state)
{
	uint8_t bytes[STUN_HEADER_LEN + 8];

	(void)state;
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		struct writer w = writer_make(bytes, size);

		stun_begin(&w, STUN_METHOD_BINDING, STUN_CLASS_SUCCESS, transaction_id);
		stun_put_fingerprint(&w);
		assert_int_equal(w.failed, size < sizeof(bytes));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fingerprints_of_rfc_5769_match),
		cmocka_unit_test(a_single_wrong_byte_never_matches),
		cmocka_unit_test(a_fingerprint_of_another_length_does_not_match),
		cmocka_unit_test(a_fingerprint_put_last_matches),
		cmocka_unit_test(a_fingerprint_without_room_fails_the_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
