/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next hops against the real kernel: a veth pair between two namespaces, its neighbours, routes
 * and links changed under a struct net that watches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "net/net.h"
#include "netns.h"

#define FIRST_ID 5
#define MAX_HOPS 8

static const uint8_t mac_here[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac_there[6] = {2, 0, 0, 0, 0, 2};

struct watch {
	struct net *net;
	unsigned int hop_events[FIRST_ID + MAX_HOPS];
	struct net_hop told[FIRST_ID + MAX_HOPS];
	unsigned int route_events;
};

static void hop_changed(void *ctx, uint32_t id, const struct net_hop *hop)
{
	struct watch *w = ctx;

	assert_in_range(id, FIRST_ID, FIRST_ID + MAX_HOPS - 1);
	w->hop_events[id]++;
	w->told[id] = *hop;
}

static void routes_changed(void *ctx)
{
	struct watch *w = ctx;

	w->route_events++;
}

static int set_up(void **state)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct net_events events = {hop_changed, routes_changed, w};

	netns_make_pair();
	assert_int_equal(net_open(&events, FIRST_ID, MAX_HOPS, &w->net), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct watch *w = *state;

	net_close(&w->net);
	free(w);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Processes events until the condition holds; false if it does not within ten seconds. */
#define wait_until(w, condition)                                                        \
	({                                                                              \
		uint64_t deadline_ = now_ms() + 10000;                                  \
		while (!(condition) && now_ms() < deadline_) {                          \
			struct pollfd fd_ = {.fd = net_fd((w)->net), .events = POLLIN}; \
			poll(&fd_, 1, 100);                                             \
			assert_int_equal(net_process((w)->net), 0);                     \
		}                                                                       \
		(condition);                                                            \
	})

/* What has been told so far, until nothing more comes for a moment. */
static void settle(struct watch *w)
{
	struct pollfd fd = {.fd = net_fd(w->net), .events = POLLIN};

	while (poll(&fd, 1, 50) > 0)
		assert_int_equal(net_process(w->net), 0);
}

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, &a), 0);
	return a;
}

static uint32_t route_to(struct watch *w, const char *dst)
{
	struct addr a = ip(dst);
	uint32_t id = 0;

	assert_int_equal(net_route(w->net, NULL, &a, &id), 0);
	return id;
}

static int route_error(struct watch *w, const char *dst)
{
	struct addr a = ip(dst);
	uint32_t id = 0;
	int err = net_route(w->net, NULL, &a, &id);

	assert_int_equal(id, 0);
	return err;
}

static void assert_leads_there(const struct net_hop *hop, uint32_t mtu)
{
	assert_true(hop->valid);
	assert_int_equal(hop->ifindex, if_nametoindex("tp-here"));
	assert_int_equal(hop->mtu, mtu);
	assert_memory_equal(hop->src_mac, mac_here, 6);
	assert_memory_equal(hop->dst_mac, mac_there, 6);
}

static void a_neighbour_on_the_link_is_resolved(void **state)
{
	static const char *const peers[] = {"192.0.2.2", "2001:db8::2"};
	struct watch *w = *state;
	struct net_hop hop;

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		uint32_t id = route_to(w, peers[i]);

		assert_int_equal(id, FIRST_ID + i);
		assert_true(wait_until(w, w->told[id].valid));
		assert_leads_there(&w->told[id], 1500);
		net_hop_get(w->net, id, &hop);
		assert_leads_there(&hop, 1500);
	}
}

static void a_resolved_neighbour_is_told_before_net_route_returns(void **state)
{
	struct watch *w = *state;
	uint32_t id;

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	id = route_to(w, "192.0.2.2");
	assert_int_equal(w->hop_events[id], 1);
	assert_leads_there(&w->told[id], 1500);
	netns_run("ip neigh show 192.0.2.2 dev tp-here | grep -q PERMANENT");
}

