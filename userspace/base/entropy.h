/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random bytes as an input. The state machine has no random source of its own (design: time and
 * randomness come in with the packet); whoever drives it keeps this pool filled from the system's
 * generator. Tests fill it with what they like.
 */
#ifndef TURNPIKE_BASE_ENTROPY_H
#define TURNPIKE_BASE_ENTROPY_H

#include <stdint.h>
#include <string.h>

#include "base/macros.h"

#define ENTROPY_POOL_SIZE 4096

struct entropy {
	uint8_t bytes[ENTROPY_POOL_SIZE];
	size_t left;
};

/* Moves len bytes out of the pool. The driver guarantees enough of them: see turn/turn.h. */
static inline void entropy_take(struct entropy *e, void *ret, size_t len)
{
	ASSERT(len <= e->left);
	e->left -= len;
	memcpy(ret, e->bytes + e->left, len);
	explicit_bzero(e->bytes + e->left, len);
}

static inline uint32_t entropy_u32(struct entropy *e)
{
	uint32_t v;

	entropy_take(e, &v, sizeof(v));
	return v;
}

#endif
