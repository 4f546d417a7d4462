/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon/flows.c between a state machine that is played here and a kernel that played/kernel.c
 * plays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/macros.h"
#include "daemon/flows.h"
#include "unit/played/kernel.h"

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, &a), 0);
	return a;
}

static const char *const relayed[] = {"192.0.2.1:50000", "[2001:db8::1]:50000"};

static struct flows *start(uint64_t bandwidth_bps, uint32_t buckets)
{
	struct flows *flows;
	const struct flows_config config = {
		.worker = 3, .next_hops = HOPS, .buckets = buckets, .bandwidth_bps = bandwidth_bps};

	played_reset();
	assert_int_equal(flows_new(&config, &flows), 0);
	return flows;
}

static struct five_tuple tuple(void)
{
	return (struct five_tuple){.client = addr("198.51.100.7:40000"),
				   .server = addr("192.0.2.1:3478"),
				   .transport = TURN_UDP};
}

static const struct five_tuple *usual(void)
{
	static struct five_tuple t;

	t = tuple();
	return &t;
}

static void set_sender(struct flows *flows, uint32_t allocation, unsigned int family,
		       uint64_t expires_ns)
{
	const struct turn_sender sender = {.sender = 2 * allocation + family,
					   .allocation = allocation,
					   .tuple = tuple(),
					   .relayed = addr(relayed[family]),
					   .expires_ns = expires_ns};

	flows_set_sender(flows, &sender, 1);
}

static void set_grant(struct flows *flows, uint32_t allocation, uint32_t number, const char *peer,
		      bool own, bool renamed)
{
	const struct addr a = ip(peer);
	const struct turn_grant grant = {.grant = number,
					 .allocation = allocation,
					 .tuple = tuple(),
					 .relayed = addr(relayed[a.family == ADDR_IPV6]),
					 .peer = a,
					 .peer_is_relay = own,
					 .peer_is_renamed = renamed,
					 .expires_ns = 300};

	flows_set_grant(flows, &grant, 1);
}

static void set_channel(struct flows *flows, uint32_t allocation, uint32_t number, const char *peer,
			bool own)
{
	const struct addr a = addr(peer);
	const struct turn_flow flow = {.flow = number,
				       .allocation = allocation,
				       .tuple = tuple(),
				       .relayed = addr(relayed[a.family == ADDR_IPV6]),
				       .peer = a,
				       .peer_is_allocation = own,
				       .channel = (uint16_t)(0x4000 + number),
				       .to_peer_expires_ns = 600,
				       .to_client_expires_ns = 300};

	flows_set(flows, &flow, 1);
}

/* The n-th live slot of a role. */
static const struct flow_spec *slot(enum flow_role role, unsigned int n)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		if (table.slots[i].live && table.slots[i].spec.role == role && n-- == 0)
			return &table.slots[i].spec;
	fail_msg("no such slot");
	return NULL;
}

static void a_channel_is_two_flows_each_with_its_hop_and_expiry(void **state)
{
	struct flows *flows = start(0, 0);
	struct addr peer = addr("198.51.100.9:5000");

	(void)state;
	set_sender(flows, 5, 0, 600);
	set_channel(flows, 5, 0, "198.51.100.9:5000", false);
	const struct flow_spec *up = slot(FLOW_ROLE_CHANNEL, 0), *down = slot(FLOW_ROLE_CHANNEL, 1);

	assert_true(addr_equal(&up->in.src, &usual()->client));
	assert_int_equal(up->in.channel, 0x4000);
	assert_true(addr_equal(&up->out.dst, &peer));
	assert_int_equal(up->next_hop, hop_to(&peer));
	assert_int_equal(up->expires_ns, 600);
	assert_int_equal(up->allocation, 5);
	assert_true(addr_equal(&down->in.src, &peer));
	assert_int_equal(down->out.channel, 0x4000);
	assert_true(addr_equal(&down->out.dst, &usual()->client));
	assert_int_equal(down->next_hop, hop_to(&usual()->client));
	assert_int_equal(down->expires_ns, 300);
	assert_int_equal(up->bucket, 0);
	flows_remove(flows, 0, 2);
	flows_remove_sender(flows, 10, 2);
	assert_int_equal(table.used, 0);
	assert_int_equal(references(), 0);
	flows_free(&flows);
}

