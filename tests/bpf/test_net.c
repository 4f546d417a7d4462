/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next hops against the real kernel: a veth pair between two namespaces, its neighbours and links
 * changed under a struct net that watches. Routes: test_routes.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net_watch.h"
#include "netns.h"

static const uint8_t mac_here[6] = {2, 0, 0, 0, 0, 1};

static void a_neighbour_on_the_link_is_resolved(void **state)
{
	static const char *const peers[] = {"192.0.2.2", "2001:db8::2"};
	struct watch *w = *state;
	struct net_hop hop;

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		uint32_t id = watch_route(w, peers[i]);

		assert_int_equal(id, FIRST_ID + i);
		assert_true(wait_until(w, w->told[id].valid));
		watch_assert_leads_there(&w->told[id], 1500);
		net_hop_get(w->net, id, &hop);
		watch_assert_leads_there(&hop, 1500);
	}
}

static void a_resolved_neighbour_is_told_before_net_route_returns(void **state)
{
	struct watch *w = *state;
	uint32_t id;

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	id = watch_route(w, "192.0.2.2");
	assert_int_equal(w->hop_events[id], 1);
	watch_assert_leads_there(&w->told[id], 1500);
	netns_run("ip neigh show 192.0.2.2 dev tp-here | grep -q PERMANENT");
}

static void an_unknown_neighbour_never_becomes_valid(void **state)
{
	struct watch *w = *state;
	uint32_t id;

	netns_run("sysctl -qw net.ipv4.neigh.tp-here.retrans_time_ms=50");
	id = watch_route(w, "192.0.2.77");
	watch_settle(w);
	assert_int_equal(w->hop_events[id], 1);
	assert_false(w->told[id].valid);
}

static void a_link_that_is_no_vlan_is_its_own_bottom(void **state)
{
	struct net_link link;

	(void)state;
	/* A veth has a link "below" as well, the other end. */
	assert_int_equal(net_query_bottom_link("tp-here", &link), 0);
	assert_int_equal(link.ifindex, if_nametoindex("tp-here"));
	assert_int_equal(net_query_bottom_link("tp-none", &link), -ENODEV);
}

static void a_neighbour_that_changes_its_address_changes_the_hop(void **state)
{
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 9};
	struct watch *w = *state;
	uint32_t id = watch_route(w, "192.0.2.2");

	assert_true(wait_until(w, w->told[id].valid));
	netns_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:09 dev tp-here nud reachable");
	assert_true(wait_until(w, memcmp(w->told[id].dst_mac, other, 6) == 0));
	assert_true(w->told[id].valid);
}

static void a_removed_neighbour_makes_the_hop_invalid_and_is_asked_for_again(void **state)
{
	struct watch *w = *state;
	uint32_t id = watch_route(w, "192.0.2.2");

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
	id = watch_route(w, "192.0.2.2");
	netns_run_there("ip link set tp-there down");
	assert_true(wait_until(w, !w->told[id].valid));
	netns_run_there("ip link set tp-there up");
	assert_true(wait_until(w, w->told[id].valid));
	netns_run("ip link set tp-here down");
	assert_true(wait_until(w, !w->told[id].valid));
}

static void make_second_link(void)
{
	netns_run("ip link add tp-b type veth peer name tp-b-end && ip link set tp-b-end up && "
		  "ip link set tp-b up && ip addr add 10.9.0.1/24 dev tp-b && "
		  "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:0b dev tp-b nud permanent");
}

static void a_link_that_vanishes_and_comes_back_has_another_hop(void **state)
{
	struct watch *w = *state;
	uint32_t before, after;
	unsigned int ifindex;

	make_second_link();
	before = watch_route(w, "10.9.0.2");
	assert_true(w->told[before].valid);
	ifindex = if_nametoindex("tp-b");
	watch_settle(w);
	w->route_events = 0;
	netns_run("ip link del tp-b");
	assert_true(wait_until(w, !w->told[before].valid && w->route_events));
	assert_int_equal(watch_route_error(w, "10.9.0.2"), -ENETUNREACH);
	w->route_events = 0;
	make_second_link();
	assert_true(wait_until(w, w->route_events));
	after = watch_route(w, "10.9.0.2");
	assert_int_not_equal(after, before);
	assert_true(w->told[after].valid);
	assert_int_not_equal(w->told[after].ifindex, ifindex);
	assert_int_equal(w->told[after].ifindex, if_nametoindex("tp-b"));
	assert_false(w->told[before].valid);
}

static void a_changed_mtu_or_address_of_the_link_changes_the_hop(void **state)
{
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 7};
	struct watch *w = *state;
	uint32_t id;

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	id = watch_route(w, "192.0.2.2");
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
	watch_settle(w);
	id = watch_route(w, "2001:db8::2");
	watch_assert_leads_there(&w->told[id], 1300);
}

static void a_released_hop_is_silent_and_its_id_used_again_last(void **state)
{
	struct watch *w = *state;
	uint32_t id, ids[MAX_HOPS];

	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	id = watch_route(w, "192.0.2.2");
	net_hop_release(w->net, id);
	netns_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:09 dev tp-here nud permanent");
	watch_settle(w);
	assert_int_equal(w->hop_events[id], 1);
	for (int i = 0; i < MAX_HOPS; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.%d", 100 + i);
		ids[i] = watch_route(w, text);
	}
	assert_int_equal(ids[MAX_HOPS - 1], id);
	assert_int_equal(watch_route_error(w, "192.0.2.200"), -ENOSPC);
}

