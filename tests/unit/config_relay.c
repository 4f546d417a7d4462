/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Relay addresses, external addresses and ports that contradict each other: where it is reported,
 * and that the line says what is wrong and what is allowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_rows.h"

static void external_addresses_must_fit_their_relay_addresses(void **state)
{
	static const struct row rows[] = {
		{GOOD "relay: {external: {192.0.2.1: \"2001:db8::1\"}}\n",
		 "3:31: relay.external: 2001:db8::1 is of another family than 192.0.2.1; allowed: "
		 "IPv4 to IPv4, IPv6 to IPv6\n"},
		{GOOD "relay: {addresses: [192.0.2.1], external: {192.0.2.2: 203.0.113.1}}\n",
		 "3:44: relay.external: 192.0.2.2 is no relay address; allowed: those of "
		 "relay.addresses\n"},
		{GOOD "listen: [udp: 192.0.2.1:1]\nrelay: {external: {192.0.2.2: 203.0.113.1}}\n",
		 "4:20: relay.external: 192.0.2.2 is no relay address; allowed: those of "
		 "listen\n"},
		{GOOD "relay: {external: {192.0.2.1: 203.0.113.1, 192.0.2.2: 203.0.113.1}}\n",
		 "3:55: relay.external: 203.0.113.1 is the external address of 192.0.2.1 already; "
		 "allowed: one relay address for each\n"},
		{GOOD "relay: {addresses: [192.0.2.1, 192.0.2.2], external: {192.0.2.1: "
		      "192.0.2.2}}\n",
		 "3:66: relay.external: 192.0.2.2 is a relay address itself; allowed: addresses "
		 "that this host does not relay on\n"},
		{GOOD "listen: [udp: 192.0.2.1:1, udp: 192.0.2.2:1]\n"
		      "relay: {external: {192.0.2.1: 192.0.2.2, 192.0.2.2: 192.0.2.1}}\n",
		 "4:31: relay.external: 192.0.2.2 is a relay address itself; allowed: addresses "
		 "that this host does not relay on\n"
		 "4:53: relay.external: 192.0.2.1 is a relay address itself; allowed: addresses "
		 "that this host does not relay on\n"},
		{GOOD "relay: {external: {192.0.2.1: 192.0.2.2, 192.0.2.2: 203.0.113.1}}\n",
		 "3:31: relay.external: 192.0.2.2 is a relay address itself; allowed: addresses "
		 "that this host does not relay on\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void external_addresses_that_no_peer_can_reach_are_refused(void **state)
{
	static const struct row rows[] = {
		{GOOD "relay: {external: {192.0.2.1: 127.0.0.1}}\n",
		 "3:31: relay.external: 127.0.0.1 is loopback; allowed: addresses that peers can "
		 "reach\n"},
		{GOOD "relay: {external: {127.0.0.2: 127.9.9.9}}\n",
		 "3:31: relay.external: 127.9.9.9 is loopback; allowed: addresses that peers can "
		 "reach\n"},
		{GOOD "relay: {external: {\"2001:db8::1\": \"::1\"}}\n",
		 "3:35: relay.external: ::1 is loopback; allowed: addresses that peers can "
		 "reach\n"},
		{GOOD "relay: {external: {192.0.2.1: 0.0.0.0}}\n",
		 "3:31: relay.external: 0.0.0.0 is a wildcard, which cannot be answered from; "
		 "allowed: each address by itself\n"},
		{GOOD "relay: {external: {192.0.2.1: 0.1.2.3}}\n",
		 "3:31: relay.external: 0.1.2.3 is in 0.0.0.0/8, which no host has; allowed: "
		 "addresses that peers can reach\n"},
		{GOOD "relay: {external: {192.0.2.1: 239.1.1.1}}\n",
		 "3:31: relay.external: 239.1.1.1 is multicast or reserved; allowed: unicast "
		 "addresses\n"},
		{GOOD "relay: {external: {\"2001:db8::1\": \"ff05::2\"}}\n",
		 "3:35: relay.external: ff05::2 is multicast; allowed: unicast addresses\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void a_range_of_relay_ports_that_listeners_use_up_is_refused(void **state)
{
	static const struct row rows[] = {
		{GOOD "listen: [udp: 192.0.2.1:3478]\nrelay: {ports: 3478-3478}\n",
		 "4:9: relay.ports: listen has every port of 3478-3478 on 192.0.2.1; allowed: a "
		 "range with ports that it leaves\n"},
		{GOOD "listen: [udp: 192.0.2.1:10, udp: 192.0.2.2:11, udp: 192.0.2.1:11]\n"
		      "relay: {ports: 10-11, addresses: [192.0.2.2, 192.0.2.1]}\n",
		 "4:9: relay.ports: listen has every port of 10-11 on 192.0.2.1; allowed: a range "
		 "with ports that it leaves\n"},
		{GOOD "relay: {ports: 3478-3478}\n",
		 "3:9: relay.ports: listen has every port of 3478-3478 on each address; allowed: "
		 "a range with ports that it leaves\n"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(external_addresses_must_fit_their_relay_addresses),
		cmocka_unit_test(external_addresses_that_no_peer_can_reach_are_refused),
		cmocka_unit_test(a_range_of_relay_ports_that_listeners_use_up_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
