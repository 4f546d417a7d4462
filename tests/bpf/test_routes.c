/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routes against the real kernel: which hop a flow gets among gateways, rules and several paths,
 * and that changes are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "net_watch.h"
#include "netns.h"

static void destinations_behind_one_gateway_share_its_hop(void **state)
{
	struct watch *w = *state;
	uint32_t a, b, c;

	netns_run("ip route add default via 192.0.2.2");
	netns_run("ip route add default via 2001:db8::2");
	a = watch_route(w, "198.51.100.1");
	b = watch_route(w, "198.51.100.2");
	c = watch_route(w, "2001:db8:1::1");
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
	assert_int_equal(watch_route(w, "192.0.2.2"), a);
	assert_true(wait_until(w, w->told[a].valid && w->told[c].valid));
	watch_assert_leads_there(&w->told[a], 1500);
	watch_assert_leads_there(&w->told[c], 1500);
}

static void an_ipv4_route_may_have_an_ipv6_gateway(void **state)
{
	struct watch *w = *state;
	uint32_t id;

	netns_run("ip route add 198.51.100.0/24 via inet6 2001:db8::2 dev tp-here");
	id = watch_route(w, "198.51.100.1");
	assert_true(wait_until(w, w->told[id].valid));
	watch_assert_leads_there(&w->told[id], 1500);
}

static void a_changed_route_is_told_and_leads_to_another_hop(void **state)
{
	struct watch *w = *state;
	uint32_t before, after;

	netns_run_there("ip addr add 192.0.2.3/24 dev tp-there");
	netns_run("ip route add default via 192.0.2.2");
	before = watch_route(w, "198.51.100.1");
	watch_settle(w);
	w->route_events = 0;
	netns_run("ip route replace default via 192.0.2.3");
	assert_true(wait_until(w, w->route_events));
	after = watch_route(w, "198.51.100.1");
	assert_int_not_equal(before, after);
}

static void what_moves_routes_is_told(void **state)
{
	static const char *const changes[] = {
		"ip addr add 192.0.2.9/24 dev tp-here",
		"ip rule add from 203.0.113.1 lookup 100",
		"ip -6 rule add from 2001:db8:9::1 lookup 100",
		"ip route add 198.51.100.0/24 via 192.0.2.2",
		"ip -6 route add 2001:db8:5::/48 via 2001:db8::2",
		"ip nexthop add id 7 via 192.0.2.2 dev tp-here",
		"ip link set tp-here down",
	};
	struct watch *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		watch_settle(w);
		w->route_events = 0;
		netns_run("%s", changes[i]);
		assert_true(wait_until(w, w->route_events));
	}
}

static void policy_rules_look_at_the_source(void **state)
{
	struct watch *w = *state;
	struct addr dst = watch_ip("198.51.100.1"), first = watch_ip("192.0.2.1"),
		    second = watch_ip("192.0.2.9");
	uint32_t a, b;

	netns_run("ip addr add 192.0.2.9/24 dev tp-here");
	netns_run("ip route add default via 192.0.2.2");
	netns_run("ip route add default via 192.0.2.3 table 100");
	netns_run("ip rule add from 192.0.2.9 lookup 100");
	assert_int_equal(net_route(w->net, &first, &dst, &a), 0);
	assert_int_equal(net_route(w->net, &second, &dst, &b), 0);
	assert_int_not_equal(a, b);
}

