/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "kernel/problem.h"

static void assert_says(const struct kernel_problem *problem, const char *text)
{
	if (!strstr(problem->text, text))
		fail_msg("\"%s\" does not say \"%s\"", problem->text, text);
}

static void what_the_verifier_refuses_is_no_lack_of_memory(void **state)
{
	static const struct {
		int err;
		const char *log, *says;
	} rows[] = {
		{-E2BIG,
		 "BPF program is too large. Processed 1000001 insn\n"
		 "verification time 912345 usec\nstack depth 312\n"
		 "processed 1000001 insns (limit 1000000) max_states_per_insn 9\n",
		 "BPF program is too large. Processed 1000001 insn"},
		{-E2BIG, "The sequence of 8193 jumps is too complex.\nprocessed 7 insns",
		 "The sequence of 8193 jumps is too complex."},
		{-EINVAL,
		 "0: R1=ctx() R10=fp0\ninvalid access to packet, off=0 size=1\nR2 offset is "
		 "outside of the packet\n\nprocessed 9 insns (limit 1000000)\n",
		 "R2 offset is outside of the packet"},
		{-ENOMEM, "processed 9 insns\n", "no reason"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kernel_problem problem = {""};

		assert_int_equal(problem_of_load(&problem, rows[i].err, 1000, rows[i].log),
				 rows[i].err);
		assert_says(&problem, "verifier");
		assert_says(&problem, rows[i].says);
		assert_null(strstr(problem.text, "limits.allocations"));
	}
}

static void maps_that_do_not_fit_name_the_key_to_lower(void **state)
{
	static const int errors[] = {-ENOMEM, -E2BIG};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct kernel_problem problem = {""};

		assert_int_equal(problem_of_load(&problem, errors[i], 1000, ""), errors[i]);
		assert_says(&problem, "memory for maps of 1000 flows");
		assert_says(&problem, "limits.allocations");
	}
}

static void a_reason_without_an_end_is_cut_to_fit(void **state)
{
	struct kernel_problem problem = {""};
	char log[1000];

	(void)state;
	memset(log, 'x', sizeof(log) - 1);
	log[sizeof(log) - 1] = '\0';
	problem_of_load(&problem, -EINVAL, 1, log);
	assert_says(&problem, "xxxx");
	assert_says(&problem, "Invalid argument");
}

/* Whether for lack of privileges or because there is no such program. */
static void a_program_that_cannot_be_looked_at_is_told_with_the_way_to_it(void **state)
{
	struct kernel_problem problem = {""};

	(void)state;
	problem_of_other_program(UINT32_MAX, problem.text, sizeof(problem.text));
	assert_says(&problem, "id 4294967295, its name cannot be read: ");
	assert_says(&problem, "bpftool prog show id 4294967295");
	assert_says(&problem, "left alone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_verifier_refuses_is_no_lack_of_memory),
		cmocka_unit_test(maps_that_do_not_fit_name_the_key_to_lower),
		cmocka_unit_test(a_reason_without_an_end_is_cut_to_fit),
		cmocka_unit_test(a_program_that_cannot_be_looked_at_is_told_with_the_way_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
