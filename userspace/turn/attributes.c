/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes that several methods have in common: which we understand, LIFETIME and the address
 * families.
 */
#include <errno.h>

#include "turn/state.h"

/* Comprehension-required attributes that we understand, RFC 8489 6.3.1. */
static const uint16_t known_attributes[] = {
	STUN_ATTR_MAPPED_ADDRESS,
	STUN_ATTR_USERNAME,
	STUN_ATTR_MESSAGE_INTEGRITY,
	STUN_ATTR_MESSAGE_INTEGRITY_SHA256,
	STUN_ATTR_ERROR_CODE,
	STUN_ATTR_UNKNOWN_ATTRIBUTES,
	STUN_ATTR_CHANNEL_NUMBER,
	STUN_ATTR_LIFETIME,
	STUN_ATTR_XOR_PEER_ADDRESS,
	STUN_ATTR_DATA,
	STUN_ATTR_REALM,
	STUN_ATTR_NONCE,
	STUN_ATTR_XOR_RELAYED_ADDRESS,
	STUN_ATTR_REQUESTED_ADDRESS_FAMILY,
	STUN_ATTR_EVEN_PORT,
	STUN_ATTR_REQUESTED_TRANSPORT,
	STUN_ATTR_DONT_FRAGMENT,
	STUN_ATTR_XOR_MAPPED_ADDRESS,
	STUN_ATTR_RESERVATION_TOKEN,
};

size_t attributes_unknown(const struct stun_message *message, uint16_t ret[], size_t max)
{
	return stun_unknown_attributes(message, known_attributes, ARRAY_SIZE(known_attributes), ret,
				       max);
}

int lifetime_wanted(const struct stun_message *message, bool zero_deletes, uint32_t *ret_s)
{
	struct span value;
	uint32_t asked = TURN_LIFETIME_DEFAULT_S;

	if (stun_find(message, STUN_ATTR_LIFETIME, &value) && stun_read_u32(value, &asked) < 0)
		return -EBADMSG;
	if (asked == 0 && zero_deletes)
		*ret_s = 0;
	else
		*ret_s = MAX(MIN(asked, TURN_LIFETIME_MAX_S), TURN_LIFETIME_DEFAULT_S);
	return 0;
}

unsigned int family_wanted(const struct stun_message *message, enum stun_attribute type,
			   enum addr_family *ret)
{
	struct span value;
	uint8_t family;

	*ret = ADDR_NONE;
	if (!stun_find(message, type, &value))
		return 0;
	if (stun_read_u8(value, 4, &family) < 0)
		return 400;
	if (family != STUN_FAMILY_IPV4 && family != STUN_FAMILY_IPV6)
		return 440;
	*ret = family == STUN_FAMILY_IPV4 ? ADDR_IPV4 : ADDR_IPV6;
	return 0;
}
