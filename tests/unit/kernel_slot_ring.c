/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/macros.h"
#include "kernel/slot_ring.h"
#include "turnpike/flow.h"

#define NOW 5

static int set_up(void **state)
{
	static struct slot_ring ring;

	assert_int_equal(slot_ring_init(&ring, 10, 3), 0);
	*state = &ring;
	return 0;
}

static int tear_down(void **state)
{
	slot_ring_destroy(*state);
	return 0;
}

static uint32_t take(struct slot_ring *ring, uint64_t now_ns)
{
	uint32_t slot = 0;

	assert_int_equal(slot_ring_take(ring, now_ns, &slot), 0);
	return slot;
}

static void slots_of_the_range_are_taken_in_order_until_none_is_left(void **state)
{
	struct slot_ring *ring = *state;
	uint32_t slot = 77;

	for (uint32_t i = 10; i < 13; i++)
		assert_int_equal(take(ring, NOW), i);
	assert_int_equal(slot_ring_take(ring, NOW, &slot), -ENOSPC);
	assert_int_equal(slot, 77);
}

static void a_retired_slot_is_ready_after_the_grace_time_and_not_before(void **state)
{
	struct slot_ring *ring = *state;
	uint32_t slot = 77;

	for (int i = 0; i < 3; i++)
		take(ring, NOW);
	slot_ring_retire(ring, 11, NOW);
	assert_int_equal(slot_ring_take(ring, NOW + FLOW_GRACE_NS - 1, &slot), -ENOSPC);
	assert_int_equal(slot, 77);
	assert_int_equal(take(ring, NOW + FLOW_GRACE_NS), 11);
}

static void retired_slots_come_after_those_that_were_free_before(void **state)
{
	struct slot_ring *ring = *state;

	assert_int_equal(take(ring, NOW), 10);
	slot_ring_retire(ring, 10, NOW);
	assert_int_equal(take(ring, NOW + 2 * FLOW_GRACE_NS), 11);
	assert_int_equal(take(ring, NOW + 2 * FLOW_GRACE_NS), 12);
	assert_int_equal(take(ring, NOW + 2 * FLOW_GRACE_NS), 10);
}

static void a_slot_given_back_unseen_is_ready_at_once(void **state)
{
	struct slot_ring *ring = *state;

	assert_int_equal(take(ring, NOW), 10);
	slot_ring_undo(ring, 10);
	for (uint32_t i = 10; i < 13; i++)
		assert_int_equal(take(ring, NOW), i);
}

static void an_empty_range_has_nothing(void **state)
{
	struct slot_ring ring;
	uint32_t slot = 77;

	(void)state;
	assert_int_equal(slot_ring_init(&ring, 0, 0), 0);
	assert_int_equal(slot_ring_take(&ring, NOW, &slot), -ENOSPC);
	slot_ring_destroy(&ring);
}

#define on_a_ring(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_ring(slots_of_the_range_are_taken_in_order_until_none_is_left),
		on_a_ring(a_retired_slot_is_ready_after_the_grace_time_and_not_before),
		on_a_ring(retired_slots_come_after_those_that_were_free_before),
		on_a_ring(a_slot_given_back_unseen_is_ready_at_once),
		cmocka_unit_test(an_empty_range_has_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
