/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A borrowed run of bytes. The owner of the bytes is whoever the function that returned the span
 * names; a span never outlives the buffer it points into.
 */
#ifndef TURNPIKE_BASE_SPAN_H
#define TURNPIKE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *data;
	size_t len;
};

static inline struct span span_make(const void *data, size_t len)
{
	return (struct span){.data = data, .len = len};
}

static inline struct span span_of(const char *text)
{
	return span_make(text, strlen(text));
}

/* Not in constant time: never for secrets, see auth/secret.h. */
static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif
