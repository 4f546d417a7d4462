/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows in the real kernel's maps, read back through their pins. What the program does with packets
 * is tested elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "kernel/flow_table.h"
#include "kernel_fixture.h"

#define NOW NSEC_PER_SEC

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* A client's channel to a peer, and back. */
static struct flow_spec to_peer(uint16_t client_port)
{
	struct flow_spec spec = {
		.in = {address("198.51.100.1:1"), address("192.0.2.1:3478"), 0x4001},
		.out = {address("192.0.2.1:50000"), address("203.0.113.9:7000"), 0},
		.expires_ns = 600 * NSEC_PER_SEC,
		.next_hop = 3,
		.allocation = 42,
	};

	spec.in.src.port = client_port;
	return spec;
}

static struct flow_spec to_client6(void)
{
	return (struct flow_spec){
		.in = {address("[2001:db8::9]:7000"), address("[2001:db8::1]:50000"), 0},
		.out = {address("[2001:db8::1]:3478"), address("[2001:db8::5]:1234"), 0x4FFF},
		.expires_ns = 300 * NSEC_PER_SEC,
		.next_hop = 4,
	};
}

static struct flow_table *open_table(struct kernel *kernel, uint32_t worker)
{
	struct flow_table *table;

	assert_int_equal(flow_table_new(kernel, worker, &table), 0);
	return table;
}

static uint32_t add_flow(struct flow_table *table, const struct flow_spec *spec, uint64_t now_ns)
{
	uint32_t slot = 77;

	assert_int_equal(flow_table_add(table, spec, now_ns, &slot), 0);
	return slot;
}

static struct flow_key4 key_of(const struct flow_spec *spec)
{
	struct flow_key4 key = {
		.sport = htons(spec->in.src.port),
		.dport = htons(spec->in.dst.port),
		.channel = htons(spec->in.channel),
	};

	memcpy(&key.src, spec->in.src.ip, 4);
	memcpy(&key.dst, spec->in.dst.ip, 4);
	return key;
}

static void an_ipv4_flow_is_in_index_and_slot(void **state)
{
	struct flow_table *table = open_table(*state, 1);
	struct flow_spec spec = to_peer(1234);
	uint32_t number = add_flow(table, &spec, NOW);
	struct flow_key4 key = key_of(&spec);
	struct flow_slot slot;
	struct flow_ref ref;
	struct flow_slot expected = {
		.generation = 1,
		.next_hop = 3,
		.expires_ns = 600 * NSEC_PER_SEC,
		.in = {.src.v4 = inet_addr("198.51.100.1"),
		       .dst.v4 = inet_addr("192.0.2.1"),
		       .sport = htons(1234),
		       .dport = htons(3478),
		       .channel = htons(0x4001),
		       .family = FLOW_IPV4,
		       .form = FLOW_FORM_CHANNEL},
		.out = {.src.v4 = inet_addr("192.0.2.1"),
			.dst.v4 = inet_addr("203.0.113.9"),
			.sport = htons(50000),
			.dport = htons(7000),
			.family = FLOW_IPV4,
			.form = FLOW_FORM_UDP},
		.allocation = 42,
		.worker = 1,
	};

	/* The second of two workers has the second half of the slots. */
	assert_int_equal(number, FIXTURE_SLOTS / 2);
	assert_int_equal(fixture_read_pin("flows4", &key, &ref), 0);
	assert_int_equal(ref.slot, number);
	assert_int_equal(ref.generation, 1);
	assert_int_equal(fixture_read_pin("slots", &number, &slot), 0);
	assert_memory_equal(&slot, &expected, sizeof(slot));
	assert_int_equal(flow_table_used(table), 1);
	assert_int_equal(flow_table_size(table), FIXTURE_SLOTS / 2);
	flow_table_free(&table);
}

static void an_ipv6_flow_is_in_index_and_slot(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_client6();
	uint32_t number = add_flow(table, &spec, NOW);
	struct flow_key6 key = {.sport = htons(7000), .dport = htons(50000)};
	struct flow_slot slot;
	struct flow_ref ref;

	memcpy(key.src, spec.in.src.ip, 16);
	memcpy(key.dst, spec.in.dst.ip, 16);
	assert_int_equal(fixture_read_pin("flows6", &key, &ref), 0);
	assert_int_equal(ref.slot, number);
	assert_int_equal(fixture_read_pin("slots", &number, &slot), 0);
	assert_int_equal(slot.generation, ref.generation);
	assert_memory_equal(slot.in.src.v6, spec.in.src.ip, 16);
	assert_memory_equal(slot.out.dst.v6, spec.out.dst.ip, 16);
	assert_int_equal(slot.out.channel, htons(0x4FFF));
	assert_int_equal(slot.in.form, FLOW_FORM_UDP);
	assert_int_equal(slot.out.form, FLOW_FORM_CHANNEL);
	flow_table_remove(table, number, NOW);
	assert_int_equal(fixture_read_pin("flows6", &key, &ref), -ENOENT);
	flow_table_free(&table);
}

