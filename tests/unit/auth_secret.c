/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/secret.h"

static void secrets_are_equal_only_byte_for_byte(void **state)
{
	uint8_t a[16] = "sixteen bytes..", b[16] = "sixteen bytes..";

	(void)state;
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] ^= 0x80;
		assert_false(secret_equal(span_make(a, sizeof(a)), span_make(b, sizeof(b))));
		b[i] ^= 0x80;
		assert_false(secret_equal(span_make(a, i), span_make(b, sizeof(b))));
		assert_true(secret_equal(span_make(a, i), span_make(b, i)));
	}
	assert_true(secret_equal((struct span){0}, (struct span){0}));
}

static void wiped_secrets_are_zeros(void **state)
{
	uint8_t bytes[] = {1, 2, 3, 4};

	(void)state;
	secret_wipe(bytes, 3);
	assert_memory_equal(bytes, ((uint8_t[]){0, 0, 0, 4}), sizeof(bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_equal_only_byte_for_byte),
		cmocka_unit_test(wiped_secrets_are_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
