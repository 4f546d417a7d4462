/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reproducible chance for the differential test: one number is the seed of everything.
 */
#ifndef TURNPIKE_TESTS_TWIN_RANDOM_H
#define TURNPIKE_TESTS_TWIN_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct twin_random {
	uint64_t state;
};

/* SplitMix64: neighbouring seeds give unrelated sequences. */
static inline uint64_t twin_next(struct twin_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0 to limit - 1. */
static inline uint32_t twin_below(struct twin_random *random, uint32_t limit)
{
	return (uint32_t)((twin_next(random) >> 32) % limit);
}

static inline bool twin_chance(struct twin_random *random, uint32_t percent)
{
	return twin_below(random, 100) < percent;
}

static inline void twin_fill(struct twin_random *random, void *bytes, size_t len)
{
	uint8_t *at = bytes;

	while (len > 0) {
		uint64_t word = twin_next(random);
		size_t part = len < sizeof(word) ? len : sizeof(word);

		memcpy(at, &word, part);
		at += part;
		len -= part;
	}
}

#endif