static void expiry_and_next_hop_change_in_place(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(1234);
	uint32_t number = add_flow(table, &spec, NOW);
	struct flow_slot slot;

	flow_table_set_expiry(table, number, 900 * NSEC_PER_SEC);
	flow_table_set_next_hop(table, number, 9);
	assert_int_equal(fixture_read_pin("slots", &number, &slot), 0);
	assert_int_equal(slot.expires_ns, 900 * NSEC_PER_SEC);
	assert_int_equal(slot.next_hop, 9);
	assert_int_equal(slot.generation, 1);
	flow_table_free(&table);
}

static void a_removed_flow_is_in_no_index_and_its_generation_is_none(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(1234);
	uint32_t number = add_flow(table, &spec, NOW);
	struct flow_key4 key = key_of(&spec);
	struct flow_slot slot;
	struct flow_ref ref;

	flow_table_remove(table, number, NOW);
	assert_int_equal(fixture_read_pin("flows4", &key, &ref), -ENOENT);
	assert_int_equal(fixture_read_pin("slots", &number, &slot), 0);
	assert_int_equal(slot.generation, 0);
	assert_int_equal(flow_table_used(table), 0);
	flow_table_free(&table);
}

static void freeing_a_table_removes_its_flows_and_no_others(void **state)
{
	struct flow_table *first = open_table(*state, 0), *second = open_table(*state, 1);
	struct flow_spec a = to_peer(1), b = to_peer(2);
	struct flow_key4 key_a = key_of(&a), key_b = key_of(&b);
	struct flow_ref ref;

	add_flow(first, &a, NOW);
	add_flow(second, &b, NOW);
	flow_table_free(&first);
	assert_int_equal(fixture_read_pin("flows4", &key_a, &ref), -ENOENT);
	assert_int_equal(fixture_read_pin("flows4", &key_b, &ref), 0);
	flow_table_free(&second);
}

static void a_full_table_is_enospc_until_a_slots_grace_is_over(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec;
	uint32_t slots[FIXTURE_SLOTS / 2], slot = 77;
	struct flow_slot reused;

	for (uint16_t i = 0; i < FIXTURE_SLOTS / 2; i++) {
		spec = to_peer(i + 1);
		slots[i] = add_flow(table, &spec, NOW);
		assert_in_range(slots[i], 0, FIXTURE_SLOTS / 2 - 1);
	}
	spec = to_peer(100);
	assert_int_equal(flow_table_add(table, &spec, NOW, &slot), -ENOSPC);
	flow_table_remove(table, slots[1], NOW);
	assert_int_equal(flow_table_add(table, &spec, NOW + FLOW_GRACE_NS - 1, &slot), -ENOSPC);
	assert_int_equal(slot, 77);
	assert_int_equal(add_flow(table, &spec, NOW + FLOW_GRACE_NS), slots[1]);
	assert_int_equal(fixture_read_pin("slots", &slots[1], &reused), 0);
	assert_int_equal(reused.generation, 2);
	flow_table_free(&table);
}

static void a_key_that_is_taken_is_eexist_and_the_first_flow_stays(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(1234);
	struct flow_key4 key = key_of(&spec);
	uint32_t number = add_flow(table, &spec, NOW), slot = 77;
	struct flow_slot failed;
	struct flow_ref ref;

	assert_int_equal(flow_table_add(table, &spec, NOW, &slot), -EEXIST);
	assert_int_equal(slot, 77);
	assert_int_equal(flow_table_used(table), 1);
	assert_int_equal(fixture_read_pin("flows4", &key, &ref), 0);
	assert_int_equal(ref.slot, number);
	/* The slot that was tried is free again, with its generation used up. */
	slot = number + 1;
	assert_int_equal(fixture_read_pin("slots", &slot, &failed), 0);
	assert_int_equal(failed.generation, 0);
	spec = to_peer(1235);
	assert_int_equal(add_flow(table, &spec, NOW), number + 1);
	assert_int_equal(fixture_read_pin("slots", &slot, &failed), 0);
	assert_int_equal(failed.generation, 2);
	flow_table_free(&table);
}