static struct addr endpoint(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static uint32_t route_between(struct watch *w, const char *src, const char *dst)
{
	struct addr from = endpoint(src), to = endpoint(dst);
	uint32_t id = 0;

	assert_int_equal(net_route(w->net, &from, &to, &id), 0);
	return id;
}

static void policy_rules_look_at_ports_and_protocol(void **state)
{
	static const struct {
		const char *rule, *src, *dst, *other_src, *other_dst;
	} rows[] = {
		{"from 192.0.2.1 ipproto udp sport 50000", "192.0.2.1:50000", "198.51.100.1:7000",
		 "192.0.2.1:50001", "198.51.100.1:7000"},
		{"ipproto udp dport 7000-7001", "192.0.2.1:50000", "198.51.100.1:7001",
		 "192.0.2.1:50000", "198.51.100.1:7002"},
		{"to 198.51.100.0/24 ipproto udp", "192.0.2.1:50000", "198.51.100.1:7000",
		 "192.0.2.1:50000", "198.51.101.1:7000"},
		{"from 2001:db8::1 sport 50000", "[2001:db8::1]:50000", "[2001:db8:1::1]:7000",
		 "[2001:db8::1]:50001", "[2001:db8:1::1]:7000"},
		{"ipproto udp dport 7000", "[2001:db8::1]:50000", "[2001:db8:1::1]:7000",
		 "[2001:db8::1]:50000", "[2001:db8:1::1]:7001"},
	};
	struct watch *w = *state;

	netns_run("ip route add default via 192.0.2.2");
	netns_run("ip route add default via 192.0.2.3 table 100");
	netns_run("ip -6 route add default via 2001:db8::2");
	netns_run("ip -6 route add default via 2001:db8::3 table 100");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *family = rows[i].src[0] == '[' ? "-6" : "-4";
		uint32_t before = route_between(w, rows[i].src, rows[i].dst), ruled, other;

		netns_run("ip %s rule add %s lookup 100", family, rows[i].rule);
		ruled = route_between(w, rows[i].src, rows[i].dst);
		other = route_between(w, rows[i].other_src, rows[i].other_dst);
		netns_run("ip %s rule del %s lookup 100", family, rows[i].rule);
		if (ruled == before || other != before)
			fail_msg("rule %s: %u, then %u, and %u for another flow", rows[i].rule,
				 before, ruled, other);
	}
	/* A rule for TCP is none for us. */
	netns_run("ip rule add ipproto tcp lookup 100");
	assert_int_equal(route_between(w, "192.0.2.1:50000", "198.51.100.1:7000"),
			 watch_route(w, "192.0.2.2"));
}

/* The last byte of the MAC address that a packet from a socket of this host really goes to. */
static uint8_t send_and_see(int watcher, const struct addr *src, const struct addr *dst)
{
	struct pollfd readable = {.fd = watcher, .events = POLLIN};
	_cleanup_close_ int fd = socket(src->family == ADDR_IPV4 ? AF_INET : AF_INET6,
					SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t port_at = src->family == ADDR_IPV4 ? 14 + 20 : 14 + 40;
	struct sockaddr_storage from, to;
	socklen_t from_len = addr_to_sockaddr(src, &from), to_len = addr_to_sockaddr(dst, &to);
	uint8_t frame[256];

	assert_int_equal(bind(fd, (struct sockaddr *)&from, from_len), 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, to_len), 1);
	while (poll(&readable, 1, 5000) > 0) {
		ssize_t n = recv(watcher, frame, sizeof(frame), 0);

		/* Others' packets, such as router solicitations, have other ports. */
		if (n >= (ssize_t)port_at + 4 && frame[port_at] == src->port >> 8 &&
		    frame[port_at + 1] == (src->port & 0xff) &&
		    frame[port_at + 2] == dst->port >> 8 &&
		    frame[port_at + 3] == (dst->port & 0xff))
			return frame[5];
	}
	fail_msg("the packet did not leave");
	return 0;
}

/* Sees what tp-here sends. */
static int watch_frames(void)
{
	struct sockaddr_ll on = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex("tp-here")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&on, sizeof(on)), 0);
	return fd;
}

/* 16 flows from src to dst, and each must go where its packets go. Returns how many go to :02. */
static unsigned int compare_paths(struct watch *w, int watcher, const char *src, const char *dst)
{
	struct addr from = endpoint(src), to = endpoint(dst);
	unsigned int first = 0;

	for (uint16_t i = 0; i < 16; i++) {
		struct net_hop hop;
		uint32_t id;
		uint8_t really;

		from.port++;
		to.port += 3;
		really = send_and_see(watcher, &from, &to);
		assert_int_equal(net_route(w->net, &from, &to, &id), 0);
		net_hop_get(w->net, id, &hop);
		assert_true(hop.valid);
		if (hop.dst_mac[5] != really)
			fail_msg("flow %u of %s goes to :%02x, its hop to :%02x", i, src, really,
				 hop.dst_mac[5]);
		first += really == 2;
	}
	return first;
}

static void several_paths_are_shared_out_as_the_kernel_does_for_each_flow(void **state)
{
	_cleanup_close_ int watcher = watch_frames();
	struct watch *w = *state;
	unsigned int first;

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent && "
		  "ip neigh add 192.0.2.3 lladdr 02:00:00:00:00:03 dev tp-here nud permanent && "
		  "ip neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent && "
		  "ip neigh add 2001:db8::3 lladdr 02:00:00:00:00:03 dev tp-here nud permanent");
	netns_run("ip route add default nexthop via 192.0.2.2 nexthop via 192.0.2.3 && "
		  "ip -6 route add default nexthop via 2001:db8::2 nexthop via 2001:db8::3");
	/* By addresses alone, then by ports too. */
	for (int policy = 0; policy <= 1; policy++) {
		netns_run("sysctl -qw net.ipv4.fib_multipath_hash_policy=%d "
			  "net.ipv6.fib_multipath_hash_policy=%d",
			  policy, policy);
		first = compare_paths(w, watcher, "192.0.2.1:50000", "198.51.100.1:7000");
		assert_int_equal(first % 16 != 0, policy == 1);
		first = compare_paths(w, watcher, "[2001:db8::1]:50000", "[2001:db8:1::1]:7000");
		assert_int_equal(first % 16 != 0, policy == 1);
	}
}

