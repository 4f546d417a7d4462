/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dense numbers for allocations and flows, so that others can keep arrays by them.
 */
#include <errno.h>
#include <stdlib.h>

#include "turn/state.h"

/* Room for every number that is out, so that giving one back cannot fail. */
static int reserve(struct ids *ids)
{
	if (ids->next < ids->room)
		return 0;

	uint32_t room = ids->room ? ids->room * 2 : 64;
	uint32_t *grown = reallocarray(ids->free, room, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	ids->free = grown;
	ids->room = room;
	return 0;
}

int ids_take(struct ids *ids, uint32_t limit, uint32_t *ret)
{
	if (ids->free_count) {
		*ret = ids->free[--ids->free_count];
		return 0;
	}
	if (ids->next >= limit)
		return -ENOSPC;

	int r = reserve(ids);

	if (r < 0)
		return r;
	*ret = ids->next++;
	return 0;
}

void ids_give(struct ids *ids, uint32_t id)
{
	ASSERT(id < ids->next && ids->free_count < ids->next);
	ids->free[ids->free_count++] = id;
}

void ids_clear(struct ids *ids)
{
	free(ids->free);
	*ids = (struct ids){0};
}
