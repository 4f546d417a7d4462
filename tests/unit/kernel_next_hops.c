/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/macros.h"
#include "kernel/next_hops.h"

#define START NSEC_PER_SEC
#define ID    2

struct fixture {
	struct flow_next_hop map[4];
	struct next_hops *hops;
};

static struct fixture fixture;

static int set_up(void **state)
{
	memset(fixture.map, 0, sizeof(fixture.map));
	assert_int_equal(next_hops_new(fixture.map, ARRAY_SIZE(fixture.map), &fixture.hops), 0);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	next_hops_free(&f->hops);
	assert_null(f->hops);
	return 0;
}

static struct flow_next_hop_entry hop_number(uint8_t number)
{
	return (struct flow_next_hop_entry){
		.ifindex = 7, .mtu = 1500, .src_mac = {2, 1}, .dst_mac = {2, number}, .valid = 1};
}

static const struct flow_next_hop_entry *active(const struct fixture *f)
{
	return &f->map[ID].entry[f->map[ID].active];
}

static void assert_published(const struct fixture *f, const struct flow_next_hop_entry *entry)
{
	assert_memory_equal(active(f), entry, sizeof(*entry));
}

static void the_first_content_is_published_at_once(void **state)
{
	struct fixture *f = *state;
	struct flow_next_hop_entry a = hop_number(1);
	static const struct flow_next_hop untouched;

	next_hops_set(f->hops, ID, &a, START);
	assert_published(f, &a);
	assert_int_equal(next_hops_settle(f->hops, START), 0);
	assert_memory_equal(&f->map[ID - 1], &untouched, sizeof(untouched));
	assert_memory_equal(&f->map[ID + 1], &untouched, sizeof(untouched));
}

static void a_change_goes_into_the_entry_that_is_not_active(void **state)
{
	struct fixture *f = *state;
	struct flow_next_hop_entry a = hop_number(1), b = hop_number(2);
	uint32_t before;

	next_hops_set(f->hops, ID, &a, START);
	before = f->map[ID].active;
	next_hops_set(f->hops, ID, &b, START + FLOW_GRACE_NS);
	assert_int_not_equal(f->map[ID].active, before);
	assert_published(f, &b);
	assert_memory_equal(&f->map[ID].entry[before], &a, sizeof(a));
}

static void a_change_within_the_grace_time_invalidates_and_is_published_later(void **state)
{
	struct fixture *f = *state;
	struct flow_next_hop_entry a = hop_number(1), b = hop_number(2), c = hop_number(3);
	struct flow_next_hop_entry gone;
	uint64_t due = START + 2 * FLOW_GRACE_NS;

	next_hops_set(f->hops, ID, &a, START);
	next_hops_set(f->hops, ID, &b, START + FLOW_GRACE_NS);
	gone = f->map[ID].entry[f->map[ID].active ^ 1];
	next_hops_set(f->hops, ID, &c, START + FLOW_GRACE_NS + 1);
	/* The entry that late readers still use is not touched, the active one only invalidated. */
	assert_memory_equal(&f->map[ID].entry[f->map[ID].active ^ 1], &gone, sizeof(gone));
	b.valid = 0;
	assert_published(f, &b);
	assert_int_equal(next_hops_settle(f->hops, due - 1), due);
	assert_published(f, &b);
	assert_int_equal(next_hops_settle(f->hops, due), 0);
	assert_published(f, &c);
}

static void only_the_last_of_several_changes_is_published(void **state)
{
	struct fixture *f = *state;
	struct flow_next_hop_entry entry;

	for (uint8_t i = 1; i <= 5; i++) {
		entry = hop_number(i);
		next_hops_set(f->hops, ID, &entry, START + i);
	}
	assert_int_equal(next_hops_settle(f->hops, START + 1 + FLOW_GRACE_NS), 0);
	assert_published(f, &entry);
}

static void invalidating_never_waits(void **state)
{
	struct fixture *f = *state;
	struct flow_next_hop_entry a = hop_number(1), none = {.ifindex = 7};
	uint32_t before;

	next_hops_set(f->hops, ID, &a, START);
	before = f->map[ID].active;
	next_hops_set(f->hops, ID, &none, START + 1);
	assert_int_equal(active(f)->valid, 0);
	assert_int_equal(f->map[ID].active, before);
	assert_int_equal(next_hops_settle(f->hops, START + 1), 0);
}

static void the_same_content_comes_back_at_once(void **state)
{
	struct fixture *f = *state;
	struct flow_next_hop_entry a = hop_number(1), none = {.ifindex = 7};
	uint32_t before;

	next_hops_set(f->hops, ID, &a, START);
	before = f->map[ID].active;
	next_hops_set(f->hops, ID, &none, START + 1);
	next_hops_set(f->hops, ID, &a, START + 2);
	assert_published(f, &a);
	assert_int_equal(f->map[ID].active, before);
}

static void an_invalidation_cancels_a_change_that_waits(void **state)
{
	struct fixture *f = *state;
	struct flow_next_hop_entry a = hop_number(1), b = hop_number(2), none = {.ifindex = 7};

	next_hops_set(f->hops, ID, &a, START);
	next_hops_set(f->hops, ID, &b, START + 1);
	next_hops_set(f->hops, ID, &none, START + 2);
	assert_int_equal(next_hops_settle(f->hops, START + 3), 0);
	assert_int_equal(next_hops_settle(f->hops, START + 2 * FLOW_GRACE_NS), 0);
	assert_int_equal(active(f)->valid, 0);
}

static void a_change_that_waits_twice_is_listed_once(void **state)
{
	struct fixture *f = *state;
	struct flow_next_hop_entry a = hop_number(1), b = hop_number(2), none = {.ifindex = 7};

	next_hops_set(f->hops, ID, &a, START);
	for (int i = 0; i < 10; i++) {
		next_hops_set(f->hops, ID, &b, START + 1);
		next_hops_set(f->hops, ID, &none, START + 1);
		next_hops_set(f->hops, ID, &b, START + 1);
	}
	assert_int_equal(next_hops_settle(f->hops, START + FLOW_GRACE_NS), 0);
	assert_published(f, &b);
}

static void settling_says_when_the_earliest_is_due(void **state)
{
	struct fixture *f = *state;
	struct flow_next_hop_entry a = hop_number(1), b = hop_number(2);

	next_hops_set(f->hops, 1, &a, START + 30);
	next_hops_set(f->hops, 2, &a, START + 10);
	next_hops_set(f->hops, 3, &a, START + 20);
	for (uint32_t id = 1; id <= 3; id++)
		next_hops_set(f->hops, id, &b, START + 40);
	assert_int_equal(next_hops_settle(f->hops, START + 50), START + 10 + FLOW_GRACE_NS);
	assert_int_equal(next_hops_settle(f->hops, START + 10 + FLOW_GRACE_NS),
			 START + 20 + FLOW_GRACE_NS);
	assert_int_equal(next_hops_settle(f->hops, START + 40 + FLOW_GRACE_NS), 0);
}

#define on_a_map(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_map(the_first_content_is_published_at_once),
		on_a_map(a_change_goes_into_the_entry_that_is_not_active),
		on_a_map(a_change_within_the_grace_time_invalidates_and_is_published_later),
		on_a_map(only_the_last_of_several_changes_is_published),
		on_a_map(invalidating_never_waits),
		on_a_map(the_same_content_comes_back_at_once),
		on_a_map(an_invalidation_cancels_a_change_that_waits),
		on_a_map(a_change_that_waits_twice_is_listed_once),
		on_a_map(settling_says_when_the_earliest_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