static void a_stale_neighbour_is_probed_and_stays_valid(void **state)
{
	struct watch *w = *state;
	uint32_t id = watch_route(w, "192.0.2.2");

	assert_true(wait_until(w, w->told[id].valid));
	netns_run("sysctl -qw net.ipv4.neigh.tp-here.delay_first_probe_time=1");
	netns_run("ip neigh change 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud stale");
	watch_settle(w);
	netns_run("ip neigh show 192.0.2.2 dev tp-here | grep -q STALE");
	net_keep_alive(w->net);
	netns_run("ip neigh show 192.0.2.2 dev tp-here | grep -Eq 'DELAY|PROBE|REACHABLE'");
	assert_true(w->told[id].valid);
	assert_int_equal(w->hop_events[id], 2);
}

/* Lines for ip -batch: new neighbours, an event each, and another MAC for the one watched. */
#define STORM(from, to)                                                                \
	"i=" #from "; while [ $i -lt " #to " ]; do "                                   \
	"echo neigh add 10.9.$((i / 250)).$((i %% 250 + 2)) lladdr 02:00:00:00:01:00 " \
	"dev tp-here nud permanent; i=$((i + 1)); done; "
#define MOVE(last)                                                        \
	"echo neigh replace 192.0.2.200 lladdr 02:00:00:00:00:" #last " " \
	"dev tp-here nud permanent; "

/* Nobody reads while they come, so the socket overruns: only a resync finds the last one. */
static void ten_thousand_neighbours_at_once_overrun_and_nothing_is_missed(void **state)
{
	struct watch *w = *state;
	uint32_t id = watch_route(w, "192.0.2.200"), gone;

	netns_run("ip addr add 10.9.0.1/16 dev tp-here");
	netns_run("ip neigh add 192.0.2.201 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	gone = watch_route(w, "192.0.2.201");
	assert_true(w->told[gone].valid);
	watch_settle(w);
	w->route_events = 0;
	netns_run("(" STORM(0, 10000) ") | ip -batch -");
	netns_run(
		"ip neigh replace 192.0.2.200 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	netns_run("ip neigh del 192.0.2.201 dev tp-here");
	assert_true(wait_until(w, w->told[id].valid && !w->told[gone].valid));
	/* Neighbours move no routes: that this was called means events were lost. */
	assert_true(w->route_events > 0);
	watch_assert_leads_there(&w->told[id], 1500);
}

static uint32_t watch_a_permanent_neighbour(struct watch *w)
{
	uint32_t id;

	netns_run("ip addr add 10.9.0.1/16 dev tp-here");
	netns_run("ip neigh add 192.0.2.200 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	id = watch_route(w, "192.0.2.200");
	watch_settle(w);
	w->route_events = 0;
	return id;
}

/* The kernel drops the newest: the first move stays in the socket, and the second is lost. */
static void what_an_overrun_left_in_the_socket_does_not_undo_the_resync(void **state)
{
	static const uint8_t last[6] = {2, 0, 0, 0, 0, 9};
	struct watch *w = *state;
	uint32_t id = watch_a_permanent_neighbour(w);

	netns_run("(" STORM(0, 500) MOVE(05) STORM(500, 10000) MOVE(09) ") | ip -batch -");
	assert_int_equal(net_process(w->net), 0);
	assert_memory_equal(w->told[id].dst_mac, last, 6);
	watch_settle(w);
	assert_true(w->route_events > 0);
	assert_memory_equal(w->told[id].dst_mac, last, 6);
}

/* Until its queue was empty once, the kernel drops without saying so a second time. */
static void an_overrun_once_dealt_with_loses_nothing_more(void **state)
{
	static const uint8_t last[6] = {2, 0, 0, 0, 0, 9};
	struct watch *w = *state;
	uint32_t id = watch_a_permanent_neighbour(w);

	netns_run("(" STORM(0, 10000) ") | ip -batch -");
	assert_int_equal(net_process(w->net), 0);
	assert_true(w->route_events > 0);
	w->route_events = 0;
	netns_run("(" MOVE(09) ") | ip -batch -");
	netns_run("ip route add 203.0.113.0/24 via 192.0.2.2");
	watch_settle(w);
	assert_memory_equal(w->told[id].dst_mac, last, 6);
	assert_true(w->route_events > 0);
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
			struct addr a = watch_ip(expected[j]);

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_pair(a_neighbour_on_the_link_is_resolved),
		on_a_pair(a_resolved_neighbour_is_told_before_net_route_returns),
		on_a_pair(an_unknown_neighbour_never_becomes_valid),
		on_a_pair(a_link_that_is_no_vlan_is_its_own_bottom),
		on_a_pair(a_neighbour_that_changes_its_address_changes_the_hop),
		on_a_pair(a_removed_neighbour_makes_the_hop_invalid_and_is_asked_for_again),
		on_a_pair(a_link_that_goes_down_and_up_takes_the_hop_along),
		on_a_pair(a_link_that_vanishes_and_comes_back_has_another_hop),
		on_a_pair(a_changed_mtu_or_address_of_the_link_changes_the_hop),
		on_a_pair(ipv6_has_the_mtu_of_its_own),
		on_a_pair(a_released_hop_is_silent_and_its_id_used_again_last),
		on_a_pair(a_stale_neighbour_is_probed_and_stays_valid),
		on_a_pair(ten_thousand_neighbours_at_once_overrun_and_nothing_is_missed),
		on_a_pair(what_an_overrun_left_in_the_socket_does_not_undo_the_resync),
		on_a_pair(an_overrun_once_dealt_with_loses_nothing_more),
		on_a_pair(a_veth_shows_its_mac_mtu_and_state),
		on_a_pair(addresses_are_listed_with_their_links),
	};

	if (!netns_may_run("test_net"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