static void an_unknown_neighbour_never_becomes_valid(void **state)
{
	struct watch *w = *state;
	uint32_t id;

	netns_run("sysctl -qw net.ipv4.neigh.tp-here.retrans_time_ms=50");
	id = route_to(w, "192.0.2.77");
	settle(w);
	assert_int_equal(w->hop_events[id], 1);
	assert_false(w->told[id].valid);
}

static void destinations_behind_one_gateway_share_its_hop(void **state)
{
	struct watch *w = *state;
	uint32_t a, b, c;

	netns_run("ip route add default via 192.0.2.2");
	netns_run("ip route add default via 2001:db8::2");
	a = route_to(w, "198.51.100.1");
	b = route_to(w, "198.51.100.2");
	c = route_to(w, "2001:db8:1::1");
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
	assert_int_equal(route_to(w, "192.0.2.2"), a);
	assert_true(wait_until(w, w->told[a].valid && w->told[c].valid));
	assert_leads_there(&w->told[a], 1500);
	assert_leads_there(&w->told[c], 1500);
}

static void an_ipv4_route_may_have_an_ipv6_gateway(void **state)
{
	struct watch *w = *state;
	uint32_t id;

	netns_run("ip route add 198.51.100.0/24 via inet6 2001:db8::2 dev tp-here");
	id = route_to(w, "198.51.100.1");
	assert_true(wait_until(w, w->told[id].valid));
	assert_leads_there(&w->told[id], 1500);
}

static void a_changed_route_is_told_and_leads_to_another_hop(void **state)
{
	struct watch *w = *state;
	uint32_t before, after;

	netns_run_there("ip addr add 192.0.2.3/24 dev tp-there");
	netns_run("ip route add default via 192.0.2.2");
	before = route_to(w, "198.51.100.1");
	settle(w);
	w->route_events = 0;
	netns_run("ip route replace default via 192.0.2.3");
	assert_true(wait_until(w, w->route_events));
	after = route_to(w, "198.51.100.1");
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
		settle(w);
		w->route_events = 0;
		netns_run("%s", changes[i]);
		assert_true(wait_until(w, w->route_events));
	}
}

static void policy_rules_look_at_the_source(void **state)
{
	struct watch *w = *state;
	struct addr dst = ip("198.51.100.1"), first = ip("192.0.2.1"), second = ip("192.0.2.9");
	uint32_t a, b;

	netns_run("ip addr add 192.0.2.9/24 dev tp-here");
	netns_run("ip route add default via 192.0.2.2");
	netns_run("ip route add default via 192.0.2.3 table 100");
	netns_run("ip rule add from 192.0.2.9 lookup 100");
	assert_int_equal(net_route(w->net, &first, &dst, &a), 0);
	assert_int_equal(net_route(w->net, &second, &dst, &b), 0);
	assert_int_not_equal(a, b);
}

static void a_neighbour_that_changes_its_address_changes_the_hop(void **state)
{
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 9};
	struct watch *w = *state;
	uint32_t id = route_to(w, "192.0.2.2");

	assert_true(wait_until(w, w->told[id].valid));
	netns_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:09 dev tp-here nud reachable");
	assert_true(wait_until(w, memcmp(w->told[id].dst_mac, other, 6) == 0));
	assert_true(w->told[id].valid);
}

static void a_removed_neighbour_makes_the_hop_invalid_and_is_asked_for_again(void **state)
{
	struct watch *w = *state;
	uint32_t id = route_to(w, "192.0.2.2");

	assert_true(wait_until(w, w->told[id].valid));
	netns_run("ip neigh del 192.0.2.2 dev tp-here");
	assert_true(wait_until(w, !w->told[id].valid));
	/* The kernel keeps a deleted entry until its last user lets go, as FAILED. */
	net_keep_alive(w->net);
	assert_true(wait_until(w, w->told[id].valid));
}

static void a_link_that_goes_down_and_up_takes_the_hop_along(void **state)
{
	struct watch *w = *state;
	uint32_t id;

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	id = route_to(w, "192.0.2.2");
	netns_run_there("ip link set tp-there down");
	assert_true(wait_until(w, !w->told[id].valid));
	netns_run_there("ip link set tp-there up");
	assert_true(wait_until(w, w->told[id].valid));
	netns_run("ip link set tp-here down");
	assert_true(wait_until(w, !w->told[id].valid));
}

