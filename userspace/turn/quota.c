/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters that never pass their limits. See quota.h. Knows nothing of what it counts.
 */
#include "turn/quota.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/macros.h"

struct quota {
	uint32_t allocations_max, per_user;
	uint32_t users;
	_Atomic uint32_t used;
	_Atomic uint32_t used_by[];
};

int quota_new(uint32_t users, uint32_t allocations_max, uint32_t per_user, struct quota **ret)
{
	struct quota *quota;

	if (allocations_max == 0)
		return -EINVAL;
	quota = calloc(1, sizeof(*quota) + users * sizeof(quota->used_by[0]));
	if (!quota)
		return -ENOMEM;
	quota->users = users;
	quota->allocations_max = allocations_max;
	quota->per_user = per_user ? per_user : UINT32_MAX;
	*ret = quota;
	return 0;
}

void quota_free(struct quota **quota)
{
	free(*quota);
	*quota = NULL;
}

/* False if it would pass the limit. */
static bool take(_Atomic uint32_t *count, uint32_t limit)
{
	uint32_t old = atomic_load_explicit(count, memory_order_relaxed);

	do {
		if (old >= limit)
			return false;
	} while (!atomic_compare_exchange_weak(count, &old, old + 1));
	return true;
}

static void give(_Atomic uint32_t *count)
{
	ASSERT(atomic_fetch_sub(count, 1) > 0);
}

int quota_take(struct quota *quota, uint32_t user)
{
	ASSERT(user < quota->users);
	if (!take(&quota->used_by[user], quota->per_user))
		return -EDQUOT;
	if (take(&quota->used, quota->allocations_max))
		return 0;
	give(&quota->used_by[user]);
	return -ENOSPC;
}

void quota_give(struct quota *quota, uint32_t user)
{
	ASSERT(user < quota->users);
	give(&quota->used_by[user]);
	give(&quota->used);
}

uint32_t quota_used(const struct quota *quota)
{
	return atomic_load_explicit(&quota->used, memory_order_relaxed);
}
