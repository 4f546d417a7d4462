/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FINGERPRINT, RFC 8489 14.7: checking and appending it. See stun.h. It tells STUN from other
 * protocols and proves nothing about who sent it.
 */
#include <zlib.h>

#include "base/macros.h"
#include "wire/stun.h"

#define FINGERPRINT_LEN 4

/* Of a message whose bytes before the attribute are these, with the length that counts it. */
static uint32_t fingerprint_of(struct span before)
{
	size_t len = before.len - STUN_HEADER_LEN + STUN_ATTR_HEADER_LEN + FINGERPRINT_LEN;
	uint8_t head[] = {before.data[0], before.data[1], (uint8_t)(len >> 8), (uint8_t)len};
	uLong crc = crc32(0, head, sizeof(head));

	crc = crc32(crc, before.data + sizeof(head), (uInt)(before.len - sizeof(head)));
	return (uint32_t)crc ^ STUN_FINGERPRINT_XOR;
}

bool stun_fingerprint_matches(const struct stun_message *message)
{
	size_t at = message->fingerprint_at;

	if (!at)
		return false;
	struct reader r = reader_make(message->raw.data + at, message->raw.len - at);

	reader_u16(&r);
	uint16_t len = reader_u16(&r);
	uint32_t value = reader_u32(&r);

	return !r.failed && len == FINGERPRINT_LEN &&
	       value == fingerprint_of(span_make(message->raw.data, at));
}

void stun_put_fingerprint(struct writer *w)
{
	if (w->failed)
		return;
	ASSERT(w->len >= STUN_HEADER_LEN);
	stun_put_u32(w, STUN_ATTR_FINGERPRINT, fingerprint_of(span_make(w->start, w->len)));
}
