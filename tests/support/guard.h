/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inputs that end at a page which faults: a parser that reads one byte too far does not survive.
 */
#ifndef TURNPIKE_TESTS_GUARD_H
#define TURNPIKE_TESTS_GUARD_H

#include "base/span.h"

/* A copy of data whose last byte is the last of a page, the next page unreadable. guard_free it. */
struct span guard_copy(struct span data);
void guard_free(struct span copy);

/* Calls check for every prefix of data, from none of it to all, each ending at a guard page. */
void guard_each_prefix(struct span data, void (*check)(void *ctx, struct span prefix), void *ctx);

/* Bytes from hexadecimal digits; spaces are skipped. Returns how many were written to ret. */
size_t hex_bytes(const char *hex, uint8_t *ret, size_t size);

#endif