static void a_full_index_is_enospc(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(1234);
	struct flow_ref ref = {.slot = 1};
	struct flow_key4 key = {0};
	uint32_t slot = 77;

	for (uint32_t i = 0; i < FIXTURE_SLOTS; i++) {
		key.src = i;
		fixture_write_pin("flows4", &key, &ref);
	}
	assert_int_equal(flow_table_add(table, &spec, NOW, &slot), -ENOSPC);
	assert_int_equal(slot, 77);
	assert_int_equal(flow_table_used(table), 0);
	flow_table_free(&table);
}

/* The other kinds of slots. What is not said is as to_peer has it. */
static struct flow_spec sender(const char *relayed)
{
	return (struct flow_spec){
		.in = {address("198.51.100.1:1"), address("192.0.2.1:3478"), 0},
		.out = {.src = address(relayed)},
		.expires_ns = 600 * NSEC_PER_SEC,
		.role = FLOW_ROLE_SENDER,
	};
}

static struct flow_spec permission(void)
{
	struct flow_spec spec = {
		.in = {address("203.0.113.9:7000"), address("192.0.2.1:50000"), 0},
		.out = {address("[2001:db8::1]:3478"), address("[2001:db8::5]:1234"), 0},
		.expires_ns = 300 * NSEC_PER_SEC,
		.next_hop = 4,
		.role = FLOW_ROLE_PERMISSION,
		.peer_hop = 5,
	};

	spec.in.src.port = 0;
	return spec;
}

static struct flow_slot read_slot(uint32_t number)
{
	struct flow_slot slot;

	assert_int_equal(fixture_read_pin("slots", &number, &slot), 0);
	return slot;
}

static void a_sender_is_found_by_the_family_of_its_peers_and_has_no_destination(void **state)
{
	static const struct {
		const char *relayed;
		uint16_t channel;
		uint8_t family;
	} rows[] = {{"192.0.2.1:50000", FLOW_SEND_IPV4, FLOW_IPV4},
		    {"[2001:db8::1]:50000", FLOW_SEND_IPV6, FLOW_IPV6}};
	struct flow_table *table = open_table(*state, 0);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct flow_spec spec = sender(rows[i].relayed);
		uint32_t number = add_flow(table, &spec, NOW);
		struct flow_slot slot = read_slot(number), nothing = {0};
		struct flow_key4 key = key_of(&spec);
		struct flow_ref ref;

		key.channel = htons(rows[i].channel);
		assert_int_equal(fixture_read_pin("flows4", &key, &ref), 0);
		assert_int_equal(ref.slot, number);
		assert_int_equal(slot.in.channel, key.channel);
		assert_int_equal(slot.in.form, FLOW_FORM_INDICATION);
		assert_int_equal(slot.in.family, FLOW_IPV4);
		assert_int_equal(slot.out.form, FLOW_FORM_UDP);
		assert_int_equal(slot.out.family, rows[i].family);
		assert_int_equal(slot.out.sport, htons(50000));
		assert_memory_equal(slot.out.src.v6, spec.out.src.ip, 16);
		assert_memory_equal(&slot.out.dst, &nothing.out.dst, sizeof(slot.out.dst));
		assert_int_equal(slot.out.dport, 0);
		assert_int_equal(slot.out.channel, 0);
	}
	flow_table_free(&table);
}

static void a_permission_is_found_under_port_0_and_has_two_hops(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = permission();
	uint32_t number = add_flow(table, &spec, NOW);
	struct flow_key4 key = key_of(&spec);
	struct flow_slot slot = read_slot(number);
	struct flow_ref ref;

	assert_int_equal(key.sport, 0);
	assert_int_equal(fixture_read_pin("flows4", &key, &ref), 0);
	assert_int_equal(ref.slot, number);
	assert_int_equal(slot.in.form, FLOW_FORM_UDP);
	assert_int_equal(slot.out.form, FLOW_FORM_INDICATION);
	assert_int_equal(slot.out.family, FLOW_IPV6);
	assert_int_equal(slot.out.channel, 0);
	assert_int_equal(slot.out.dport, htons(1234));
	assert_int_equal(slot.next_hop, 4);
	assert_int_equal(slot.peer_hop, 5);
	flow_table_set_peer_hop(table, number, FLOW_NEXT_HOP_SELF);
	slot = read_slot(number);
	assert_int_equal(slot.peer_hop, FLOW_NEXT_HOP_SELF);
	assert_int_equal(slot.next_hop, 4);
	flow_table_free(&table);
}

