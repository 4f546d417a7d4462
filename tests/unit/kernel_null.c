/* SPDX-License-Identifier: BSD-2-Clause */
/* The null twin, and what can be refused before the kernel is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "kernel/flow_table.h"
#include "kernel/kernel.h"

static int open_off(void **state)
{
	struct kernel_options options = {.mode = KERNEL_MODE_OFF};
	struct kernel_problem problem = {""};
	struct kernel *kernel = NULL;

	assert_int_equal(kernel_open(&options, &kernel, &problem), 0);
	*state = kernel;
	return 0;
}

static int close_it(void **state)
{
	struct kernel *kernel = *state;

	kernel_close(&kernel);
	assert_null(kernel);
	kernel_close(&kernel);
	return 0;
}

static void mode_off_gives_the_null_twin_without_asking_the_kernel(void **state)
{
	assert_true(kernel_is_null(*state));
}

static void the_null_twin_takes_everything_and_does_nothing(void **state)
{
	struct net_hop hop = {.ifindex = 1, .valid = true};
	struct flow_stats stats = {.to_peer.packets = 7};
	static const struct flow_stats zeros;
	struct addr ip;

	assert_int_equal(addr_parse_ip("192.0.2.1", &ip), 0);
	assert_int_equal(kernel_own(*state, &ip, 3478, 49152, 65535), 0);
	kernel_set_next_hop(*state, 1, &hop);
	kernel_set_bucket(*state, 1, 20000000, 100);
	assert_int_equal(kernel_settle(*state, 1), 0);
	kernel_attach_done(*state);
	assert_false(kernel_refresh_attachments(*state));
	assert_int_equal(kernel_read_stats(*state, &stats), 0);
	assert_memory_equal(&stats, &zeros, sizeof(zeros));
}

static void the_null_twin_attaches_nothing_and_says_so(void **state)
{
	const struct kernel_attachment *all;
	struct kernel_attachment got;

	assert_int_equal(kernel_attach(*state, "lo", &got), -EOPNOTSUPP);
	assert_int_equal(got.mode, KERNEL_MODE_OFF);
	assert_string_equal(got.name, "lo");
	assert_string_equal(got.reason, "the kernel path is off");
	assert_int_equal(kernel_attachments(*state, &all), 1);
	assert_string_equal(all[0].name, "lo");
}

static void the_null_twin_may_be_left_as_well_as_closed(void **state)
{
	struct kernel *kernel = NULL;

	(void)state;
	assert_int_equal(kernel_open_null(&kernel), 0);
	kernel_leave(&kernel);
	assert_null(kernel);
	kernel_leave(&kernel);
}

static void flows_on_the_null_twin_stay_on_the_sockets(void **state)
{
	struct flow_spec spec = {.in.channel = 0x4000};
	struct flow_table *table;
	uint32_t slot = 77;

	assert_int_equal(flow_table_new(*state, 3, &table), 0);
	assert_int_equal(flow_table_add(table, &spec, 1, &slot), -EOPNOTSUPP);
	assert_int_equal(slot, 77);
	assert_int_equal(flow_table_size(table), 0);
	assert_int_equal(flow_table_used(table), 0);
	flow_table_free(&table);
	assert_null(table);
	flow_table_free(&table);
}

static void options_that_cannot_work_are_refused_with_a_reason(void **state)
{
	static const struct kernel_options rows[] = {
		{.mode = KERNEL_MODE_AUTO, .slots = 4, .next_hops = 4, .workers = 0},
		{.mode = KERNEL_MODE_AUTO, .slots = 1, .next_hops = 4, .workers = 2},
		{.mode = KERNEL_MODE_AUTO, .slots = 4, .next_hops = 1, .workers = 1},
	};
	struct kernel *kernel = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kernel_problem problem = {""};

		assert_int_equal(kernel_open(&rows[i], &kernel, &problem), -EINVAL);
		assert_null(kernel);
		assert_int_not_equal(strlen(problem.text), 0);
	}
}

static void modes_have_the_names_of_the_configuration(void **state)
{
	(void)state;
	assert_string_equal(kernel_mode_name(KERNEL_MODE_OFF), "off");
	assert_string_equal(kernel_mode_name(KERNEL_MODE_GENERIC), "generic");
	assert_string_equal(kernel_mode_name(KERNEL_MODE_NATIVE), "native");
	assert_string_equal(kernel_mode_name(KERNEL_MODE_AUTO), "auto");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			mode_off_gives_the_null_twin_without_asking_the_kernel, open_off, close_it),
		cmocka_unit_test_setup_teardown(the_null_twin_takes_everything_and_does_nothing,
						open_off, close_it),
		cmocka_unit_test_setup_teardown(the_null_twin_attaches_nothing_and_says_so,
						open_off, close_it),
		cmocka_unit_test_setup_teardown(flows_on_the_null_twin_stay_on_the_sockets,
						open_off, close_it),
		cmocka_unit_test(the_null_twin_may_be_left_as_well_as_closed),
		cmocka_unit_test(options_that_cannot_work_are_refused_with_a_reason),
		cmocka_unit_test(modes_have_the_names_of_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
