/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "support/guard.h"
#include "turnpike/wire.h"
#include "unit/wire_vectors.h"
#include "wire/classify.h"

static void the_first_byte_decides_except_for_stun(void **state)
{
	uint8_t bytes[STUN_HEADER_LEN] = {0};

	(void)state;
	for (unsigned int first = 0; first < 256; first++) {
		enum wire_kind want = first >= 0x40 && first <= 0x4F ? WIRE_CHANNEL_DATA
								     : WIRE_UNKNOWN;

		bytes[0] = (uint8_t)first;
		assert_int_equal(wire_classify(span_make(bytes, sizeof(bytes))), want);
	}
}

static void two_zero_bits_and_the_cookie_make_stun(void **state)
{
	uint8_t bytes[] = {0, 0, 0, 0, 0x21, 0x12, 0xA4, 0x42};

	(void)state;
	for (unsigned int first = 0; first < 256; first++) {
		enum wire_kind want = first < 0x40    ? WIRE_STUN
				      : first <= 0x4F ? WIRE_CHANNEL_DATA
						      : WIRE_UNKNOWN;

		bytes[0] = (uint8_t)first;
		assert_int_equal(wire_classify(span_make(bytes, sizeof(bytes))), want);
	}
}

static void every_bit_of_the_cookie_counts(void **state)
{
	uint8_t bytes[VECTOR_SIZE_MAX];
	struct span vector = vector_bytes(&vectors[VECTOR_REQUEST], bytes);

	(void)state;
	for (size_t bit = 0; bit < 32; bit++) {
		bytes[4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(wire_classify(vector), WIRE_UNKNOWN);
		bytes[4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(wire_classify(vector), WIRE_STUN);
}

static void check_stun_prefix(void *ctx, struct span prefix)
{
	(void)ctx;
	assert_int_equal(wire_classify(prefix), prefix.len < 8 ? WIRE_UNKNOWN : WIRE_STUN);
}

static void check_channel_prefix(void *ctx, struct span prefix)
{
	(void)ctx;
	assert_int_equal(wire_classify(prefix), prefix.len ? WIRE_CHANNEL_DATA : WIRE_UNKNOWN);
}

static void cut_datagrams_are_classified_within_their_bytes(void **state)
{
	static const uint8_t channel_data[] = {0x40, 0x00, 0x00, 0x04, 1, 2, 3, 4};
	uint8_t bytes[VECTOR_SIZE_MAX];

	(void)state;
	guard_each_prefix(vector_bytes(&vectors[VECTOR_REQUEST], bytes), check_stun_prefix, NULL);
	guard_each_prefix(span_make(channel_data, sizeof(channel_data)), check_channel_prefix,
			  NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_byte_decides_except_for_stun),
		cmocka_unit_test(two_zero_bits_and_the_cookie_make_stun),
		cmocka_unit_test(every_bit_of_the_cookie_counts),
		cmocka_unit_test(cut_datagrams_are_classified_within_their_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
