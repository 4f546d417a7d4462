/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "auth/nonce.h"
#include "base/macros.h"
#include "support/guard.h"

#define NOW	 1700000000ULL
#define LIFETIME 600

static const uint8_t key[NONCE_KEY_LEN] = "thirty-two bytes of nonce key..";

static struct addr client(const char *text)
{
	struct addr a = {0};

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static enum nonce_state check(const struct addr *a, uint64_t now_s, const char *nonce)
{
	return nonce_check(key, a, now_s, LIFETIME, span_make(nonce, NONCE_LEN));
}

static void a_nonce_is_its_time_and_a_hash_in_hexadecimal(void **state)
{
	struct addr a = client("192.0.2.1:40000");
	char nonce[NONCE_LEN + 1] = {0};

	(void)state;
	nonce_make(key, &a, NOW, nonce);
	/* HMAC-SHA256 over 6553f100 04 c0000201 and twelve zeros, 9c40; computed elsewhere. */
	assert_string_equal(nonce, "6553f100d7da0e34da8c2686b18448a6aeea9926");
}

static void a_nonce_goes_from_foreign_to_valid_to_stale(void **state)
{
	static const struct {
		int64_t age_s;
		enum nonce_state want;
	} rows[] = {
		{-100000, NONCE_FOREIGN},
		{-6, NONCE_FOREIGN},
		{-5, NONCE_VALID},
		{0, NONCE_VALID},
		{LIFETIME, NONCE_VALID},
		{LIFETIME + 1, NONCE_STALE},
		{10 * LIFETIME, NONCE_STALE},
	};
	static const uint64_t made_at[] = {NOW, UINT32_MAX - 3, 0x100000000ULL};
	struct addr a = client("192.0.2.1:40000");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(made_at); i++) {
		uint64_t made_s = made_at[i / ARRAY_SIZE(rows)];
		int64_t age_s = rows[i % ARRAY_SIZE(rows)].age_s;
		char nonce[NONCE_LEN];

		nonce_make(key, &a, made_s, nonce);
		assert_int_equal(check(&a, made_s + (uint64_t)age_s, nonce),
				 rows[i % ARRAY_SIZE(rows)].want);
	}
}

static void any_lifetime_is_kept(void **state)
{
	struct addr a = client("192.0.2.1:40000");
	char made[NONCE_LEN];
	struct span nonce = span_make(made, sizeof(made));

	(void)state;
	nonce_make(key, &a, NOW, made);
	assert_int_equal(nonce_check(key, &a, NOW, 0, nonce), NONCE_VALID);
	assert_int_equal(nonce_check(key, &a, NOW + 1, 0, nonce), NONCE_STALE);
	assert_int_equal(nonce_check(key, &a, NOW + 100000000, UINT32_MAX, nonce), NONCE_VALID);
}

static void a_nonce_of_another_client_is_foreign(void **state)
{
	static const char *const others[] = {
		"192.0.2.2:40000",    "192.0.2.1:40001",	  "192.0.2.1:40256",
		"[c000:201::]:40000", "[::ffff:192.0.2.1]:40000",
	};
	struct addr a = client("192.0.2.1:40000");
	char nonce[NONCE_LEN];

	(void)state;
	nonce_make(key, &a, NOW, nonce);
	assert_int_equal(check(&a, NOW, nonce), NONCE_VALID);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct addr other = client(others[i]);

		assert_int_equal(check(&other, NOW, nonce), NONCE_FOREIGN);
		/* Foreign stays foreign, even when it is old. */
		assert_int_equal(check(&other, NOW + 10 * LIFETIME, nonce), NONCE_FOREIGN);
	}
}

static void a_nonce_of_another_key_is_foreign(void **state)
{
	struct addr a = client("[2001:db8::1]:40000");
	char nonce[NONCE_LEN];

	(void)state;
	for (size_t i = 0; i < NONCE_KEY_LEN; i++) {
		uint8_t other[NONCE_KEY_LEN];

		memcpy(other, key, sizeof(other));
		other[i] ^= 1;
		nonce_make(other, &a, NOW, nonce);
		assert_int_equal(check(&a, NOW, nonce), NONCE_FOREIGN);
	}
}

static void a_nonce_with_any_character_changed_is_foreign(void **state)
{
	struct addr a = client("192.0.2.1:40000");
	char nonce[NONCE_LEN];

	(void)state;
	nonce_make(key, &a, NOW, nonce);
	for (size_t at = 0; at < NONCE_LEN; at++) {
		for (unsigned int flip = 1; flip < 256; flip++) {
			nonce[at] ^= (char)flip;
			assert_int_equal(check(&a, NOW, nonce), NONCE_FOREIGN);
			nonce[at] ^= (char)flip;
		}
	}
	assert_int_equal(check(&a, NOW, nonce), NONCE_VALID);
}

static void check_prefix(void *ctx, struct span prefix)
{
	enum nonce_state want = prefix.len == NONCE_LEN ? NONCE_VALID : NONCE_FOREIGN;

	assert_int_equal(nonce_check(key, ctx, NOW, LIFETIME, prefix), want);
}

static void a_nonce_of_another_length_is_foreign(void **state)
{
	struct addr a = client("192.0.2.1:40000");
	char nonce[NONCE_LEN + 4] = {0};

	(void)state;
	nonce_make(key, &a, NOW, nonce);
	guard_each_prefix(span_make(nonce, sizeof(nonce)), check_prefix, &a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nonce_is_its_time_and_a_hash_in_hexadecimal),
		cmocka_unit_test(a_nonce_goes_from_foreign_to_valid_to_stale),
		cmocka_unit_test(any_lifetime_is_kept),
		cmocka_unit_test(a_nonce_of_another_client_is_foreign),
		cmocka_unit_test(a_nonce_of_another_key_is_foreign),
		cmocka_unit_test(a_nonce_with_any_character_changed_is_foreign),
		cmocka_unit_test(a_nonce_of_another_length_is_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
