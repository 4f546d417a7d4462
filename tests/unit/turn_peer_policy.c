/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/macros.h"
#include "turn/peer_policy.h"

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, &a), 0);
	return a;
}

static struct prefix prefix(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void assert_rule(const struct peer_policy *policy, const char *text, const char *expected)
{
	struct addr a = ip(text);
	const char *rule = peer_policy_denies(policy, &a);

	if (expected ? !rule || strcmp(rule, expected) != 0 : rule != NULL)
		fail_msg("%s: %s, expected %s", text, rule ? rule : "allowed",
			 expected ? expected : "allowed");
}

static void the_address_inside_another_is_found(void **state)
{
	static const struct {
		const char *given, *canonical;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::1"},
		{"::ffff:10.0.0.1", "10.0.0.1"},
		{"::10.0.0.1", "10.0.0.1"},
		{"::2", "0.0.0.2"},
		{"::", "::"},
		{"::1", "::1"},
		{"2002:a00:1::", "10.0.0.1"},
		{"2002:7f00:1:ffff::1", "127.0.0.1"},
		{"64:ff9b::a00:1", "10.0.0.1"},
		{"64:ff9b::1:a00:1", "64:ff9b::1:a00:1"},
		/* the local prefix: the address in the last four bytes, or under the /48 */
		{"64:ff9b:1::a00:1", "10.0.0.1"},
		{"64:ff9b:1:fffe::a00:1", "10.0.0.1"},
		{"64:ff9b:1:a00:0:100::", "10.0.0.1"},
		/* Teredo: server 65.54.227.120, port, client 192.0.2.45 inverted */
		{"2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"},
		{"2001:1::5", "2001:1::5"},
		{"fe80::5efe:10.0.0.1", "10.0.0.1"},
		{"2600:1:2:3:200:5efe:10.0.0.1", "10.0.0.1"},
		{"2600:1:2:3:300:5efe:10.0.0.1", "2600:1:2:3:300:5efe:a00:1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr given = ip(rows[i].given), expected = ip(rows[i].canonical);

		given.port = expected.port = 4711;
		struct addr found = peer_policy_canonical(&given);

		if (!addr_equal(&found, &expected))
			fail_msg("%s: %s", rows[i].given, ADDR_TEXT(&found));
	}
}

static void special_purpose_registries_are_denied_to_their_last_address(void **state)
{
	static const struct peer_policy nothing;
	static const struct {
		const char *first, *last, *rule;
	} rows[] = {
		{"0.0.0.0", "0.255.255.255", "this-network"},
		{"10.0.0.0", "10.255.255.255", "private-use"},
		{"100.64.0.0", "100.127.255.255", "shared-address-space"},
		{"127.0.0.0", "127.255.255.255", "loopback"},
		{"169.254.0.0", "169.254.255.255", "link-local"},
		{"172.16.0.0", "172.31.255.255", "private-use"},
		{"192.0.0.0", "192.0.0.255", "ietf-protocol-assignments"},
		{"192.0.2.0", "192.0.2.255", "documentation"},
		{"192.88.99.0", "192.88.99.255", "6to4-relay-anycast"},
		{"192.168.0.0", "192.168.255.255", "private-use"},
		{"198.18.0.0", "198.19.255.255", "benchmarking"},
		{"198.51.100.0", "198.51.100.255", "documentation"},
		{"203.0.113.0", "203.0.113.255", "documentation"},
		{"224.0.0.0", "239.255.255.255", "multicast"},
		{"240.0.0.0", "255.255.255.254", "reserved"},
		{"255.255.255.255", "255.255.255.255", "limited-broadcast"},
		{"::", "::", "unspecified"},
		{"::1", "::1", "loopback"},
		{"100::", "100::ffff:ffff:ffff:ffff", "discard-only"},
		{"100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", "dummy"},
		{"2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "ietf-protocol-assignments"},
		{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
		{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
		{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment-routing-sids"},
		{"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique-local"},
		{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
		{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"},
		{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
		{"200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
		{"4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_rule(&nothing, rows[i].first, rows[i].rule);
		assert_rule(&nothing, rows[i].last, rows[i].rule);
	}
}

static void the_neighbours_of_what_is_denied_are_allowed(void **state)
{
	static const struct peer_policy nothing;
	static const char *const addresses[] = {
		"1.0.0.0",	   "9.255.255.255",   "11.0.0.0",	 "100.63.255.255",
		"100.128.0.0",	   "126.255.255.255", "128.0.0.0",	 "169.253.255.255",
		"169.255.0.0",	   "172.15.255.255",  "172.32.0.0",	 "191.255.255.255",
		"192.0.1.0",	   "192.0.3.0",	      "192.31.196.1",	 "192.52.193.1",
		"192.88.98.255",   "192.88.100.0",    "192.167.255.255", "192.169.0.0",
		"192.175.48.1",	   "198.17.255.255",  "198.20.0.0",	 "198.51.99.255",
		"198.51.101.0",	   "203.0.112.255",   "203.0.114.0",	 "223.255.255.255",
		"2000::",	   "2001:200::1",     "2001:db7::1",	 "2001:db9::1",
		"2001:4860::8888", "2003::1",	      "2620:4f:8000::1", "3ffe::1",
		"3fff:1000::1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		assert_rule(&nothing, addresses[i], NULL);
}

static void a_wrapped_address_is_denied_by_the_rule_for_what_is_inside(void **state)
{
	static const struct peer_policy nothing;
	static const struct {
		const char *address, *rule;
	} rows[] = {
		{"::ffff:127.0.0.1", "loopback"},
		{"::127.0.0.1", "loopback"},
		{"::ffff:0.0.0.0", "this-network"},
		{"2002:7f00:1::", "loopback"},
		{"64:ff9b::127.0.0.1", "loopback"},
		{"64:ff9b:1::169.254.169.254", "link-local"},
		{"64:ff9b:1:a9fe:a9:fe00::", "link-local"},
		{"2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"},
		{"2600::5efe:192.168.1.1", "private-use"},
		{"2600::200:5efe:192.168.1.1", "private-use"},
		/* nothing wrong inside: the wrapping itself is refused, but for the public NAT64 */
		{"::ffff:8.8.8.8", "ipv4-mapped"},
		{"::8.8.8.8", "ipv4-compatible"},
		{"2002:808:808::", "6to4"},
		{"2001:0:4136:e378:8000:63bf:f7f7:f7f7", "teredo"},
		{"64:ff9b:1::8.8.8.8", "local-nat64"},
		{"64:ff9b::8.8.8.8", NULL},
		{"2600::5efe:8.8.8.8", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_rule(&nothing, rows[i].address, rows[i].rule);
}

static void allow_opens_and_deny_closes_and_deny_is_stronger(void **state)
{
	struct prefix allow[] = {prefix("10.0.0.0/8"), prefix("fd00::/8")};
	struct prefix deny[] = {prefix("10.1.0.0/16"), prefix("8.8.8.8"), prefix("2600::/16")};
	struct peer_policy policy = {.allow = allow,
				     .allow_count = ARRAY_SIZE(allow),
				     .deny = deny,
				     .deny_count = ARRAY_SIZE(deny)};

	(void)state;
	assert_rule(&policy, "10.0.0.1", NULL);
	assert_rule(&policy, "10.1.0.1", "peers.deny");
	assert_rule(&policy, "192.168.0.1", "private-use");
	assert_rule(&policy, "8.8.8.8", "peers.deny");
	assert_rule(&policy, "8.8.4.4", NULL);
	assert_rule(&policy, "fd12::1", NULL);
	assert_rule(&policy, "fc00::1", "unique-local");
	assert_rule(&policy, "2600::1", "peers.deny");
	/* Denied inside is denied, in whatever it is wrapped. */
	assert_rule(&policy, "64:ff9b::8.8.8.8", "peers.deny");
	assert_rule(&policy, "2001:0:4136:e378:8000:63bf:f7f7:f7f7", "peers.deny");
}

static void an_allow_rule_must_hold_for_both_forms(void **state)
{
	struct prefix inner[] = {prefix("10.0.0.0/8")};
	struct prefix outer[] = {prefix("2002::/16")};
	struct prefix both[] = {prefix("10.0.0.0/8"), prefix("2002::/16")};
	struct peer_policy policy = {.allow = inner, .allow_count = 1};

	(void)state;
	assert_rule(&policy, "2002:a00:1::", "6to4");
	policy.allow = outer;
	assert_rule(&policy, "2002:a00:1::", "private-use");
	assert_rule(&policy, "2002:808:808::", NULL);
	policy.allow = both;
	policy.allow_count = 2;
	assert_rule(&policy, "2002:a00:1::", NULL);
}

static void the_hosts_own_addresses_are_denied_even_if_allowed(void **state)
{
	struct prefix allow[] = {prefix("0.0.0.0/0"), prefix("::/0")};
	struct addr own[] = {ip("8.8.8.8"), ip("2600::1")};
	struct peer_policy policy = {
		.allow = allow, .allow_count = 2, .own = own, .own_count = ARRAY_SIZE(own)};

	(void)state;
	own[0].port = 53; /* of no account */
	assert_rule(&policy, "8.8.8.8", "own-address");
	assert_rule(&policy, "::ffff:8.8.8.8", "own-address");
	assert_rule(&policy, "2600::1", "own-address");
	assert_rule(&policy, "2600::2", NULL);
	assert_rule(&policy, "127.0.0.1", NULL);
}

static void what_is_no_address_is_denied(void **state)
{
	static const struct peer_policy nothing;
	struct addr none = {0};

	(void)state;
	assert_non_null(peer_policy_denies(&nothing, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_address_inside_another_is_found),
		cmocka_unit_test(special_purpose_registries_are_denied_to_their_last_address),
		cmocka_unit_test(the_neighbours_of_what_is_denied_are_allowed),
		cmocka_unit_test(a_wrapped_address_is_denied_by_the_rule_for_what_is_inside),
		cmocka_unit_test(allow_opens_and_deny_closes_and_deny_is_stronger),
		cmocka_unit_test(an_allow_rule_must_hold_for_both_forms),
		cmocka_unit_test(the_hosts_own_addresses_are_denied_even_if_allowed),
		cmocka_unit_test(what_is_no_address_is_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
