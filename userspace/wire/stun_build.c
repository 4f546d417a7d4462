/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * STUN messages to bytes. See stun.h. Every byte of a message is written, padding too: what was
 * in the buffer before must never leave.
 */
#include <errno.h>

#include "base/macros.h"
#include "wire/stun.h"
#include "wire/stun_layout.h"

/* Room for a value of len bytes behind its attribute header, padding zeroed; NULL if full. */
static uint8_t *reserve_attribute(struct writer *w, uint16_t type, size_t len)
{
	size_t padded = stun_padded(len);

	if (len > STUN_LENGTH_MAX) {
		w->failed = true;
		return NULL;
	}
	writer_u16(w, type);
	writer_u16(w, (uint16_t)len);
	uint8_t *at = writer_reserve(w, padded);

	if (at)
		memset(at + len, 0, padded - len);
	return at;
}

static void set_length(uint8_t header[static STUN_HEADER_LEN], size_t len)
{
	header[2] = (uint8_t)(len >> 8);
	header[3] = (uint8_t)len;
}

void stun_begin(struct writer *w, uint16_t method, uint16_t class,
		const uint8_t transaction_id[static STUN_TRANSACTION_ID_LEN])
{
	ASSERT(w->len == 0 && method <= STUN_METHOD_MAX && (class & ~STUN_CLASS_MASK) == 0);
	writer_u16(w, stun_type_make(method, class));
	writer_u16(w, 0);
	writer_u32(w, STUN_MAGIC_COOKIE);
	writer_bytes(w, transaction_id, STUN_TRANSACTION_ID_LEN);
}

void stun_put(struct writer *w, enum stun_attribute type, struct span value)
{
	uint8_t *at = reserve_attribute(w, type, value.len);

	if (at && value.len)
		memcpy(at, value.data, value.len);
}

void stun_put_u32(struct writer *w, enum stun_attribute type, uint32_t value)
{
	writer_u16(w, type);
	writer_u16(w, sizeof(value));
	writer_u32(w, value);
}

void stun_put_xor_address(struct writer *w, enum stun_attribute type, const struct addr *a)
{
	size_t ip_len = addr_ip_len(a);
	struct addr x = *a;

	if (w->failed)
		return;
	ASSERT(ip_len != 0 && w->len >= STUN_HEADER_LEN);
	stun_xor_address(&x, w->start);
	writer_u16(w, type);
	writer_u16(w, (uint16_t)(4 + ip_len));
	writer_u8(w, 0);
	writer_u8(w, x.family == ADDR_IPV4 ? STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6);
	writer_u16(w, x.port);
	writer_bytes(w, x.ip, ip_len);
}

void stun_put_error(struct writer *w, unsigned int code, const char *reason)
{
	size_t len = strlen(reason);

	/* RFC 8489 14.8: classes 3 to 6, numbers 0 to 99. */
	ASSERT(code >= 300 && code <= 699);
	uint8_t *at = reserve_attribute(w, STUN_ATTR_ERROR_CODE, 4 + len);

	if (!at)
		return;
	memcpy(at, (uint8_t[]){0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100)}, 4);
	memcpy(at + 4, reason, len);
}

void stun_put_address_error(struct writer *w, enum addr_family family, unsigned int code)
{
	ASSERT(family == ADDR_IPV4 || family == ADDR_IPV6);
	ASSERT(code >= 300 && code <= 699);
	stun_put_u32(w, STUN_ATTR_ADDRESS_ERROR_CODE,
		     (family == ADDR_IPV4 ? (uint32_t)STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6) << 24 |
			     code / 100 << 8 | code % 100);
}

void stun_put_unknown_attributes(struct writer *w, const uint16_t types[], size_t count)
{
	uint8_t *at = reserve_attribute(w, STUN_ATTR_UNKNOWN_ATTRIBUTES, 2 * count);

	for (size_t i = 0; at && i < count; i++) {
		at[2 * i] = (uint8_t)(types[i] >> 8);
		at[2 * i + 1] = (uint8_t)types[i];
	}
}

void stun_put_icmp(struct writer *w, uint8_t type, uint8_t code, uint32_t data)
{
	ASSERT(type < 128);
	writer_u16(w, STUN_ATTR_ICMP);
	writer_u16(w, 8);
	writer_u16(w, 0);
	writer_u16(w, (uint16_t)(type << 9 | code));
	writer_u32(w, data);
}

int stun_end(struct writer *w)
{
	if (w->failed || w->len - STUN_HEADER_LEN > STUN_LENGTH_MAX)
		return -ENOBUFS;
	set_length(w->start, w->len - STUN_HEADER_LEN);
	return (int)w->len;
}

size_t stun_data_indication_header(const struct addr *peer, size_t len,
				   const uint8_t transaction_id[static STUN_TRANSACTION_ID_LEN],
				   uint8_t ret[static STUN_DATA_INDICATION_HEADER_MAX])
{
	struct writer w = writer_make(ret, STUN_DATA_INDICATION_HEADER_MAX);
	/* Small enough to add up without a wrap, before the exact limit below. */
	size_t padded = len <= STUN_LENGTH_MAX ? stun_padded(len) : STUN_LENGTH_MAX + 1;

	stun_begin(&w, STUN_METHOD_DATA, STUN_CLASS_INDICATION, transaction_id);
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	writer_u16(&w, STUN_ATTR_DATA);
	writer_u16(&w, (uint16_t)len);
	ASSERT(!w.failed);
	if (w.len - STUN_HEADER_LEN + padded > STUN_LENGTH_MAX)
		return 0;
	set_length(ret, w.len - STUN_HEADER_LEN + padded);
	return w.len;
}