static void a_changed_mtu_or_address_of_the_link_changes_the_hop(void **state)
{
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 7};
	struct watch *w = *state;
	uint32_t id;

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	id = route_to(w, "192.0.2.2");
	netns_run("ip link set tp-here mtu 1400");
	assert_true(wait_until(w, w->told[id].mtu == 1400));
	netns_run("ip link set tp-here address 02:00:00:00:00:07");
	netns_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	assert_true(wait_until(w, w->told[id].valid && !memcmp(w->told[id].src_mac, other, 6)));
}

static void ipv6_has_the_mtu_of_its_own(void **state)
{
	struct watch *w = *state;
	uint32_t id;

	netns_run("ip neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	netns_run("sysctl -qw net.ipv6.conf.tp-here.mtu=1300");
	settle(w);
	id = route_to(w, "2001:db8::2");
	assert_leads_there(&w->told[id], 1300);
}

static void a_route_with_an_mtu_has_a_hop_of_its_own(void **state)
{
	struct watch *w = *state;
	uint32_t id, other;

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	netns_run("ip route add 198.51.100.0/24 via 192.0.2.2 mtu 1200");
	id = route_to(w, "198.51.100.1");
	other = route_to(w, "192.0.2.2");
	assert_leads_there(&w->told[id], 1200);
	assert_leads_there(&w->told[other], 1500);
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
		if (route_error(w, destinations[i]) != -ENETUNREACH)
			fail_msg("%s was not refused", destinations[i]);
}

static void a_released_hop_is_silent_and_its_id_used_again_last(void **state)
{
	struct watch *w = *state;
	uint32_t id, ids[MAX_HOPS];

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	id = route_to(w, "192.0.2.2");
	net_hop_release(w->net, id);
	netns_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:09 dev tp-here nud permanent");
	settle(w);
	assert_int_equal(w->hop_events[id], 1);
	for (int i = 0; i < MAX_HOPS; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.%d", 100 + i);
		ids[i] = route_to(w, text);
	}
	assert_int_equal(ids[MAX_HOPS - 1], id);
	assert_int_equal(route_error(w, "192.0.2.200"), -ENOSPC);
}

static void a_stale_neighbour_is_probed_and_stays_valid(void **state)
{
	struct watch *w = *state;
	uint32_t id = route_to(w, "192.0.2.2");

	assert_true(wait_until(w, w->told[id].valid));
	netns_run("sysctl -qw net.ipv4.neigh.tp-here.delay_first_probe_time=1");
	netns_run("ip neigh change 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud stale");
	settle(w);
	netns_run("ip neigh show 192.0.2.2 dev tp-here | grep -q STALE");
	net_keep_alive(w->net);
	netns_run("ip neigh show 192.0.2.2 dev tp-here | grep -Eq 'DELAY|PROBE|REACHABLE'");
	assert_true(w->told[id].valid);
	assert_int_equal(w->hop_events[id], 2);
}

/* Nobody reads while they come, so the socket overruns: only a resync finds the last one. */
static void ten_thousand_neighbours_at_once_overrun_and_nothing_is_missed(void **state)
{
	struct watch *w = *state;
	uint32_t id = route_to(w, "192.0.2.200"), gone;

	netns_run("ip addr add 10.9.0.1/16 dev tp-here");
	netns_run("ip neigh add 192.0.2.201 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	gone = route_to(w, "192.0.2.201");
	assert_true(w->told[gone].valid);
	settle(w);
	w->route_events = 0;
	netns_run("i=0; while [ $i -lt 10000 ]; do echo neigh add 10.9.$((i / 250)).$((i %% 250 + "
		  "2)) "
		  "lladdr 02:00:00:00:01:00 dev tp-here nud permanent; i=$((i + 1)); done "
		  "| ip -batch -");
	netns_run(
		"ip neigh replace 192.0.2.200 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	netns_run("ip neigh del 192.0.2.201 dev tp-here");
	assert_true(wait_until(w, w->told[id].valid && !w->told[gone].valid));
	/* Neighbours move no routes: that this was called means events were lost. */
	assert_true(w->route_events > 0);
	assert_leads_there(&w->told[id], 1500);
}

static void a_veth_shows_its_mac_mtu_and_state(void **state)
{
	struct net_link link;

	(void)state;
	assert_int_equal(net_query_link("tp-here", &link), 0);
	assert_int_equal(link.ifindex, if_nametoindex("tp-here"));
	assert_string_equal(link.name, "tp-here");
	assert_int_equal(link.mtu, 1500);
	assert_memory_equal(link.mac, mac_here, 6);
	assert_int_equal(link.xdp_program, 0);
	assert_true(link.up);
	netns_run("ip link set tp-here down");
	assert_int_equal(net_query_link("tp-here", &link), 0);
	assert_false(link.up);
}

static void addresses_are_listed_with_their_links(void **state)
{
	static const char *const expected[] = {"127.0.0.1", "::1", "192.0.2.1", "2001:db8::1"};
	struct net_address *list;
	size_t count, found = 0;

	(void)state;
	assert_int_equal(net_list_addresses(&list, &count), 0);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(expected); j++) {
			struct addr a = ip(expected[j]);

			if (!addr_equal(&list[i].addr, &a))
				continue;
			found++;
			assert_true(list[i].up);
			assert_int_equal(list[i].global, j >= 2);
			assert_string_equal(list[i].ifname, j < 2 ? "lo" : "tp-here");
		}
	}
	assert_int_equal(found, ARRAY_SIZE(expected));
	free(list);
}

static void a_route_says_interface_and_source(void **state)
{
	struct addr dst = ip("198.51.100.1"), source, here = ip("192.0.2.1");
	unsigned int ifindex;

	(void)state;
	assert_int_equal(net_query_route(NULL, &dst, &ifindex, &source), -ENETUNREACH);
	netns_run("ip route add default via 192.0.2.2");
	assert_int_equal(net_query_route(NULL, &dst, &ifindex, &source), 0);
	assert_int_equal(ifindex, if_nametoindex("tp-here"));
	assert_true(addr_equal(&source, &here));
}

#define on_a_pair(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_pair(a_neighbour_on_the_link_is_resolved),
		on_a_pair(a_resolved_neighbour_is_told_before_net_route_returns),
		on_a_pair(an_unknown_neighbour_never_becomes_valid),
		on_a_pair(destinations_behind_one_gateway_share_its_hop),
		on_a_pair(an_ipv4_route_may_have_an_ipv6_gateway),
		on_a_pair(a_changed_route_is_told_and_leads_to_another_hop),
		on_a_pair(what_moves_routes_is_told),
		on_a_pair(policy_rules_look_at_the_source),
		on_a_pair(a_neighbour_that_changes_its_address_changes_the_hop),
		on_a_pair(a_removed_neighbour_makes_the_hop_invalid_and_is_asked_for_again),
		on_a_pair(a_link_that_goes_down_and_up_takes_the_hop_along),
		on_a_pair(a_changed_mtu_or_address_of_the_link_changes_the_hop),
		on_a_pair(ipv6_has_the_mtu_of_its_own),
		on_a_pair(a_route_with_an_mtu_has_a_hop_of_its_own),
		on_a_pair(destinations_that_are_nobody_elses_are_refused),
		on_a_pair(a_released_hop_is_silent_and_its_id_used_again_last),
		on_a_pair(a_stale_neighbour_is_probed_and_stays_valid),
		on_a_pair(ten_thousand_neighbours_at_once_overrun_and_nothing_is_missed),
		on_a_pair(a_veth_shows_its_mac_mtu_and_state),
		on_a_pair(addresses_are_listed_with_their_links),
		on_a_pair(a_route_says_interface_and_source),
	};

	if (!netns_may_run("test_net"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
