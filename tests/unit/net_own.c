/* SPDX-License-Identifier: BSD-2-Clause */
/* Which destinations lead to a host with a certain address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "net/own.h"

static struct addr ip_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, &a), 0);
	return a;
}

static void a_prefix_has_a_broadcast_a_network_and_an_anycast_address(void **state)
{
	static const struct {
		const char *address;
		uint8_t len;
		const char *broadcast; /* as it was set, or NULL */
		const char *more[3];   /* without the address itself */
	} rows[] = {
		{"203.0.113.77", 24, "203.0.113.255", {"203.0.113.0", "203.0.113.255"}},
		{"203.0.113.77", 24, NULL, {"203.0.113.0", "203.0.113.255"}},
		{"203.0.113.77",
		 24,
		 "203.0.113.9",
		 {"203.0.113.0", "203.0.113.255", "203.0.113.9"}},
		{"203.0.113.77", 27, NULL, {"203.0.113.64", "203.0.113.95"}},
		{"8.9.10.11", 7, NULL, {"8.0.0.0", "9.255.255.255"}},
		{"203.0.113.77", 30, NULL, {"203.0.113.76", "203.0.113.79"}},
		{"203.0.113.77", 31, NULL, {NULL}},
		{"203.0.113.77", 32, NULL, {NULL}},
		{"203.0.113.77", 32, "203.0.113.77", {"203.0.113.77"}},
		{"2a01:2::1", 64, NULL, {"2a01:2::"}},
		{"2a01:2:0:0:1234:5678:9abc:def0", 84, NULL, {"2a01:2::1234:5000:0:0"}},
		{"2a01:2::7", 126, NULL, {"2a01:2::4"}},
		{"2a01:2::7", 127, NULL, {NULL}},
		{"2a01:2::7", 128, NULL, {NULL}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_address a = {.addr = ip_of(rows[i].address), .prefix_len = rows[i].len};
		struct addr got[OWN_FORMS_MAX];
		size_t expected = 1;

		if (rows[i].broadcast)
			a.broadcast = ip_of(rows[i].broadcast);
		size_t count = own_forms(&a, got);

		assert_true(addr_equal(&got[0], &a.addr));
		for (size_t j = 0; j < ARRAY_SIZE(rows[i].more) && rows[i].more[j]; j++) {
			struct addr want = ip_of(rows[i].more[j]);
			size_t at = 1;

			while (at < count && !addr_equal(&got[at], &want))
				at++;
			if (at == count)
				fail_msg("row %zu: %s is not there", i, rows[i].more[j]);
			expected++;
		}
		/* The broadcast address may be there twice. */
		if (rows[i].broadcast && rows[i].len == 24 &&
		    strcmp(rows[i].broadcast, rows[i].more[1]) == 0)
			expected++;
		assert_int_equal(count, expected);
	}
}

static void the_far_end_of_a_point_to_point_link_has_a_prefix_too(void **state)
{
	static const char *const expected[] = {"10.0.0.1", "10.0.0.0", "10.0.0.255", "10.9.0.0",
					       "10.9.0.255"};
	const struct net_address a = {
		.addr = ip_of("10.0.0.1"), .far_end = ip_of("10.9.0.2"), .prefix_len = 24};
	struct addr got[OWN_FORMS_MAX];

	(void)state;
	assert_int_equal(own_forms(&a, got), ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(ADDR_IP_TEXT(&got[i]), expected[i]);
}

static void loopback_is_among_what_leads_to_this_host_with_its_broadcast(void **state)
{
	static const char *const expected[] = {"127.0.0.1", "127.255.255.255", "127.0.0.0"};
	struct addr *own = NULL;
	size_t count, found = 0;

	(void)state;
	assert_int_equal(net_list_own(&own, &count), 0);
	for (size_t j = 0; j < ARRAY_SIZE(expected); j++) {
		struct addr want = ip_of(expected[j]);

		for (size_t i = 0; i < count; i++)
			if (addr_equal(&own[i], &want)) {
				found++;
				break;
			}
	}
	assert_int_equal(found, ARRAY_SIZE(expected));
	free(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_has_a_broadcast_a_network_and_an_anycast_address),
		cmocka_unit_test(the_far_end_of_a_point_to_point_link_has_a_prefix_too),
		cmocka_unit_test(loopback_is_among_what_leads_to_this_host_with_its_broadcast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
