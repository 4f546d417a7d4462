/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "net/hops.h"

#define FIRST_ID 3
#define MAX_HOPS 4

struct told {
	unsigned int count;
	uint32_t id;
	struct net_hop hop;
};

static struct told told;

static void changed(void *ctx, uint32_t id, const struct net_hop *hop)
{
	struct told *t = ctx;

	t->count++;
	t->id = id;
	t->hop = *hop;
}

static int set_up(void **state)
{
	struct hops *hops;

	told = (struct told){0};
	assert_int_equal(hops_new(FIRST_ID, MAX_HOPS, changed, &told, &hops), 0);
	*state = hops;
	return 0;
}

static int tear_down(void **state)
{
	struct hops *hops = *state;

	hops_free(&hops);
	assert_null(hops);
	return 0;
}

static struct link_facts link_number(unsigned int ifindex)
{
	return (struct link_facts){
		.link = {.ifindex = ifindex, .mtu = 1500, .up = true, .mac = {2, 1}},
		.ethernet = true,
	};
}

static struct neigh_facts neighbour(const char *text, uint16_t state)
{
	struct neigh_facts facts = {.key.ifindex = 1, .state = state, .mac = {2, 9}};

	assert_int_equal(addr_parse_ip(text, &facts.key.addr), 0);
	return facts;
}

static uint32_t add(struct hops *hops, const char *text, uint16_t state, uint32_t route_mtu)
{
	struct neigh_facts facts = neighbour(text, state);
	struct hop_key key = {.neigh = facts.key, .route_mtu = route_mtu, .family = ADDR_IPV4};
	uint32_t id;

	assert_int_equal(hops_add(hops, &key, &facts, &id), 0);
	return id;
}

static void a_hop_is_valid_in_these_neighbour_states_only(void **state)
{
	static const struct {
		uint16_t state;
		bool valid, wants_probe;
	} rows[] = {
		{0, false, true},
		{NUD_INCOMPLETE, false, false},
		{NUD_REACHABLE, true, false},
		{NUD_STALE, true, true},
		{NUD_DELAY, true, false},
		{NUD_PROBE, true, false},
		{NUD_FAILED, false, true},
		{NUD_NOARP, true, false},
		{NUD_PERMANENT, true, false},
	};
	struct hops *hops = *state;
	struct link_facts link = link_number(1);
	struct neigh_facts facts;
	struct neigh_key key;
	struct net_hop hop;
	uint32_t id;

	hops_set_link(hops, &link);
	id = add(hops, "192.0.2.1", 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t looks = MAX_HOPS;

		facts = neighbour("192.0.2.1", rows[i].state);
		hops_set_neigh(hops, &facts);
		hops_get(hops, id, &hop);
		assert_int_equal(hop.valid, rows[i].valid);
		assert_int_equal(hops_next_probe(hops, &looks, &key), rows[i].wants_probe);
	}
}

static void a_hop_needs_a_unicast_ethernet_address(void **state)
{
	static const uint8_t macs[][6] = {
		{0}, {1, 0, 0x5e, 0, 0, 1}, {255, 255, 255, 255, 255, 255}};
	struct hops *hops = *state;
	struct link_facts link = link_number(1);
	struct neigh_facts facts = neighbour("192.0.2.1", NUD_NOARP);

	hops_set_link(hops, &link);
	add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	for (size_t i = 0; i < ARRAY_SIZE(macs); i++) {
		facts = neighbour("192.0.2.1", NUD_REACHABLE);
		hops_set_neigh(hops, &facts);
		assert_true(told.hop.valid);
		facts.state = NUD_NOARP;
		memcpy(facts.mac, macs[i], 6);
		hops_set_neigh(hops, &facts);
		assert_false(told.hop.valid);
	}
}

static void a_hop_needs_a_link_that_is_known_and_up_and_ethernet(void **state)
{
	struct hops *hops = *state;
	struct link_facts link = link_number(1);

	add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	assert_false(told.hop.valid);
	hops_set_link(hops, &link);
	assert_true(told.hop.valid);
	link.ethernet = false;
	hops_set_link(hops, &link);
	assert_false(told.hop.valid);
	link.ethernet = true;
	hops_set_link(hops, &link);
	assert_true(told.hop.valid);
	link.link.up = false;
	hops_set_link(hops, &link);
	assert_false(told.hop.valid);
	link.link.up = true;
	hops_set_link(hops, &link);
	assert_true(told.hop.valid);
	assert_true(hops_remove_link(hops, 1));
	assert_false(told.hop.valid);
	assert_int_equal(told.count, 7);
}

