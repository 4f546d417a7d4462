/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes to a checked view of a STUN message, and reads of its attributes. See stun.h. Knows
 * nothing of what a method needs or means.
 */
#include <errno.h>

#include "wire/stun.h"
#include "wire/stun_layout.h"

/* Judges what is there of a header, so that a stream need not wait for the rest of nonsense. */
static bool may_be_stun(struct span bytes)
{
	static const uint8_t cookie[] = {0x21, 0x12, 0xA4, 0x42};

	if (bytes.len >= 1 && bytes.data[0] >= 0x40)
		return false;
	if (bytes.len >= 4 && bytes.data[3] % 4 != 0)
		return false;
	return bytes.len < STUN_COOKIE_OFFSET + sizeof(cookie) ||
	       memcmp(bytes.data + STUN_COOKIE_OFFSET, cookie, sizeof(cookie)) == 0;
}

static void end_body_at(struct stun_message *message, size_t end)
{
	message->body.len = end - STUN_HEADER_LEN;
}

/* Takes note of the attribute from at to end in raw, if it is one that ends what counts. */
static void note_attribute(struct stun_message *message, uint16_t type, size_t at, size_t end)
{
	bool sealed = message->integrity_at || message->integrity_sha256_at;

	switch (type) {
	case STUN_ATTR_MESSAGE_INTEGRITY:
		/* RFC 8489 14.6: behind the SHA256 one it is ignored like any other. */
		if (!sealed) {
			message->integrity_at = at;
			end_body_at(message, end);
		}
		break;
	case STUN_ATTR_MESSAGE_INTEGRITY_SHA256:
		if (message->integrity_sha256_at)
			break;
		message->integrity_sha256_at = at;
		/* Where ignored attributes stand between the two, the body ends before them. */
		if (!sealed || STUN_HEADER_LEN + message->body.len == at)
			end_body_at(message, end);
		break;
	case STUN_ATTR_FINGERPRINT:
		message->fingerprint_at = at;
		if (!sealed)
			end_body_at(message, at);
		break;
	default:
		break;
	}
}

static int scan_attributes(struct stun_message *message)
{
	struct reader r = reader_make(message->body.data, message->body.len);

	while (r.left) {
		size_t at = message->raw.len - r.left;
		uint16_t type = reader_u16(&r);
		uint16_t len = reader_u16(&r);

		reader_take(&r, stun_padded(len));
		/* RFC 8489 14.7: FINGERPRINT is the last one. */
		if (r.failed || message->fingerprint_at)
			return -EBADMSG;
		note_attribute(message, type, at, message->raw.len - r.left);
	}
	return 0;
}

int stun_parse(struct span bytes, struct stun_message *ret)
{
	struct reader r = reader_make(bytes.data, bytes.len);
	struct stun_message message = {0};
	int err;

	if (!may_be_stun(bytes))
		return -EBADMSG;
	uint16_t type = reader_u16(&r);
	uint16_t len = reader_u16(&r);

	reader_u32(&r);
	message.transaction_id = reader_take(&r, STUN_TRANSACTION_ID_LEN).data;
	message.body = reader_take(&r, len);
	if (r.failed)
		return 0;
	message.raw = span_make(bytes.data, STUN_HEADER_LEN + (size_t)len);
	message.method = stun_type_method(type);
	message.class = type & STUN_CLASS_MASK;
	err = scan_attributes(&message);
	if (err)
		return err;
	*ret = message;
	return (int)message.raw.len;
}

bool stun_next(const struct stun_message *message, size_t *offset, struct stun_attr *ret)
{
	struct span body = message->body;

	if (*offset >= body.len)
		return false;
	struct reader r = reader_make(body.data + *offset, body.len - *offset);
	uint16_t type = reader_u16(&r);
	uint16_t len = reader_u16(&r);
	struct span value = reader_take(&r, len);

	if (r.failed)
		return false;
	*offset += STUN_ATTR_HEADER_LEN + stun_padded(len);
	*ret = (struct stun_attr){.type = type, .value = value};
	return true;
}

bool stun_find(const struct stun_message *message, enum stun_attribute type, struct span *ret)
{
	struct stun_attr attr;

	stun_foreach (message, offset, &attr) {
		if (attr.type == type) {
			*ret = attr.value;
			return true;
		}
	}
	return false;
}

int stun_read_u32(struct span value, uint32_t *ret)
{
	struct reader r = reader_make(value.data, value.len);
	uint32_t v = reader_u32(&r);

	if (r.failed || r.left)
		return -EBADMSG;
	*ret = v;
	return 0;
}

int stun_read_u8(struct span value, size_t len, uint8_t *ret)
{
	if (value.len != len || len == 0)
		return -EBADMSG;
	*ret = value.data[0];
	return 0;
}

int stun_read_address(struct span value, struct addr *ret)
{
	struct reader r = reader_make(value.data, value.len);

	/* RFC 8489 14.1: the first byte is to be ignored. */
	reader_u8(&r);
	uint8_t family = reader_u8(&r);
	uint16_t port = reader_u16(&r);

	if (family == STUN_FAMILY_IPV4 && value.len == STUN_ADDRESS_IPV4_LEN)
		*ret = addr_make_v4(r.at, port);
	else if (family == STUN_FAMILY_IPV6 && value.len == STUN_ADDRESS_IPV6_LEN)
		*ret = addr_make_v6(r.at, port);
	else
		return -EBADMSG;
	return 0;
}

int stun_read_xor_address(const struct stun_message *message, struct span value, struct addr *ret)
{
	int err = stun_read_address(value, ret);

	if (err)
		return err;
	stun_xor_address(ret, message->raw.data);
	return 0;
}

static bool contains(const uint16_t list[], size_t count, uint16_t type)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == type)
			return true;
	return false;
}

size_t stun_unknown_attributes(const struct stun_message *message, const uint16_t known[],
			       size_t known_count, uint16_t ret[], size_t max)
{
	struct stun_attr attr;
	size_t count = 0;

	stun_foreach (message, offset, &attr) {
		if (count == max)
			break;
		if (attr.type < STUN_ATTR_OPTIONAL_MIN &&
		    !contains(known, known_count, attr.type) && !contains(ret, count, attr.type))
			ret[count++] = attr.type;
	}
	return count;
}
