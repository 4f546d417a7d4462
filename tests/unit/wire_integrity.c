/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "unit/wire_vectors.h"
#include "wire/integrity.h"

static const uint8_t transaction_id[STUN_TRANSACTION_ID_LEN] = "twelve bytes";

static void integrity_of_rfc_5769_matches_with_its_key_alone(void **state)
{
	uint8_t bytes[VECTOR_SIZE_MAX], key_bytes[VECTOR_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct span vector = vector_bytes(&vectors[i], bytes);
		struct span key = vector_key(&vectors[i], key_bytes);
		struct stun_message message;

		assert_int_equal(stun_parse(vector, &message), vector.len);
		assert_true(stun_integrity_matches(&message, key));
		assert_false(stun_integrity_matches(&message, span_make(key.data, key.len - 1)));
		assert_false(stun_integrity_matches(&message, span_make(key.data, 0)));
		assert_false(stun_integrity_matches(&message, (struct span){0}));
		key_bytes[0] ^= 1;
		assert_false(stun_integrity_matches(&message, key));
	}
}

/* Whether somebody who checks everything takes these bytes for the vector's message. */
static bool is_accepted(const struct vector *v, struct span bytes, struct span key)
{
	struct stun_message message;

	return stun_parse(bytes, &message) == (int)bytes.len &&
	       stun_integrity_matches(&message, key) &&
	       (!v->has_fingerprint || stun_fingerprint_matches(&message));
}

static void no_single_wrong_byte_is_accepted(void **state)
{
	uint8_t bytes[VECTOR_SIZE_MAX], key_bytes[VECTOR_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct span vector = vector_bytes(&vectors[i], bytes);
		struct span key = vector_key(&vectors[i], key_bytes);

		assert_true(is_accepted(&vectors[i], vector, key));
		for (size_t at = 0; at < vector.len; at++) {
			for (unsigned int flip = 1; flip < 256; flip++) {
				bytes[at] ^= (uint8_t)flip;
				if (is_accepted(&vectors[i], vector, key))
					fail_msg("%s: byte %zu ^ %#x is accepted",
						 vectors[i].section, at, flip);
				bytes[at] ^= (uint8_t)flip;
			}
		}
	}
}

/* Integrity covers all in front of it by itself, where no FINGERPRINT helps. */
static void no_wrong_byte_up_to_the_hash_keeps_integrity(void **state)
{
	uint8_t bytes[VECTOR_SIZE_MAX], key_bytes[VECTOR_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct span vector = vector_bytes(&vectors[i], bytes);
		struct span key = vector_key(&vectors[i], key_bytes);
		size_t end = vector.len - (vectors[i].has_fingerprint ? 8 : 0);

		for (size_t at = 0; at < end; at++) {
			struct stun_message message;

			bytes[at] ^= 1;
			if (stun_parse(vector, &message) > 0)
				assert_false(stun_integrity_matches(&message, key));
			bytes[at] ^= 1;
		}
	}
}

static void the_long_term_vector_is_built_byte_for_byte(void **state)
{
	const struct vector *v = &vectors[VECTOR_LONG_TERM];
	uint8_t bytes[VECTOR_SIZE_MAX], key_bytes[VECTOR_SIZE_MAX], built[VECTOR_SIZE_MAX];
	struct span want = vector_bytes(v, bytes);
	struct writer w = writer_make(built, sizeof(built));

	(void)state;
	memset(built, 0xEE, sizeof(built));
	stun_begin(&w, STUN_METHOD_BINDING, STUN_CLASS_REQUEST, want.data + 8);
	stun_put(&w, STUN_ATTR_USERNAME, span_of(VECTOR_LONG_TERM_NAME));
	stun_put(&w, STUN_ATTR_NONCE, span_of(VECTOR_LONG_TERM_NONCE));
	stun_put(&w, STUN_ATTR_REALM, span_of(VECTOR_LONG_TERM_REALM));
	stun_put_integrity(&w, vector_key(v, key_bytes));
	assert_int_equal(stun_end(&w), want.len);
	assert_memory_equal(built, want.data, want.len);
}

static void what_follows_integrity_is_not_covered_by_it(void **state)
{
	uint8_t bytes[256];
	struct writer w = writer_make(bytes, sizeof(bytes));
	struct stun_message message;
	struct span value;

	(void)state;
	stun_begin(&w, STUN_METHOD_ALLOCATE, STUN_CLASS_REQUEST, transaction_id);
	stun_put(&w, STUN_ATTR_USERNAME, span_of("alice"));
	stun_put_integrity(&w, span_of("key"));
	stun_put(&w, STUN_ATTR_SOFTWARE, span_of("added on the way"));
	stun_put_fingerprint(&w);
	assert_true(stun_parse(span_make(bytes, (size_t)stun_end(&w)), &message) > 0);
	assert_true(stun_integrity_matches(&message, span_of("key")));
	assert_true(stun_fingerprint_matches(&message));
	assert_true(stun_find(&message, STUN_ATTR_USERNAME, &value));
	assert_false(stun_find(&message, STUN_ATTR_SOFTWARE, &value));
}