/* Link 1 is a VLAN over 2, that one over 3, and so on down to a device of number `bottom`. */
static void stack_vlans(struct hops *hops, unsigned int bottom)
{
	for (unsigned int i = 1; i <= bottom; i++) {
		struct link_facts link = link_number(i);

		link.vlan = i < bottom;
		link.below = link.vlan ? i + 1 : 0;
		link.tag = (struct net_tag){.protocol = 0x8100, .tci = (uint16_t)(100 * i)};
		link.link.mac[5] = (uint8_t)i;
		hops_set_link(hops, &link);
	}
}

static void assert_tag(const struct net_tag *tag, uint16_t tci)
{
	assert_int_equal(tag->protocol, 0x8100);
	assert_int_equal(tag->tci, tci);
}

static void a_hop_over_a_vlan_has_its_tag_and_the_device_below(void **state)
{
	struct hops *hops = *state;

	stack_vlans(hops, 2);
	add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	assert_true(told.hop.valid);
	assert_int_equal(told.hop.ifindex, 2);
	assert_int_equal(told.hop.mtu, 1500);
	/* The source is the VLAN's, which need not have the address of the device. */
	assert_int_equal(told.hop.src_mac[5], 1);
	assert_int_equal(told.hop.tags, 1);
	assert_tag(&told.hop.tag[0], 100);
	assert_int_equal(told.hop.tag[1].tci, 0);
}

static void a_hop_over_two_vlans_has_the_outer_tag_first_and_room_for_one_less(void **state)
{
	struct hops *hops = *state;

	stack_vlans(hops, 3);
	add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	assert_true(told.hop.valid);
	assert_int_equal(told.hop.ifindex, 3);
	assert_int_equal(told.hop.mtu, 1496);
	assert_int_equal(told.hop.src_mac[5], 1);
	assert_int_equal(told.hop.tags, 2);
	assert_tag(&told.hop.tag[0], 200);
	assert_tag(&told.hop.tag[1], 100);
}

static void a_hop_over_more_vlans_or_none_below_is_not_valid(void **state)
{
	struct hops *hops = *state;
	struct link_facts stray = link_number(1);

	stack_vlans(hops, 4);
	add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	assert_false(told.hop.valid);
	stray.vlan = true;
	hops_set_link(hops, &stray);
	assert_false(told.hop.valid);
	stray.vlan = false;
	hops_set_link(hops, &stray);
	assert_true(told.hop.valid);
}

static void every_level_of_a_stack_is_told_when_it_changes(void **state)
{
	struct hops *hops = *state;
	uint32_t id;

	stack_vlans(hops, 3);
	id = add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	for (unsigned int i = 1; i <= 3; i++) {
		struct link_facts link = link_number(i);

		link.vlan = i < 3;
		link.below = i < 3 ? i + 1 : 0;
		link.link.mtu = 1400;
		hops_set_link(hops, &link);
		assert_int_equal(told.hop.mtu, i < 3 ? 1400 : 1396);
		assert_int_equal(told.hop.tags, 2);
		link.link.up = false;
		hops_set_link(hops, &link);
		assert_false(told.hop.valid);
		stack_vlans(hops, 3);
		assert_true(told.hop.valid);
		assert_int_equal(told.hop.mtu, 1496);
		hops_remove_link(hops, i);
		assert_false(told.hop.valid);
		stack_vlans(hops, 3);
		assert_true(told.hop.valid);
	}
	assert_int_equal(told.id, id);
}

static void a_tag_that_changes_is_told(void **state)
{
	struct hops *hops = *state;
	struct link_facts link = link_number(1);

	stack_vlans(hops, 2);
	add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	told.count = 0;
	link.vlan = true;
	link.below = 2;
	link.link.mac[5] = 1;
	link.tag = (struct net_tag){.protocol = 0x8100, .tci = 100 | 5 << 13};
	hops_set_link(hops, &link);
	assert_int_equal(told.count, 1);
	assert_tag(&told.hop.tag[0], 100 | 5 << 13);
	hops_set_link(hops, &link);
	assert_int_equal(told.count, 1);
}

