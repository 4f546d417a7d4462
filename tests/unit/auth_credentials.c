/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/credentials.h"
#include "base/cleanup.h"
#include "unit/wire_vectors.h"
#include "wire/integrity.h"

#define TABLE CLEANUP(credentials_free) struct credentials *

static void keys_are_those_of_the_rfcs(void **state)
{
	static const struct {
		const char *name, *realm, *password, *key;
	} rows[] = {
		/* RFC 8489 9.2.2 and RFC 5769 2.4. */
		{"user", "realm", "pass", "8493fbc53ba582fb4c044c456bdc40eb"},
		{VECTOR_LONG_TERM_NAME, VECTOR_LONG_TERM_REALM, VECTOR_LONG_TERM_PASSWORD,
		 "e8ca7ad59d5eb0518e312911d2dab2a9"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t key[CREDENTIALS_KEY_LEN], want[CREDENTIALS_KEY_LEN];
		TABLE c = NULL;

		hex_bytes(rows[i].key, want, sizeof(want));
		assert_int_equal(credentials_derive_key(span_of(rows[i].name),
							span_of(rows[i].realm),
							span_of(rows[i].password), key),
				 0);
		assert_memory_equal(key, want, sizeof(key));

		assert_int_equal(credentials_new(rows[i].realm, &c), 0);
		assert_int_equal(credentials_add(c, rows[i].name, rows[i].password), 0);
		assert_memory_equal(credentials_find(c, span_of(rows[i].name))->key, want,
				    sizeof(want));
	}
}

static void the_key_of_a_user_opens_the_long_term_vector(void **state)
{
	uint8_t bytes[VECTOR_SIZE_MAX];
	struct stun_message message;
	struct span name;
	TABLE c = NULL;

	(void)state;
	assert_int_equal(credentials_new(VECTOR_LONG_TERM_REALM, &c), 0);
	assert_int_equal(credentials_add(c, "someone", "else"), 0);
	assert_int_equal(credentials_add(c, VECTOR_LONG_TERM_NAME, VECTOR_LONG_TERM_PASSWORD), 0);
	assert_true(stun_parse(vector_bytes(&vectors[VECTOR_LONG_TERM], bytes), &message) > 0);
	assert_true(stun_find(&message, STUN_ATTR_USERNAME, &name));
	const struct credentials_user *user = credentials_find(c, name);

	assert_non_null(user);
	assert_true(stun_integrity_matches(&message, span_make(user->key, sizeof(user->key))));
	user = credentials_find(c, span_of("someone"));
	assert_false(stun_integrity_matches(&message, span_make(user->key, sizeof(user->key))));
}

static void many_users_are_found_by_name_with_dense_numbers(void **state)
{
	enum {
		USERS = 1000
	};
	char name[16], password[16];
	TABLE c = NULL;

	(void)state;
	assert_int_equal(credentials_new("example.org", &c), 0);
	for (unsigned int i = 0; i < USERS; i++) {
		assert_int_equal(credentials_count(c), i);
		snprintf(name, sizeof(name), "user%u", i);
		snprintf(password, sizeof(password), "secret%u", i);
		assert_int_equal(credentials_add(c, name, password), 0);
	}
	for (unsigned int i = 0; i < USERS; i++) {
		uint8_t key[CREDENTIALS_KEY_LEN];

		snprintf(name, sizeof(name), "user%u", i);
		snprintf(password, sizeof(password), "secret%u", i);
		const struct credentials_user *user = credentials_find(c, span_of(name));

		assert_non_null(user);
		assert_string_equal(user->name, name);
		assert_int_equal(user->index, i);
		assert_int_equal(credentials_derive_key(span_of(name), span_of("example.org"),
							span_of(password), key),
				 0);
		assert_memory_equal(user->key, key, sizeof(key));
	}
}

static void only_the_exact_name_is_found(void **state)
{
	static const char *const others[] = {"", "alic", "alice ", "Alice", "alice2", "bob"};
	static const char with_zero[] = "alice\0x";
	TABLE c = NULL;

	(void)state;
	assert_int_equal(credentials_new("example.org", &c), 0);
	assert_null(credentials_find(c, span_of("alice")));
	assert_int_equal(credentials_add(c, "alice", "secret"), 0);
	assert_non_null(credentials_find(c, span_of("alice")));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_null(credentials_find(c, span_of(others[i])));
	assert_null(credentials_find(c, span_make(with_zero, 6)));
	assert_null(credentials_find(c, span_make(with_zero, 7)));
	assert_non_null(credentials_find(c, span_make(with_zero, 5)));
	assert_null(credentials_find(c, (struct span){0}));
}

static void a_second_user_of_the_same_name_is_refused_and_the_first_stays(void **state)
{
	uint8_t key[CREDENTIALS_KEY_LEN];
	TABLE c = NULL;

	(void)state;
	assert_int_equal(credentials_new("example.org", &c), 0);
	assert_int_equal(credentials_add(c, "alice", "first"), 0);
	memcpy(key, credentials_find(c, span_of("alice"))->key, sizeof(key));
	assert_int_equal(credentials_add(c, "alice", "second"), -EEXIST);
	assert_int_equal(credentials_count(c), 1);
	assert_memory_equal(credentials_find(c, span_of("alice"))->key, key, sizeof(key));
	assert_int_equal(credentials_add(c, "bob", "first"), 0);
	assert_int_equal(credentials_find(c, span_of("bob"))->index, 1);
}

static void names_and_passwords_have_limits(void **state)
{
	char name[CREDENTIALS_NAME_MAX + 2];
	TABLE c = NULL;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[CREDENTIALS_NAME_MAX + 1] = '\0';
	assert_int_equal(credentials_new("example.org", &c), 0);
	assert_int_equal(credentials_add(c, name, "secret"), -EINVAL);
	assert_int_equal(credentials_add(c, "", "secret"), -EINVAL);
	assert_int_equal(credentials_add(c, "alice", ""), -EINVAL);
	assert_int_equal(credentials_count(c), 0);
	name[CREDENTIALS_NAME_MAX] = '\0';
	assert_int_equal(credentials_add(c, name, "secret"), 0);
	assert_non_null(credentials_find(c, span_of(name)));
}

static void realms_have_limits_and_are_copied(void **state)
{
	char realm[CREDENTIALS_REALM_MAX + 2];
	TABLE c = NULL;

	(void)state;
	memset(realm, 'r', sizeof(realm));
	realm[CREDENTIALS_REALM_MAX + 1] = '\0';
	assert_int_equal(credentials_new(realm, &c), -EINVAL);
	assert_int_equal(credentials_new("", &c), -EINVAL);
	assert_null(c);
	realm[CREDENTIALS_REALM_MAX] = '\0';
	assert_int_equal(credentials_new(realm, &c), 0);
	assert_string_equal(credentials_realm(c), realm);
	realm[0] = 'x';
	assert_int_equal(credentials_realm(c)[0], 'r');
}

static void names_are_copied(void **state)
{
	char name[] = "alice";
	TABLE c = NULL;

	(void)state;
	assert_int_equal(credentials_new("example.org", &c), 0);
	assert_int_equal(credentials_add(c, name, "secret"), 0);
	name[0] = 'x';
	assert_non_null(credentials_find(c, span_of("alice")));
	assert_null(credentials_find(c, span_of(name)));
}

static void nothing_can_be_freed(void **state)
{
	struct credentials *c = NULL;

	(void)state;
	credentials_free(&c);
	assert_int_equal(credentials_new("example.org", &c), 0);
	credentials_free(&c);
	assert_null(c);
	credentials_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_of_the_rfcs),
		cmocka_unit_test(the_key_of_a_user_opens_the_long_term_vector),
		cmocka_unit_test(many_users_are_found_by_name_with_dense_numbers),
		cmocka_unit_test(only_the_exact_name_is_found),
		cmocka_unit_test(a_second_user_of_the_same_name_is_refused_and_the_first_stays),
		cmocka_unit_test(names_and_passwords_have_limits),
		cmocka_unit_test(realms_have_limits_and_are_copied),
		cmocka_unit_test(names_are_copied),
		cmocka_unit_test(nothing_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
