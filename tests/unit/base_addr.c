/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>

#include "base/addr.h"
#include "base/macros.h"

static void addresses_survive_text_and_back(void **state)
{
	static const char *const texts[] = {"192.0.2.1:3478", "[2001:db8::1]:65535",
					    "[::ffff:10.0.0.1]:1"};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(addr_parse(texts[i], &a), 0);
		assert_string_equal(ADDR_TEXT(&a), texts[i]);
	}
}

static void malformed_addresses_are_refused_and_leave_the_output_alone(void **state)
{
	static const char *const texts[] = {"",
					    "192.0.2.1",
					    "192.0.2.1:",
					    "192.0.2.1:0",
					    "192.0.2.1:65536",
					    "192.0.2:1",
					    "2001:db8::1:80",
					    "[192.0.2.1]:80",
					    "[2001:db8::1",
					    "[2001:db8::1]80",
					    "[::1%lo]:80",
					    "192.0.2.1: 80",
					    "192.0.2.1:+80"};
	struct addr a = {.port = 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(addr_parse(texts[i], &a), -EINVAL);
		assert_int_equal(a.port, 7);
	}
}

static void sockaddr_conversion_keeps_family_address_and_port(void **state)
{
	static const char *const texts[] = {"192.0.2.1:3478", "[2001:db8::1]:3478"};
	struct sockaddr_storage ss;
	struct addr a, b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(addr_parse(texts[i], &a), 0);
		socklen_t len = addr_to_sockaddr(&a, &ss);

		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, len, &b), 0);
		assert_true(addr_equal(&a, &b));
		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, 2, &b), -EAFNOSUPPORT);
	}
}

static void prefixes_contain_what_their_bits_say(void **state)
{
	static const struct {
		const char *prefix, *ip;
		bool inside;
	} rows[] = {
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"172.16.0.0/12", "172.31.9.9", true},
		{"172.16.0.0/12", "172.32.0.0", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"fc00::/7", "fdff::1", true},
		{"fc00::/7", "fe00::1", false},
		{"2001:db8::/127", "2001:db8::1", true},
		{"2001:db8::/127", "2001:db8::2", false},
		{"::ffff:0.0.0.0/96", "10.0.0.1", false},
	};
	struct prefix p;
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(prefix_parse(rows[i].prefix, &p), 0);
		assert_int_equal(addr_parse_ip(rows[i].ip, &a), 0);
		if (prefix_contains(&p, &a) != rows[i].inside)
			fail_msg("%s in %s", rows[i].ip, rows[i].prefix);
	}
}

static void prefixes_with_host_bits_or_bad_lengths_are_refused(void **state)
{
	static const char *const texts[] = {"10.0.0.1/8",  "10.0.0.0/33",    "10.0.0.0/",
					    "10.0.0.0/-1", "2001:db8::/129", "::1/127",
					    "x/8"};
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (prefix_parse(texts[i], &p) != -EINVAL)
			fail_msg("%s was taken", texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_survive_text_and_back),
		cmocka_unit_test(malformed_addresses_are_refused_and_leave_the_output_alone),
		cmocka_unit_test(sockaddr_conversion_keeps_family_address_and_port),
		cmocka_unit_test(prefixes_contain_what_their_bits_say),
		cmocka_unit_test(prefixes_with_host_bits_or_bad_lengths_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