static void senders_and_grants_have_the_legs_of_their_role_across_families(void **state)
{
	struct flows *flows = start(0, 0);
	struct addr peer = ip("2001:db8::9"), v6 = addr(relayed[1]);

	(void)state;
	set_sender(flows, 0, 0, 600);
	set_sender(flows, 0, 1, 700);
	set_grant(flows, 0, 0, "2001:db8::9", false, false);
	const struct flow_spec *sender = slot(FLOW_ROLE_SENDER, 1);
	const struct flow_spec *grant = slot(FLOW_ROLE_PERMISSION, 0);

	assert_true(addr_equal(&sender->in.src, &usual()->client));
	assert_true(addr_equal(&sender->in.dst, &usual()->server));
	assert_true(addr_equal(&sender->out.src, &v6));
	assert_int_equal(sender->out.dst.family, ADDR_NONE);
	assert_int_equal(sender->next_hop, 0);
	assert_int_equal(sender->expires_ns, 700);
	assert_true(addr_equal(&grant->in.src, &peer));
	assert_true(addr_equal(&grant->in.dst, &v6));
	assert_true(addr_equal(&grant->out.src, &usual()->server));
	assert_true(addr_equal(&grant->out.dst, &usual()->client));
	assert_int_equal(grant->next_hop, hop_to(&usual()->client));
	assert_int_equal(grant->peer_hop, hop_to(&peer));
	/* One half of the allocation goes, the client's hop stays. */
	flows_remove_grant(flows, 0, 2);
	flows_remove_sender(flows, 1, 2);
	assert_int_equal(table.used, 1);
	assert_int_equal(references(), 1);
	flows_remove_sender(flows, 0, 2);
	assert_int_equal(references(), 0);
	flows_free(&flows);
}

static void peers_on_this_relay_are_reached_by_looking_again(void **state)
{
	struct flows *flows = start(0, 0);

	(void)state;
	set_sender(flows, 0, 0, 600);
	set_grant(flows, 0, 0, "192.0.2.1", true, false);
	set_channel(flows, 0, 0, "192.0.2.1:50001", true);
	assert_int_equal(slot(FLOW_ROLE_PERMISSION, 0)->peer_hop, FLOW_NEXT_HOP_SELF);
	assert_int_equal(slot(FLOW_ROLE_CHANNEL, 0)->next_hop, FLOW_NEXT_HOP_SELF);
	assert_int_equal(slot(FLOW_ROLE_CHANNEL, 1)->next_hop, hop_to(&usual()->client));
	/* Nobody holds a reference to that, whatever the routes do. */
	assert_int_equal(references(), 1);
	net.epoch++;
	flows_process(flows);
	flows_maintain(flows, 1);
	flows_maintain(flows, NSEC_PER_SEC);
	assert_int_equal(slot(FLOW_ROLE_PERMISSION, 0)->peer_hop, FLOW_NEXT_HOP_SELF);
	assert_int_equal(slot(FLOW_ROLE_CHANNEL, 1)->next_hop, hop_to(&usual()->client));
	assert_int_equal(references(), 1);
	flows_remove(flows, 0, 2);
	flows_remove_grant(flows, 0, 2);
	flows_remove_sender(flows, 0, 2);
	assert_int_equal(references(), 0);
	flows_free(&flows);
}

static void what_is_not_eligible_is_counted_once_and_costs_no_slot(void **state)
{
	struct flows *flows = start(0, 0);

	(void)state;
	set_sender(flows, 0, 0, 600);
	for (int i = 0; i < 3; i++)
		set_grant(flows, 0, 0, "192.0.2.1", true, true);
	assert_int_equal(table.used, 1);
	assert_int_equal(flows_counters(flows)->flows_not_eligible, 1);
	flows_remove_grant(flows, 0, 2);
	/* The number's next user is judged anew. */
	set_grant(flows, 0, 0, "198.51.100.9", false, false);
	assert_int_equal(table.used, 2);
	flows_free(&flows);
}

static void a_flow_that_found_no_room_is_tried_again_at_its_next_refresh(void **state)
{
	struct flows *flows = start(0, 0);
	struct flows_traffic traffic;

	(void)state;
	set_sender(flows, 0, 0, 600);
	table.next_error = -ENOSPC;
	set_channel(flows, 0, 0, "198.51.100.9:5000", false);
	assert_int_equal(flows_counters(flows)->flows_full, 2);
	flows_traffic(flows, 0, &traffic);
	assert_false(traffic.carried);
	/* A permission would send what the channel's missing slot does not, in another form. */
	table.next_error = 0;
	set_grant(flows, 0, 0, "198.51.100.9", false, false);
	assert_int_equal(table.used, 1);
	table.next_error = -EIO;
	set_grant(flows, 0, 1, "198.51.100.10", false, false);
	assert_int_equal(flows_counters(flows)->flows_failed, 1);
	table.next_error = 0;
	set_channel(flows, 0, 0, "198.51.100.9:5000", false);
	set_grant(flows, 0, 0, "198.51.100.9", false, false);
	flows_traffic(flows, 0, &traffic);
	assert_true(traffic.carried);
	assert_int_equal(table.used, 4);
	/* And a refresh of what is installed installs nothing. */
	set_channel(flows, 0, 0, "198.51.100.9:5000", false);
	assert_int_equal(table.used, 4);
	assert_int_equal(flows_counters(flows)->flows_installed, 4);
	flows_remove(flows, 0, 2);
	flows_remove_grant(flows, 0, 2);
	flows_remove_grant(flows, 1, 2);
	flows_remove_sender(flows, 0, 2);
	assert_int_equal(references(), 0);
	flows_free(&flows);
}