static void a_path_that_goes_down_is_left_to_the_others(void **state)
{
	struct watch *w = *state;
	struct net_hop hop;

	netns_run("ip link add tp-b type veth peer name tp-b-end && ip link set tp-b-end up && "
		  "ip link set tp-b up && ip addr add 10.9.0.1/24 dev tp-b && "
		  "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:0b dev tp-b nud permanent && "
		  "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent && "
		  "sysctl -qw net.ipv4.fib_multipath_hash_policy=1 "
		  "net.ipv4.conf.all.ignore_routes_with_linkdown=1");
	netns_run("ip route add default nexthop via 192.0.2.2 nexthop via 10.9.0.2");
	watch_settle(w);
	w->route_events = 0;
	netns_run("ip link set tp-b-end down");
	assert_true(wait_until(w, w->route_events));
	for (uint16_t port = 7000; port < 7020; port++) {
		char dst[32];

		snprintf(dst, sizeof(dst), "198.51.100.1:%u", port);
		net_hop_get(w->net, route_between(w, "192.0.2.1:50000", dst), &hop);
		watch_assert_leads_there(&hop, 1500);
	}
}

static void a_route_with_an_mtu_has_a_hop_of_its_own(void **state)
{
	struct watch *w = *state;
	uint32_t id, other;

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	netns_run("ip route add 198.51.100.0/24 via 192.0.2.2 mtu 1200");
	id = watch_route(w, "198.51.100.1");
	other = watch_route(w, "192.0.2.2");
	watch_assert_leads_there(&w->told[id], 1200);
	watch_assert_leads_there(&w->told[other], 1500);
}

static void destinations_that_are_nobody_elses_are_refused(void **state)
{
	static const char *const destinations[] = {
		"192.0.2.1", /* this host */
		"127.0.0.1",	   "::1",	    "2001:db8::1",
		"192.0.2.255", /* broadcast */
		"255.255.255.255", "224.0.0.1",	    "ff02::1",
		"fe80::5",	   "0.0.0.0",	    "::",
		"203.0.113.1", /* no route */
		"198.51.100.1",	   "198.51.101.1",  "198.51.102.1",
		"2001:db8:1::1",   "2001:db8:2::1", "2001:db8:3::1",
	};
	struct watch *w = *state;

	netns_run("ip route add blackhole 198.51.100.0/24");
	netns_run("ip route add unreachable 198.51.101.0/24");
	netns_run("ip route add prohibit 198.51.102.0/24");
	netns_run("ip route add blackhole 2001:db8:1::/48");
	netns_run("ip route add unreachable 2001:db8:2::/48");
	netns_run("ip route add prohibit 2001:db8:3::/48");
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++)
		if (watch_route_error(w, destinations[i]) != -ENETUNREACH)
			fail_msg("%s was not refused", destinations[i]);
}

static void a_route_says_interface_and_source(void **state)
{
	struct addr dst = watch_ip("198.51.100.1"), source, here = watch_ip("192.0.2.1");
	unsigned int ifindex;

	(void)state;
	assert_int_equal(net_query_route(NULL, &dst, &ifindex, &source), -ENETUNREACH);
	netns_run("ip route add default via 192.0.2.2");
	assert_int_equal(net_query_route(NULL, &dst, &ifindex, &source), 0);
	assert_int_equal(ifindex, if_nametoindex("tp-here"));
	assert_true(addr_equal(&source, &here));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_pair(destinations_behind_one_gateway_share_its_hop),
		on_a_pair(an_ipv4_route_may_have_an_ipv6_gateway),
		on_a_pair(a_changed_route_is_told_and_leads_to_another_hop),
		on_a_pair(what_moves_routes_is_told),
		on_a_pair(policy_rules_look_at_the_source),
		on_a_pair(policy_rules_look_at_ports_and_protocol),
		on_a_pair(several_paths_are_shared_out_as_the_kernel_does_for_each_flow),
		on_a_pair(a_path_that_goes_down_is_left_to_the_others),
		on_a_pair(a_route_with_an_mtu_has_a_hop_of_its_own),
		on_a_pair(destinations_that_are_nobody_elses_are_refused),
		on_a_pair(a_route_says_interface_and_source),
	};

	if (!netns_may_run("test_routes"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