static void a_channel_may_lead_from_one_family_to_the_other_and_back_into_the_relay(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec up = to_peer(1234), down = to_client6();
	struct flow_slot slot;
	uint32_t number;

	up.out.src = address("[2001:db8::1]:50000");
	up.out.dst = address("[2001:db8::1]:50002");
	up.next_hop = FLOW_NEXT_HOP_SELF;
	up.bucket = 3;
	number = add_flow(table, &up, NOW);
	slot = read_slot(number);
	assert_int_equal(slot.in.family, FLOW_IPV4);
	assert_int_equal(slot.out.family, FLOW_IPV6);
	assert_int_equal(slot.next_hop, FLOW_NEXT_HOP_SELF);
	assert_int_equal(slot.bucket, 3);
	assert_int_equal(slot.peer_hop, 0);
	down.out = (__typeof__(down.out)){up.in.dst, up.in.src, 0x4001};
	slot = read_slot(add_flow(table, &down, NOW));
	assert_int_equal(slot.in.family, FLOW_IPV6);
	assert_int_equal(slot.out.family, FLOW_IPV4);
	assert_int_equal(slot.out.form, FLOW_FORM_CHANNEL);
	flow_table_free(&table);
}

static void break_spec(struct flow_spec *spec, unsigned int how)
{
	const struct addr none = {0}, v6 = address("[2001:db8::7]:7"), port = {.port = 7};

	switch (how) {
	case 0:
		spec->in.dst = v6; /* all that are tried here come in over IPv4 */
		break;
	case 1:
		spec->in.src = none;
		break;
	case 2:
		spec->in.dst = none;
		break;
	case 3:
		spec->out.src = none;
		break;
	case 4:
		spec->in.dst.port = 0;
		break;
	case 5:
		spec->out.src.port = 0;
		break;
	case 6:
		/* Without a port where there must be one, with one where there must be none. */
		spec->in.src.port = spec->in.src.port ? 0 : 7;
		break;
	case 7:
		spec->out.dst = spec->out.dst.family ? none : v6;
		break;
	case 8:
		spec->out.dst = port;
		break;
	case 9:
		spec->in.channel ^= 0x4001;
		break;
	case 10:
		spec->out.channel ^= 0x4002;
		break;
	case 11:
		spec->next_hop = 16;
		break;
	case 12:
		spec->peer_hop = spec->peer_hop ? 16 : 1;
		break;
	case 13:
		spec->bucket = FIXTURE_BUCKETS;
		break;
	case 14:
		spec->role = 3;
		break;
	case 15:
		/* Never a sender's nor a permission's; a channel's number is out of range. */
		if (spec->role == FLOW_ROLE_CHANNEL)
			spec->in.channel = 0x5000;
		else
			spec->next_hop = FLOW_NEXT_HOP_SELF;
		break;
	}
}

#define BREAKS 16

static void a_spec_that_is_not_what_its_role_has_is_refused(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec down = to_client6(),
			 whole[] = {to_peer(1), sender("192.0.2.1:50000"), permission()};
	uint32_t slot = 77;

	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		for (unsigned int how = 0; how < BREAKS; how++) {
			struct flow_spec spec = whole[i];

			break_spec(&spec, how);
			if (flow_table_add(table, &spec, NOW, &slot) != -EINVAL)
				fail_msg("spec %zu broken in way %u was taken", i, how);
		}
		flow_table_remove(table, add_flow(table, &whole[i], NOW), NOW);
	}
	/* What goes to a client does not come back into the relay. */
	down.next_hop = FLOW_NEXT_HOP_SELF;
	assert_int_equal(flow_table_add(table, &down, NOW, &slot), -EINVAL);
	assert_int_equal(flow_table_used(table), 0);
	assert_int_equal(slot, 77);
	flow_table_free(&table);
}

