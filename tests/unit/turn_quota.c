/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/macros.h"
#include "turn/quota.h"

#define THREADS 4
#define ROUNDS	20000

static void users_and_all_of_them_have_their_limits(void **state)
{
	struct quota *q = NULL;

	(void)state;
	assert_int_equal(quota_new(3, 4, 2, &q), 0);
	assert_int_equal(quota_take(q, 0), 0);
	assert_int_equal(quota_take(q, 0), 0);
	assert_int_equal(quota_take(q, 0), -EDQUOT);
	assert_int_equal(quota_take(q, 2), 0);
	assert_int_equal(quota_take(q, 1), 0);
	assert_int_equal(quota_take(q, 1), -ENOSPC);
	/* A user's own limit is named first, and a refusal leaves nothing behind. */
	assert_int_equal(quota_take(q, 0), -EDQUOT);
	assert_int_equal(quota_used(q), 4);
	quota_give(q, 2);
	assert_int_equal(quota_take(q, 1), 0);
	assert_int_equal(quota_take(q, 1), -EDQUOT);
	quota_free(&q);
	assert_null(q);
	quota_free(&q);
}

static void a_limit_of_zero_for_a_user_is_none_and_for_all_is_refused(void **state)
{
	struct quota *q = NULL;

	(void)state;
	assert_int_equal(quota_new(1, 0, 1, &q), -EINVAL);
	assert_null(q);
	assert_int_equal(quota_new(1, 5, 0, &q), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(quota_take(q, 0), i < 5 ? 0 : -ENOSPC);
	quota_free(&q);
}

struct thread {
	pthread_t id;
	struct quota *quota;
	_Atomic int *holders, *most;
	uint32_t user;
	size_t taken;
};

static void *take_and_give(void *arg)
{
	struct thread *t = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int now, most;

		if (quota_take(t->quota, t->user) < 0)
			continue;
		t->taken++;
		now = atomic_fetch_add(t->holders, 1) + 1;
		most = atomic_load(t->most);
		while (now > most && !atomic_compare_exchange_weak(t->most, &most, now))
			;
		atomic_fetch_sub(t->holders, 1);
		quota_give(t->quota, t->user);
	}
	return NULL;
}

static void run(uint32_t max, uint32_t per_user, bool one_user, int expected)
{
	struct thread threads[THREADS] = {0};
	_Atomic int holders = 0, most = 0;
	size_t taken = 0;
	struct quota *q;

	assert_int_equal(quota_new(THREADS, max, per_user, &q), 0);
	for (uint32_t i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){
			.quota = q, .holders = &holders, .most = &most, .user = one_user ? 0 : i};
		assert_int_equal(pthread_create(&threads[i].id, NULL, take_and_give, &threads[i]),
				 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i].id, NULL);
		taken += threads[i].taken;
	}
	assert_true(taken >= ROUNDS);
	assert_in_range(most, 1, expected);
	assert_int_equal(quota_used(q), 0);
	quota_free(&q);
}

static void threads_never_pass_a_limit_between_them(void **state)
{
	(void)state;
	run(2, 0, false, 2);
	run(100, 2, true, 2);
	run(3, 3, true, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_and_all_of_them_have_their_limits),
		cmocka_unit_test(a_limit_of_zero_for_a_user_is_none_and_for_all_is_refused),
		cmocka_unit_test(threads_never_pass_a_limit_between_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
