/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Byte cursors with a sticky error: read or write as much as the format says, then look at
 * `failed` once. After a failure reads return zeros and writes do nothing. Network byte order on
 * the wire, host order in C.
 */
#ifndef TURNPIKE_BASE_CURSOR_H
#define TURNPIKE_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct reader {
	const uint8_t *at;
	size_t left;
	bool failed;
};

static inline struct reader reader_make(const void *data, size_t len)
{
	return (struct reader){.at = data, .left = len};
}

/* Returns len bytes inside the buffer, or an empty span and a set error. */
static inline struct span reader_take(struct reader *r, size_t len)
{
	struct span taken = {.data = r->at, .len = len};

	if (r->failed || len > r->left) {
		r->failed = true;
		return (struct span){0};
	}
	r->at += len;
	r->left -= len;
	return taken;
}

static inline uint8_t reader_u8(struct reader *r)
{
	struct span s = reader_take(r, 1);

	return s.data ? s.data[0] : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
	struct span s = reader_take(r, 2);

	return s.data ? (uint16_t)(s.data[0] << 8 | s.data[1]) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
	struct span s = reader_take(r, 4);

	return s.data ? (uint32_t)s.data[0] << 24 | (uint32_t)s.data[1] << 16 |
				(uint32_t)s.data[2] << 8 | s.data[3]
		      : 0;
}

struct writer {
	uint8_t *start;
	size_t len;
	size_t size;
	bool failed;
};

static inline struct writer writer_make(void *buffer, size_t size)
{
	return (struct writer){.start = buffer, .size = size};
}

/* Reserves len bytes and returns where they are, or NULL and a set error. */
static inline uint8_t *writer_reserve(struct writer *w, size_t len)
{
	uint8_t *at = w->start + w->len;

	if (w->failed || len > w->size - w->len) {
		w->failed = true;
		return NULL;
	}
	w->len += len;
	return at;
}

static inline void writer_bytes(struct writer *w, const void *data, size_t len)
{
	uint8_t *at = writer_reserve(w, len);

	if (at && len)
		memcpy(at, data, len);
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
	writer_bytes(w, &v, 1);
}

static inline void writer_u16(struct writer *w, uint16_t v)
{
	writer_bytes(w, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static inline void writer_u32(struct writer *w, uint32_t v)
{
	writer_u16(w, (uint16_t)(v >> 16));
	writer_u16(w, (uint16_t)v);
}

#endif