/* Whose source addresses the program believes only if it carries them back into the relay. */
static void only_what_peers_send_may_come_from_another_allocation(void **state)
{
	const struct {
		struct flow_spec spec;
		bool may;
	} rows[] = {
		{to_client6(), true},
		{permission(), true},
		{to_peer(1234), false},
		{sender("192.0.2.1:50000"), false},
	};
	struct flow_table *table = open_table(*state, 0);
	uint64_t now = NOW;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct flow_spec spec = rows[i].spec;
		uint32_t slot = add_flow(table, &spec, now);

		assert_int_equal(read_slot(slot).from_self, 0);
		flow_table_remove(table, slot, now);
		now += FLOW_GRACE_NS;
		spec.from_self = true;
		if (!rows[i].may) {
			assert_int_equal(flow_table_add(table, &spec, now, &slot), -EINVAL);
			continue;
		}
		slot = add_flow(table, &spec, now);
		assert_int_equal(read_slot(slot).from_self, 1);
		flow_table_remove(table, slot, now);
	}
	flow_table_free(&table);
}

static void a_slot_used_anew_keeps_nothing_of_the_flow_before(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec first = permission(), second = to_peer(1234);
	uint64_t now = NOW;
	struct flow_slot slot;

	first.bucket = 2;
	first.from_self = true;
	for (int i = 0; i < FIXTURE_SLOTS / 2; i++)
		flow_table_remove(table, add_flow(table, &first, now), now);
	now += FLOW_GRACE_NS;
	slot = read_slot(add_flow(table, &second, now));
	assert_int_equal(slot.generation, 2);
	assert_int_equal(slot.peer_hop, 0);
	assert_int_equal(slot.bucket, 0);
	assert_int_equal(slot.from_self, 0);
	assert_int_equal(slot.out.family, FLOW_IPV4);
	flow_table_free(&table);
}

static void count_on_every_cpu(uint32_t slot, uint64_t packets, uint64_t bytes)
{
	int cpus = libbpf_num_possible_cpus();
	struct flow_counter *counters = calloc((size_t)cpus, sizeof(*counters));

	for (int i = 0; i < cpus; i++)
		counters[i] = (struct flow_counter){packets, bytes};
	fixture_write_pin("traffic", &slot, counters);
	free(counters);
}

static void traffic_is_summed_over_cpus_and_begins_anew_with_the_next_flow(void **state)
{
	struct flow_table *table = open_table(*state, 0);
	struct flow_spec spec = to_peer(1);
	uint64_t cpus = (uint64_t)libbpf_num_possible_cpus(), now = NOW;
	struct flow_counter counter;
	uint32_t number;

	number = add_flow(table, &spec, now);
	assert_int_equal(flow_table_traffic(table, number, &counter), 0);
	assert_int_equal(counter.packets, 0);
	count_on_every_cpu(number, 3, 1000);
	assert_int_equal(flow_table_traffic(table, number, &counter), 0);
	assert_int_equal(counter.packets, 3 * cpus);
	assert_int_equal(counter.bytes, 1000 * cpus);
	flow_table_remove(table, number, now);
	for (int i = 0; i < FIXTURE_SLOTS / 2; i++) {
		now += FLOW_GRACE_NS;
		number = add_flow(table, &spec, now);
		assert_int_equal(flow_table_traffic(table, number, &counter), 0);
		assert_int_equal(counter.packets, 0);
		assert_int_equal(counter.bytes, 0);
		flow_table_remove(table, number, now);
	}
	flow_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(an_ipv4_flow_is_in_index_and_slot),
		fixture_test(an_ipv6_flow_is_in_index_and_slot),
		fixture_test(expiry_and_next_hop_change_in_place),
		fixture_test(a_removed_flow_is_in_no_index_and_its_generation_is_none),
		fixture_test(freeing_a_table_removes_its_flows_and_no_others),
		fixture_test(a_full_table_is_enospc_until_a_slots_grace_is_over),
		fixture_test(a_key_that_is_taken_is_eexist_and_the_first_flow_stays),
		fixture_test(a_full_index_is_enospc),
		fixture_test(a_sender_is_found_by_the_family_of_its_peers_and_has_no_destination),
		fixture_test(a_permission_is_found_under_port_0_and_has_two_hops),
		fixture_test(
			a_channel_may_lead_from_one_family_to_the_other_and_back_into_the_relay),
		fixture_test(a_spec_that_is_not_what_its_role_has_is_refused),
		fixture_test(only_what_peers_send_may_come_from_another_allocation),
		fixture_test(a_slot_used_anew_keeps_nothing_of_the_flow_before),
		fixture_test(traffic_is_summed_over_cpus_and_begins_anew_with_the_next_flow),
	};

	if (!fixture_may_run("test_flow_table"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