static void a_permission_gives_its_slot_back_when_a_channel_to_its_peer_finds_none(void **state)
{
	struct flows *flows = start(0, 0);

	(void)state;
	set_sender(flows, 0, 0, 600);
	set_grant(flows, 0, 0, "198.51.100.9", false, false);
	set_grant(flows, 0, 1, "198.51.100.10", false, false);
	assert_int_equal(table.used, 3);
	table.next_error = -ENOSPC;
	set_channel(flows, 0, 0, "198.51.100.9:5000", false);
	assert_int_equal(table.used, 2);
	flows_remove(flows, 0, 2);
	flows_remove_grant(flows, 0, 2);
	flows_remove_grant(flows, 1, 2);
	flows_remove_sender(flows, 0, 2);
	assert_int_equal(table.used, 0);
	assert_int_equal(references(), 0);
	flows_free(&flows);
}

static void count_on(enum flow_role role, bool up, uint64_t packets)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		if (table.slots[i].live && table.slots[i].spec.role == role &&
		    (role != FLOW_ROLE_CHANNEL || !!table.slots[i].spec.in.channel == up))
			table.slots[i].traffic = (struct flow_counter){.packets = packets,
								       .bytes = packets * 10};
}

static void an_allocations_traffic_is_that_of_all_it_had(void **state)
{
	struct flows *flows = start(0, 0);
	struct flows_traffic traffic;

	(void)state;
	set_sender(flows, 0, 0, 600);
	set_grant(flows, 0, 0, "198.51.100.9", false, false);
	set_channel(flows, 0, 0, "198.51.100.9:5000", false);
	set_sender(flows, 1, 0, 600);
	count_on(FLOW_ROLE_CHANNEL, true, 1000);
	count_on(FLOW_ROLE_CHANNEL, false, 200);
	count_on(FLOW_ROLE_PERMISSION, false, 30);
	count_on(FLOW_ROLE_SENDER, true, 4);
	flows_traffic(flows, 0, &traffic);
	assert_int_equal(traffic.to_peer.packets, 1000);
	assert_int_equal(traffic.to_client.bytes, 2000);
	for (int i = 0; i < 2; i++) {
		flows_allocation_traffic(flows, 0, &traffic);
		assert_true(traffic.carried);
		assert_int_equal(traffic.to_peer.packets, 1004);
		assert_int_equal(traffic.to_peer.bytes, 10040);
		assert_int_equal(traffic.to_client.packets, 230);
		/* What ends keeps counting for the allocation. */
		flows_remove(flows, 0, 2);
		flows_remove_grant(flows, 0, 2);
	}
	/* The next allocation of that number begins at nothing. */
	flows_remove_sender(flows, 0, 2);
	flows_allocation_traffic(flows, 0, &traffic);
	assert_false(traffic.carried);
	assert_int_equal(traffic.to_peer.packets, 0);
	set_sender(flows, 0, 0, 600);
	flows_allocation_traffic(flows, 0, &traffic);
	assert_int_equal(traffic.to_peer.packets, 0);
	flows_free(&flows);
}

static void a_stream_of_route_events_keeps_no_flow_from_its_new_hop(void **state)
{
	struct flows *flows = start(0, 0);
	struct addr peer = ip("198.51.100.9");

	(void)state;
	set_sender(flows, 0, 0, 600);
	set_channel(flows, 0, 0, "198.51.100.9:5000", false);
	/* Only the first event is one that matters to us. */
	net.epoch++;
	for (uint64_t tick = 1; tick <= 5; tick++) {
		flows_process(flows);
		flows_maintain(flows, tick * 100 * NSEC_PER_MSEC);
	}
	assert_int_equal(slot(FLOW_ROLE_CHANNEL, 0)->next_hop, hop_to(&peer));
	flows_remove(flows, 0, 2);
	flows_remove_sender(flows, 0, 2);
	flows_free(&flows);
}

