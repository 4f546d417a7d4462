/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many allocations there are, altogether and for each user, shared by all workers: limits
 * hold for the relay as a whole, whichever worker a client reaches. Touched when allocations come
 * and go, never for a packet. Safe to call from any thread; it takes no lock.
 */
#ifndef TURNPIKE_TURN_QUOTA_H
#define TURNPIKE_TURN_QUOTA_H

#include <stdint.h>

struct quota;

/*
 * users: how many indices of users there are. per_user 0 is no limit for one user. 0, -EINVAL for
 * a limit of 0 allocations, or -ENOMEM.
 */
int quota_new(uint32_t users, uint32_t allocations_max, uint32_t per_user, struct quota **ret);
/* Takes NULL. */
void quota_free(struct quota **quota);

/*
 * Counts one allocation for the user of that index. 0; -EDQUOT if the user has as many as he may;
 * -ENOSPC if all of them together are. Neither is ever exceeded, not for a moment.
 */
int quota_take(struct quota *quota, uint32_t user);
void quota_give(struct quota *quota, uint32_t user);

uint32_t quota_used(const struct quota *quota);

#endif