static void a_message_without_integrity_matches_no_key(void **state)
{
	uint8_t bytes[256], hash[32] = {0};
	struct writer w = writer_make(bytes, sizeof(bytes));
	struct stun_message message;

	(void)state;
	stun_begin(&w, STUN_METHOD_ALLOCATE, STUN_CLASS_REQUEST, transaction_id);
	stun_put(&w, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, span_make(hash, sizeof(hash)));
	stun_put_integrity(&w, span_of("key"));
	assert_true(stun_parse(span_make(bytes, (size_t)stun_end(&w)), &message) > 0);
	assert_int_equal(message.integrity_at, 0);
	assert_false(stun_integrity_matches(&message, span_of("key")));
}

static void integrity_of_another_length_does_not_match(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 24; len++) {
		uint8_t bytes[64], good[64], value[24] = {0};
		struct writer w = writer_make(good, sizeof(good));
		struct stun_message message;

		/* The right hash, with something missing or too much. */
		stun_begin(&w, STUN_METHOD_REFRESH, STUN_CLASS_REQUEST, transaction_id);
		stun_put_integrity(&w, span_of("key"));
		memcpy(value, good + STUN_HEADER_LEN + STUN_ATTR_HEADER_LEN, STUN_INTEGRITY_LEN);

		w = writer_make(bytes, sizeof(bytes));
		stun_begin(&w, STUN_METHOD_REFRESH, STUN_CLASS_REQUEST, transaction_id);
		stun_put(&w, STUN_ATTR_MESSAGE_INTEGRITY, span_make(value, len));
		struct span copy = guard_copy(span_make(bytes, (size_t)stun_end(&w)));

		assert_int_equal(stun_parse(copy, &message), copy.len);
		assert_int_equal(stun_integrity_matches(&message, span_of("key")),
				 len == STUN_INTEGRITY_LEN);
		guard_free(copy);
	}
}

static void integrity_without_room_or_key_fails_the_writer(void **state)
{
	uint8_t bytes[STUN_HEADER_LEN + STUN_ATTR_HEADER_LEN + STUN_INTEGRITY_LEN];

	(void)state;
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		struct writer w = writer_make(bytes, size);

		stun_begin(&w, STUN_METHOD_BINDING, STUN_CLASS_SUCCESS, transaction_id);
		stun_put_integrity(&w, span_of("key"));
		assert_int_equal(stun_end(&w), size < sizeof(bytes) ? -ENOBUFS : (int)size);
	}
	struct writer w = writer_make(bytes, sizeof(bytes));

	stun_begin(&w, STUN_METHOD_BINDING, STUN_CLASS_SUCCESS, transaction_id);
	stun_put_integrity(&w, span_of(""));
	assert_int_equal(stun_end(&w), -ENOBUFS);
}

static void integrity_reaches_to_the_longest_message(void **state)
{
	static uint8_t bytes[65536 + STUN_HEADER_LEN], filler[65508];
	struct stun_message message;

	(void)state;
	/* Attribute headers of 4 and a hash of 20 leave this much of the largest multiple of 4. */
	for (size_t excess = 0; excess <= 4; excess += 4) {
		struct writer w = writer_make(bytes, sizeof(bytes));

		stun_begin(&w, STUN_METHOD_SEND, STUN_CLASS_REQUEST, transaction_id);
		stun_put(&w, STUN_ATTR_DATA, span_make(filler, 65504 + excess));
		stun_put_integrity(&w, span_of("key"));
		if (excess) {
			assert_int_equal(stun_end(&w), -ENOBUFS);
			continue;
		}
		assert_int_equal(stun_end(&w), 65532 + STUN_HEADER_LEN);
		assert_true(stun_parse(span_make(bytes, w.len), &message) > 0);
		assert_true(stun_integrity_matches(&message, span_of("key")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integrity_of_rfc_5769_matches_with_its_key_alone),
		cmocka_unit_test(no_single_wrong_byte_is_accepted),
		cmocka_unit_test(no_wrong_byte_up_to_the_hash_keeps_integrity),
		cmocka_unit_test(the_long_term_vector_is_built_byte_for_byte),
		cmocka_unit_test(what_follows_integrity_is_not_covered_by_it),
		cmocka_unit_test(a_message_without_integrity_matches_no_key),
		cmocka_unit_test(integrity_of_another_length_does_not_match),
		cmocka_unit_test(integrity_without_room_or_key_fails_the_writer),
		cmocka_unit_test(integrity_reaches_to_the_longest_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