static void a_narrower_path_has_routes_asked_for_again(void **state)
{
	struct flows *flows = start(0, 0);
	struct addr peer = ip("198.51.100.9");

	(void)state;
	set_sender(flows, 0, 0, 600);
	set_channel(flows, 0, 0, "198.51.100.9:5000", false);
	net.epoch++;
	flows_maintain(flows, 1);
	assert_int_not_equal(slot(FLOW_ROLE_CHANNEL, 0)->next_hop, hop_to(&peer));
	flows_ask_again(flows);
	flows_maintain(flows, 2);
	assert_int_equal(slot(FLOW_ROLE_CHANNEL, 0)->next_hop, hop_to(&peer));
	flows_remove(flows, 0, 2);
	flows_remove_sender(flows, 0, 2);
	flows_free(&flows);
}

static void a_route_change_moves_every_hop_and_lets_the_old_ones_go(void **state)
{
	struct flows *flows = start(0, 0);
	struct addr peer = ip("198.51.100.9"), other = ip("2001:db8::a");
	uint64_t now_ns = 1;

	(void)state;
	net.no_routes = true;
	for (uint32_t i = 0; i < 3; i++) {
		set_sender(flows, i, 0, 600);
		set_sender(flows, i, 1, 600);
		set_grant(flows, i, 2 * i, "198.51.100.9", false, false);
		set_grant(flows, i, 2 * i + 1, "2001:db8::a", false, false);
		set_channel(flows, i, i, "198.51.100.9:5000", false);
	}
	assert_int_equal(references(), 0);
	net.no_routes = false;
	for (int round = 0; round < 5; round++) {
		net.epoch++;
		flows_process(flows);
		flows_maintain(flows, now_ns);
		now_ns += NSEC_PER_SEC;
		for (uint32_t i = 0; i < 3; i++) {
			const struct flow_spec *down = slot(FLOW_ROLE_CHANNEL, 2 * i + 1);
			const struct flow_spec *grant = slot(FLOW_ROLE_PERMISSION, 2 * i);

			assert_int_equal(slot(FLOW_ROLE_CHANNEL, 2 * i)->next_hop, hop_to(&peer));
			assert_int_equal(down->next_hop, hop_to(&usual()->client));
			assert_int_equal(grant->next_hop, hop_to(&usual()->client));
			assert_int_equal(grant->peer_hop, hop_to(&peer));
			assert_int_equal(slot(FLOW_ROLE_PERMISSION, 2 * i + 1)->peer_hop,
					 hop_to(&other));
		}
		assert_int_equal(references(), 3 * 4);
	}
	/* Each time: two of a channel, two of each grant. */
	assert_int_equal(flows_counters(flows)->flows_rerouted, 5 * 3 * 6);
	/* The same routes again move nothing. */
	flows_process(flows);
	flows_maintain(flows, now_ns);
	flows_maintain(flows, now_ns + NSEC_PER_SEC);
	assert_int_equal(flows_counters(flows)->flows_rerouted, 5 * 3 * 6);
	assert_int_equal(references(), 3 * 4);
	flows_free(&flows);
}

static void a_limit_of_bandwidth_gives_each_allocation_a_bucket_before_its_first_flow(void **state)
{
	struct flows *flows = start(1000000, 8);

	(void)state;
	set_sender(flows, 7, 0, 600);
	set_sender(flows, 7, 1, 600);
	set_channel(flows, 7, 0, "198.51.100.9:5000", false);
	set_grant(flows, 7, 0, "198.51.100.9", false, false);
	assert_int_equal(bucket.count, 1);
	assert_int_equal(bucket.used_before, 0);
	assert_int_equal(bucket.bits_per_second, 1000000);
	/* Worker 3 has the ids from 1 + 3 * 8. */
	assert_int_equal(bucket.id, 25 + 7);
	for (uint32_t i = 0; i < SLOTS; i++)
		if (table.slots[i].live)
			assert_int_equal(table.slots[i].spec.bucket, 25 + 7);
	assert_int_equal(table.used, 5);
	/* Without a bucket there would be no limit: those stay on the sockets. */
	set_sender(flows, 8, 0, 600);
	set_channel(flows, 8, 1, "198.51.100.9:5000", false);
	assert_int_equal(table.used, 5);
	assert_int_equal(bucket.count, 1);
	assert_int_equal(flows_counters(flows)->flows_full, 3);
	flows_free(&flows);
}

