/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/macros.h"
#include "support/guard.h"
#include "wire/channel_data.h"

static void the_length_decides_what_is_data_and_what_is_padding(void **state)
{
	static const struct {
		const char *hex;
		int err;
		size_t data_len;
	} rows[] = {
		{"4000 0000", 0, 0},
		{"4000 0001 aa", 0, 1},
		{"4000 0001 aa 000000", 0, 1},
		{"4000 0001 aa ffffff", 0, 1},
		{"4000 0004 aabbccdd", 0, 4},
		{"4000 0004 aabbccdd 000000", 0, 4},
		{"4000 0001 aa 00000000", -EBADMSG, 0},
		{"4000 0000 00000000", -EBADMSG, 0},
		{"4000 0005 aabbccdd", -EBADMSG, 0},
		{"4000 ffff aabbccdd", -EBADMSG, 0},
		{"4000 00", -EBADMSG, 0},
		{"", -EBADMSG, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[16];
		size_t len = hex_bytes(rows[i].hex, bytes, sizeof(bytes));
		struct span copy = guard_copy(span_make(bytes, len));
		struct span data = {0};
		uint16_t channel = 0;

		if (channel_data_parse(copy, &channel, &data) != rows[i].err)
			fail_msg("%s", rows[i].hex);
		assert_int_equal(channel, rows[i].err ? 0 : 0x4000);
		assert_int_equal(data.len, rows[i].data_len);
		assert_ptr_equal(data.data, rows[i].err ? NULL : copy.data + 4);
		guard_free(copy);
	}
}

static void only_channel_numbers_of_rfc_8656_are_accepted(void **state)
{
	(void)state;
	for (unsigned int number = 0; number <= 0xFFFF; number++) {
		uint8_t bytes[] = {(uint8_t)(number >> 8), (uint8_t)number, 0, 0};
		bool good = number >= CHANNEL_NUMBER_MIN && number <= CHANNEL_NUMBER_MAX;
		struct span data;
		uint16_t channel;
		int err = channel_data_parse(span_make(bytes, sizeof(bytes)), &channel, &data);

		assert_int_equal(err, good ? 0 : -EBADMSG);
		if (good)
			assert_int_equal(channel, number);
	}
}

static void check_prefix(void *ctx, struct span prefix)
{
	size_t data_len = *(size_t *)ctx;
	uint16_t channel = 7;
	struct span data = {0};
	int err = channel_data_parse(prefix, &channel, &data);

	if (prefix.len < CHANNEL_DATA_HEADER_LEN + data_len) {
		assert_int_equal(err, -EBADMSG);
		assert_int_equal(channel, 7);
		assert_null(data.data);
	} else {
		assert_int_equal(err, 0);
		assert_int_equal(data.len, data_len);
	}
}

static void messages_cut_at_any_length_are_refused_and_leave_the_outputs_alone(void **state)
{
	(void)state;
	for (size_t data_len = 0; data_len < 9; data_len++) {
		uint8_t bytes[16] = {0};

		channel_data_header(0x4ABC, data_len, bytes);
		guard_each_prefix(span_make(bytes, CHANNEL_DATA_HEADER_LEN + data_len + 3),
				  check_prefix, &data_len);
	}
}

static void a_built_header_is_read_back(void **state)
{
	static const size_t lengths[] = {0, 1, 255, 256, 1200, 65535};
	static uint8_t bytes[CHANNEL_DATA_HEADER_LEN + 65535];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct span data;
		uint16_t channel;

		channel_data_header(0x4FED, lengths[i], bytes);
		assert_int_equal(
			channel_data_parse(span_make(bytes, CHANNEL_DATA_HEADER_LEN + lengths[i]),
					   &channel, &data),
			0);
		assert_int_equal(channel, 0x4FED);
		assert_int_equal(data.len, lengths[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_length_decides_what_is_data_and_what_is_padding),
		cmocka_unit_test(only_channel_numbers_of_rfc_8656_are_accepted),
		cmocka_unit_test(
			messages_cut_at_any_length_are_refused_and_leave_the_outputs_alone),
		cmocka_unit_test(a_built_header_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