static void only_a_link_that_comes_or_goes_moves_routes(void **state)
{
	struct hops *hops = *state;
	struct link_facts link = link_number(1);

	assert_true(hops_set_link(hops, &link));
	assert_false(hops_set_link(hops, &link));
	link.link.mtu = 1400;
	assert_false(hops_set_link(hops, &link));
	link.link.up = false;
	assert_true(hops_set_link(hops, &link));
	assert_true(hops_remove_link(hops, 1));
	assert_false(hops_remove_link(hops, 1));
}

static void news_that_change_nothing_are_not_told(void **state)
{
	struct hops *hops = *state;
	struct link_facts link = link_number(1), other = link_number(2);
	struct neigh_facts facts = neighbour("192.0.2.1", NUD_STALE);

	hops_set_link(hops, &link);
	add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	assert_int_equal(told.count, 1);
	hops_set_neigh(hops, &facts);
	hops_set_link(hops, &link);
	hops_set_link(hops, &other);
	facts = neighbour("192.0.2.2", NUD_REACHABLE);
	hops_set_neigh(hops, &facts);
	hops_begin_resync(hops);
	hops_set_link(hops, &link);
	facts = neighbour("192.0.2.1", NUD_STALE);
	hops_set_neigh(hops, &facts);
	hops_end_resync(hops, true);
	assert_int_equal(told.count, 1);
}

static void a_resync_forgets_what_it_does_not_mention_and_tells_it_once(void **state)
{
	struct hops *hops = *state;
	struct link_facts link = link_number(1);

	hops_set_link(hops, &link);
	add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	hops_begin_resync(hops);
	hops_set_link(hops, &link);
	assert_int_equal(told.count, 1);
	hops_end_resync(hops, false);
	assert_int_equal(told.count, 1);
	hops_begin_resync(hops);
	hops_set_link(hops, &link);
	hops_end_resync(hops, true);
	assert_int_equal(told.count, 2);
	assert_false(told.hop.valid);
}

static void the_smallest_mtu_of_link_family_and_route_counts(void **state)
{
	static const struct {
		uint32_t link, link6, route, family, expected;
	} rows[] = {
		{1500, 0, 0, ADDR_IPV4, 1500},	     {1500, 1300, 0, ADDR_IPV4, 1500},
		{1500, 1300, 0, ADDR_IPV6, 1300},    {1400, 1500, 0, ADDR_IPV6, 1400},
		{1500, 0, 0, ADDR_IPV6, 1500},	     {1500, 0, 1200, ADDR_IPV4, 1200},
		{1500, 1300, 1400, ADDR_IPV6, 1300}, {1500, 0, 9000, ADDR_IPV4, 1500},
	};
	struct hops *hops = *state;
	struct neigh_facts facts = neighbour("192.0.2.1", NUD_REACHABLE);
	uint32_t id;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct link_facts link = link_number(1);
		struct hop_key key = {
			.neigh = facts.key, .route_mtu = rows[i].route, .family = rows[i].family};

		link.link.mtu = rows[i].link;
		link.mtu6 = rows[i].link6;
		hops_set_link(hops, &link);
		assert_int_equal(hops_add(hops, &key, &facts, &id), 0);
		assert_int_equal(told.hop.mtu, rows[i].expected);
		hops_release(hops, id);
	}
}

static void all_hops_to_a_neighbour_follow_it(void **state)
{
	struct hops *hops = *state;
	struct link_facts link = link_number(1);
	struct neigh_facts facts = neighbour("192.0.2.1", NUD_FAILED);
	struct net_hop hop;
	uint32_t a, b, c;

	hops_set_link(hops, &link);
	a = add(hops, "192.0.2.1", NUD_REACHABLE, 0);
	b = add(hops, "192.0.2.1", NUD_REACHABLE, 1200);
	c = add(hops, "192.0.2.1", NUD_REACHABLE, 1300);
	hops_release(hops, b);
	told.count = 0;
	hops_set_neigh(hops, &facts);
	assert_int_equal(told.count, 2);
	hops_get(hops, a, &hop);
	assert_false(hop.valid);
	hops_get(hops, c, &hop);
	assert_false(hop.valid);
}