static void without_a_kernel_nothing_happens(void **state)
{
	struct flows *flows = start(0, 0);
	struct flows_traffic traffic;

	(void)state;
	null_kernel = true;
	set_sender(flows, 0, 0, 600);
	set_grant(flows, 0, 0, "198.51.100.9", false, false);
	set_channel(flows, 0, 0, "198.51.100.9:5000", false);
	flows_remove(flows, 0, 2);
	flows_remove_grant(flows, 0, 2);
	flows_remove_sender(flows, 0, 2);
	flows_allocation_traffic(flows, 0, &traffic);
	assert_false(traffic.carried);
	assert_int_equal(table.used, 0);
	assert_int_equal(references(), 0);
	flows_free(&flows);
}

/* Allocations of a walk have number a, channels and grants 4 a + i. */
struct walk {
	struct flows *flows;
	bool senders[12];
	uint32_t seed;
};

static uint32_t pick(struct walk *w, uint32_t below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 17;
	w->seed ^= w->seed << 5;
	return w->seed % below;
}

static void step(struct walk *w)
{
	static const char *const ips[] = {"198.51.100.1", "198.51.100.2", "198.51.100.3",
					  "192.0.2.1"};
	uint32_t a = pick(w, 12), i = pick(w, 4), n = 4 * a + i;
	char peer[64];

	snprintf(peer, sizeof(peer), "%s:5000", ips[i]);
	switch (pick(w, 10)) {
	case 0:
		set_sender(w->flows, a, 0, 600);
		w->senders[a] = true;
		break;
	case 1:
	case 2:
	case 3:
		if (w->senders[a])
			set_grant(w->flows, a, n, ips[i], i == 3, false);
		break;
	case 4:
	case 5:
		if (w->senders[a])
			set_channel(w->flows, a, n, peer, i == 3);
		break;
	case 6:
		flows_remove(w->flows, n, 2);
		break;
	case 7:
		flows_remove_grant(w->flows, n, 2);
		break;
	case 8:
		net.epoch++;
		net.no_routes = pick(w, 4) == 0;
		flows_process(w->flows);
		flows_maintain(w->flows, 1);
		flows_maintain(w->flows, NSEC_PER_SEC);
		break;
	case 9:
		table.next_error = pick(w, 4) ? 0 : -ENOSPC;
		if (!w->senders[a] || pick(w, 4))
			break;
		for (uint32_t k = 4 * a; k < 4 * a + 4; k++) {
			flows_remove(w->flows, k, 2);
			flows_remove_grant(w->flows, k, 2);
		}
		flows_remove_sender(w->flows, 2 * a, 2);
		w->senders[a] = false;
	}
}

static void no_hop_leaks_or_dangles_on_a_long_walk(void **state)
{
	struct walk w = {.flows = start(0, 0), .seed = 2463534242U};

	(void)state;
	for (int i = 0; i < 100000; i++)
		step(&w);
	assert_true(flows_counters(w.flows)->flows_rerouted > 1000);
	assert_true(flows_counters(w.flows)->flows_full > 100);
	for (uint32_t a = 0; a < 12; a++) {
		for (uint32_t k = 4 * a; k < 4 * a + 4; k++) {
			flows_remove(w.flows, k, 2);
			flows_remove_grant(w.flows, k, 2);
		}
		flows_remove_sender(w.flows, 2 * a, 2);
	}
	assert_int_equal(table.used, 0);
	assert_int_equal(references(), 0);
	flows_free(&w.flows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_channel_is_two_flows_each_with_its_hop_and_expiry),
		cmocka_unit_test(senders_and_grants_have_the_legs_of_their_role_across_families),
		cmocka_unit_test(peers_on_this_relay_are_reached_by_looking_again),
		cmocka_unit_test(what_is_not_eligible_is_counted_once_and_costs_no_slot),
		cmocka_unit_test(a_flow_that_found_no_room_is_tried_again_at_its_next_refresh),
		cmocka_unit_test(
			a_permission_gives_its_slot_back_when_a_channel_to_its_peer_finds_none),
		cmocka_unit_test(an_allocations_traffic_is_that_of_all_it_had),
		cmocka_unit_test(a_stream_of_route_events_keeps_no_flow_from_its_new_hop),
		cmocka_unit_test(a_narrower_path_has_routes_asked_for_again),
		cmocka_unit_test(a_route_change_moves_every_hop_and_lets_the_old_ones_go),
		cmocka_unit_test(
			a_limit_of_bandwidth_gives_each_allocation_a_bucket_before_its_first_flow),
		cmocka_unit_test(without_a_kernel_nothing_happens),
		cmocka_unit_test(no_hop_leaks_or_dangles_on_a_long_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
