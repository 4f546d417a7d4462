/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drawing what is in the packets. See twin_payload.h. Knows no addresses but the one that a Send
 * indication names.
 */
#include "twin_payload.h"

#include "base/macros.h"
#include "twin_frame.h"
#include "wire/stun.h"

/* Around what just fits an MTU in some form, around powers of two, the least, and any. */
size_t twin_draw_size(struct twin_random *random)
{
	static const uint16_t mtus[] = {1500, 1280};
	static const uint16_t headers[] = {20 + 8, 40 + 8};
	static const uint16_t forms[] = {0, 4, 36, 48};
	size_t size;

	switch (twin_below(random, 5)) {
	case 0:
		size = mtus[twin_below(random, 2)] - headers[twin_below(random, 2)] -
		       forms[twin_below(random, 4)];
		return size - 4 + twin_below(random, 9);
	case 1:
		size = 1U << twin_below(random, 11);
		return size - 1 + twin_below(random, 3);
	case 2:
		return twin_below(random, 9);
	default:
		return twin_below(random, 1501);
	}
}

void twin_put_any(struct twin_random *random, struct writer *w, size_t len)
{
	uint8_t *at = writer_reserve(w, len);

	if (at)
		twin_fill(random, at, len);
}

void twin_put_channel_data(struct twin_random *random, struct writer *w, uint16_t channel)
{
	size_t size = twin_draw_size(random), claimed = size;

	if (twin_chance(random, 4))
		claimed += twin_below(random, 9) - 4;
	writer_u16(w, channel);
	writer_u16(w, (uint16_t)claimed);
	twin_put_any(random, w, size);
	/* Padding to four bytes, or some number of bytes, one more than is padding among them. */
	if (twin_chance(random, 20))
		twin_put_any(random, w, (4 - size % 4) % 4);
	else if (twin_chance(random, 20))
		twin_put_any(random, w, twin_below(random, 5));
}

void twin_put_peer_data(struct twin_random *random, struct writer *w)
{
	size_t size = twin_draw_size(random);
	uint8_t id[STUN_TRANSACTION_ID_LEN];

	if (twin_chance(random, 5)) {
		twin_put_channel_data(random, w,
				      (uint16_t)(CHANNEL_NUMBER_MIN + twin_below(random, 8)));
	} else if (twin_chance(random, 5)) {
		twin_fill(random, id, sizeof(id));
		stun_begin(w, STUN_METHOD_BINDING, STUN_CLASS_REQUEST, id);
		stun_end(w);
	} else {
		twin_put_any(random, w, size);
	}
}

static void put_extra_attribute(struct twin_random *random, struct writer *w)
{
	static const uint16_t types[] = {STUN_ATTR_SOFTWARE, STUN_ATTR_DONT_FRAGMENT, 0x7f00,
					 STUN_ATTR_LIFETIME, STUN_ATTR_DATA,	      0xff00};
	uint16_t type = types[twin_below(random, ARRAY_SIZE(types))];
	uint8_t value[8];
	size_t len = type == STUN_ATTR_DONT_FRAGMENT ? 0 : twin_below(random, sizeof(value) + 1);

	twin_fill(random, value, sizeof(value));
	stun_put(w, (enum stun_attribute)type, span_make(value, len));
}

/* Padding's content means nothing (RFC 8489 14); the data must be copied and it must not. */
static void put_data_attribute(struct twin_random *random, struct writer *w)
{
	uint8_t data[TWIN_PAYLOAD_MAX];
	size_t size = twin_draw_size(random), before = w->len;

	twin_fill(random, data, sizeof(data));
	stun_put(w, STUN_ATTR_DATA, span_make(data, size));
	if (!w->failed && twin_chance(random, 50))
		for (size_t i = before + 4 + size; i < w->len; i++)
			w->start[i] = 0xa7;
}

bool twin_put_send_indication(struct twin_random *random, struct writer *w, const struct addr *peer)
{
	uint8_t id[STUN_TRANSACTION_ID_LEN];
	bool data_first = twin_chance(random, 20), common = !twin_chance(random, 10);
	uint32_t oddity = common ? 0 : 1 + twin_below(random, 6);

	twin_fill(random, id, sizeof(id));
	stun_begin(w, STUN_METHOD_SEND, STUN_CLASS_INDICATION, id);
	if (oddity == 1)
		put_extra_attribute(random, w);
	if (data_first && oddity != 2)
		put_data_attribute(random, w);
	if (oddity != 3)
		stun_put_xor_address(w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	if (oddity == 4)
		put_extra_attribute(random, w);
	if (!data_first && oddity != 2)
		put_data_attribute(random, w);
	if (oddity == 5)
		put_extra_attribute(random, w);
	/* The fingerprint of a Send indication is not looked at. */
	if (twin_chance(random, 40)) {
		stun_put_fingerprint(w);
		if (!w->failed && twin_chance(random, 5))
			w->start[w->len - 1 - twin_below(random, 4)] ^= 0x10;
	}
	stun_end(w);
	if (oddity == 6)
		twin_put_any(random, w, 1 + twin_below(random, 8));
	return common;
}

void twin_put_stun(struct twin_random *random, struct writer *w)
{
	static const uint16_t methods[] = {STUN_METHOD_BINDING,	     STUN_METHOD_ALLOCATE,
					   STUN_METHOD_REFRESH,	     STUN_METHOD_DATA,
					   STUN_METHOD_CHANNEL_BIND, 0x0ff};
	static const uint16_t classes[] = {STUN_CLASS_REQUEST, STUN_CLASS_INDICATION,
					   STUN_CLASS_SUCCESS, STUN_CLASS_ERROR};
	uint16_t method = methods[twin_below(random, ARRAY_SIZE(methods))];
	uint8_t id[STUN_TRANSACTION_ID_LEN];

	twin_fill(random, id, sizeof(id));
	stun_begin(w, method, classes[twin_below(random, ARRAY_SIZE(classes))], id);
	if (twin_chance(random, 50))
		put_extra_attribute(random, w);
	if (twin_chance(random, 30))
		stun_put_fingerprint(w);
	stun_end(w);
}