static void a_hop_lives_until_its_last_reference_is_given_back(void **state)
{
	struct hops *hops = *state;
	struct neigh_facts facts = neighbour("192.0.2.1", NUD_REACHABLE);
	struct hop_key key = {.neigh = facts.key, .family = ADDR_IPV4};
	uint32_t id;

	assert_int_equal(hops_find(hops, &key), 0);
	assert_int_equal(hops_add(hops, &key, &facts, &id), 0);
	assert_int_equal(hops_find(hops, &key), id);
	hops_release(hops, id);
	assert_int_equal(hops_find(hops, &key), id);
	hops_release(hops, id);
	hops_release(hops, id);
	assert_int_equal(hops_find(hops, &key), 0);
}

static void ids_stay_in_their_range_and_come_back_in_the_order_of_release(void **state)
{
	static const char *const texts[MAX_HOPS] = {"192.0.2.1", "192.0.2.2", "192.0.2.3",
						    "192.0.2.4"};
	struct hops *hops = *state;
	struct neigh_facts facts = neighbour("192.0.2.5", NUD_REACHABLE);
	struct hop_key key = {.neigh = facts.key, .family = ADDR_IPV4};
	uint32_t id = 99;

	for (uint32_t i = 0; i < MAX_HOPS; i++)
		assert_int_equal(add(hops, texts[i], 0, 0), FIRST_ID + i);
	assert_int_equal(hops_add(hops, &key, &facts, &id), -ENOSPC);
	assert_int_equal(id, 99);
	hops_release(hops, FIRST_ID + 2);
	hops_release(hops, FIRST_ID);
	assert_int_equal(add(hops, "192.0.2.5", 0, 0), FIRST_ID + 2);
	assert_int_equal(add(hops, "192.0.2.6", 0, 0), FIRST_ID);
}

static void probes_go_round_among_those_that_want_one(void **state)
{
	struct hops *hops = *state;
	struct link_facts link = link_number(1);
	struct neigh_facts first = neighbour("192.0.2.1", 0), third = neighbour("192.0.2.3", 0);
	struct neigh_key key;
	uint32_t looks = MAX_HOPS;

	hops_set_link(hops, &link);
	add(hops, "192.0.2.1", NUD_STALE, 0);
	add(hops, "192.0.2.2", NUD_REACHABLE, 0);
	add(hops, "192.0.2.3", NUD_FAILED, 0);
	assert_true(hops_next_probe(hops, &looks, &key));
	assert_true(addr_equal(&key.addr, &first.key.addr));
	looks = MAX_HOPS;
	assert_true(hops_next_probe(hops, &looks, &key));
	assert_true(addr_equal(&key.addr, &third.key.addr));
	assert_int_equal(looks, MAX_HOPS - 2);
	assert_true(hops_next_probe(hops, &looks, &key));
	assert_true(addr_equal(&key.addr, &first.key.addr));
	assert_false(hops_next_probe(hops, &looks, &key));
	link.link.up = false;
	hops_set_link(hops, &link);
	looks = MAX_HOPS;
	assert_false(hops_next_probe(hops, &looks, &key));
}

#define on_a_table(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_table(a_hop_is_valid_in_these_neighbour_states_only),
		on_a_table(a_hop_needs_a_unicast_ethernet_address),
		on_a_table(a_hop_needs_a_link_that_is_known_and_up_and_ethernet),
		on_a_table(a_hop_over_a_vlan_has_its_tag_and_the_device_below),
		on_a_table(a_hop_over_two_vlans_has_the_outer_tag_first_and_room_for_one_less),
		on_a_table(a_hop_over_more_vlans_or_none_below_is_not_valid),
		on_a_table(every_level_of_a_stack_is_told_when_it_changes),
		on_a_table(a_tag_that_changes_is_told),
		on_a_table(only_a_link_that_comes_or_goes_moves_routes),
		on_a_table(news_that_change_nothing_are_not_told),
		on_a_table(a_resync_forgets_what_it_does_not_mention_and_tells_it_once),
		on_a_table(the_smallest_mtu_of_link_family_and_route_counts),
		on_a_table(all_hops_to_a_neighbour_follow_it),
		on_a_table(a_hop_lives_until_its_last_reference_is_given_back),
		on_a_table(ids_stay_in_their_range_and_come_back_in_the_order_of_release),
		on_a_table(probes_go_round_among_those_that_want_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
