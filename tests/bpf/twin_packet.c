/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drawing packets. See twin_packet.h. Knows the world's addresses and channels, and the forms;
 * not what should become of a packet.
 */
#include "twin_packet.h"

#include "base/cursor.h"
#include "base/macros.h"
#include "wire/stun.h"

static const struct {
	const char *name;
	uint32_t weight;
} kinds[] = {
#define X(constant, name, weight) {name, weight},
	TWIN_KINDS(X)
#undef X
};

const char *twin_kind_name(enum twin_kind kind)
{
	return kinds[kind].name;
}

static enum twin_kind draw_kind(struct twin_random *random)
{
	uint32_t sum = 0, at;
	unsigned int kind = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		sum += kinds[i].weight;
	at = twin_below(random, sum);
	while (at >= kinds[kind].weight)
		at -= kinds[kind++].weight;
	return (enum twin_kind)kind;
}

/* Around what just fits an MTU in some form, around powers of two, the least, and any. */
static size_t draw_size(struct twin_random *random)
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

static struct twin_channel *draw_channel(struct twin_world *w, struct twin_random *random)
{
	size_t at = twin_below(random, TWIN_FLOWS);

	while (!w->channels[at].live)
		at = (at + 1) % TWIN_FLOWS;
	return &w->channels[at];
}

static const struct twin_client *draw_client(struct twin_world *w, struct twin_random *random)
{
	return &w->clients[twin_below(random, TWIN_CLIENTS)];
}

static struct addr draw_relayed(struct twin_world *w, struct twin_random *random)
{
	return w->relays[twin_below(random, (uint32_t)w->relay_count)].internal;
}

static void put_any(struct twin_random *random, struct writer *w, size_t len)
{
	uint8_t *at = writer_reserve(w, len);

	if (at)
		twin_fill(random, at, len);
}

static void put_channel_data(struct twin_random *random, struct writer *w, uint16_t channel)
{
	size_t size = draw_size(random), claimed = size;

	if (twin_chance(random, 4))
		claimed += twin_below(random, 9) - 4;
	writer_u16(w, channel);
	writer_u16(w, (uint16_t)claimed);
	put_any(random, w, size);
	/* Padding to four bytes, or some number of bytes, one more than is padding among them. */
	if (twin_chance(random, 20))
		put_any(random, w, (4 - size % 4) % 4);
	else if (twin_chance(random, 20))
		put_any(random, w, twin_below(random, 5));
}

/* Bare data, which may look like anything. */
static void put_peer_data(struct twin_random *random, struct writer *w)
{
	size_t size = draw_size(random);
	uint8_t id[STUN_TRANSACTION_ID_LEN];

	if (twin_chance(random, 5)) {
		put_channel_data(random, w, (uint16_t)(CHANNEL_NUMBER_MIN + twin_below(random, 8)));
	} else if (twin_chance(random, 5)) {
		twin_fill(random, id, sizeof(id));
		stun_begin(w, STUN_METHOD_BINDING, STUN_CLASS_REQUEST, id);
		stun_end(w);
	} else {
		put_any(random, w, size);
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
	size_t size = draw_size(random), before = w->len;

	twin_fill(random, data, sizeof(data));
	stun_put(w, STUN_ATTR_DATA, span_make(data, size));
	if (!w->failed && twin_chance(random, 50))
		for (size_t i = before + 4 + size; i < w->len; i++)
			w->start[i] = 0xa7;
}

static void put_send_indication(struct twin_random *random, struct writer *w,
				const struct addr *peer)
{
	uint8_t id[STUN_TRANSACTION_ID_LEN];
	bool data_first = twin_chance(random, 20);

	twin_fill(random, id, sizeof(id));
	stun_begin(w, STUN_METHOD_SEND, STUN_CLASS_INDICATION, id);
	if (twin_chance(random, 3))
		put_extra_attribute(random, w);
	if (data_first)
		put_data_attribute(random, w);
	if (!twin_chance(random, 1))
		stun_put_xor_address(w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	if (twin_chance(random, 2))
		put_extra_attribute(random, w);
	if (!data_first && !twin_chance(random, 1))
		put_data_attribute(random, w);
	if (twin_chance(random, 3))
		put_extra_attribute(random, w);
	if (twin_chance(random, 40)) {
		stun_put_fingerprint(w);
		if (!w->failed && twin_chance(random, 5))
			w->start[w->len - 1 - twin_below(random, 4)] ^= 0x10;
	}
	stun_end(w);
	if (twin_chance(random, 2))
		put_any(random, w, 1 + twin_below(random, 8));
}

static void put_stun(struct twin_random *random, struct writer *w)
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

static void draw_channel_up(struct twin_world *world, struct twin_random *random,
			    struct twin_packet *p, struct writer *w)
{
	const struct turn_flow *flow = &draw_channel(world, random)->flow;

	p->src = flow->tuple.client;
	p->dst = flow->tuple.server;
	put_channel_data(random, w, flow->channel);
}

static void draw_peer_down(struct twin_world *world, struct twin_random *random,
			   struct twin_packet *p, struct writer *w)
{
	const struct turn_flow *flow = &draw_channel(world, random)->flow;

	p->src = flow->peer;
	p->dst = flow->relayed;
	put_peer_data(random, w);
}

static void draw_from_client(struct twin_world *world, struct twin_random *random,
			     struct twin_packet *p, struct writer *w)
{
	const struct twin_client *client = draw_client(world, random);

	p->src = client->from.tuple.client;
	p->dst = client->from.tuple.server;
	if (p->kind == TWIN_KIND_STUN)
		put_stun(random, w);
	else if (p->kind == TWIN_KIND_SEND)
		put_send_indication(random, w,
				    &world->peers[twin_below(random, (uint32_t)world->peer_count)]);
	else if (p->kind == TWIN_KIND_CHANNEL_ELSE)
		put_channel_data(
			random, w,
			(uint16_t)(twin_chance(random, 60)
					   ? CHANNEL_NUMBER_MIN - 1 + twin_below(random, 10)
					   : CHANNEL_NUMBER_MAX + 2 - twin_below(random, 10)));
	else
		put_any(random, w, draw_size(random));
}

/* Any peer of the family: those with a permission and no channel, with another port, none. */
static void draw_to_relayed(struct twin_world *world, struct twin_random *random,
			    struct twin_packet *p, struct writer *w)
{
	p->dst = draw_relayed(world, random);
	do
		p->src = world->peers[twin_below(random, (uint32_t)world->peer_count)];
	while (p->src.family != p->dst.family);
	if (twin_chance(random, 20))
		p->src.port = (uint16_t)twin_next(random);
	put_peer_data(random, w);
}

/* One of the four parts of the addresses is another's, or both change places. */
static void estrange(struct twin_random *random, struct twin_packet *p)
{
	size_t last = addr_ip_len(&p->src) - 1;
	struct addr src = p->src;

	switch (twin_below(random, 5)) {
	case 0:
		p->src.port ^= 1;
		break;
	case 1:
		p->dst.port ^= 1;
		break;
	case 2:
		p->src.ip[last] ^= (uint8_t)(1 + twin_below(random, 3));
		break;
	case 3:
		p->dst.ip[last] ^= (uint8_t)(1 + twin_below(random, 3));
		break;
	default:
		p->src = p->dst;
		p->dst = src;
	}
}

static void draw_payload(struct twin_world *world, struct twin_random *random,
			 struct twin_packet *p, struct writer *w)
{
	bool up = twin_chance(random, 50);

	switch (p->kind) {
	case TWIN_KIND_CHANNEL:
		draw_channel_up(world, random, p, w);
		break;
	case TWIN_KIND_PEER:
		draw_peer_down(world, random, p, w);
		break;
	case TWIN_KIND_STRANGER:
		if (up)
			draw_channel_up(world, random, p, w);
		else
			draw_peer_down(world, random, p, w);
		estrange(random, p);
		break;
	case TWIN_KIND_PEER_ELSE:
		draw_to_relayed(world, random, p, w);
		break;
	default:
		draw_from_client(world, random, p, w);
	}
}

/* BPF_PROG_TEST_RUN takes no frame without an Ethernet header. */
#define FRAME_MIN 14

static void damage(struct twin_random *random, struct twin_packet *p)
{
	uint32_t flips = 1 + twin_below(random, 3);

	p->damaged = true;
	if (twin_chance(random, 30)) {
		p->len -= twin_below(random, (uint32_t)p->len - FRAME_MIN + 1);
		return;
	}
	/* Most damage is to the headers: data is only covered by a checksum. */
	for (uint32_t i = 0; i < flips; i++) {
		uint32_t end = (uint32_t)(twin_chance(random, 80) ? MIN(p->len, 80U) : p->len);

		p->frame[twin_below(random, end)] ^= (uint8_t)(1U << twin_below(random, 8));
	}
}

void twin_packet_draw(struct twin_world *world, struct twin_random *random, struct twin_packet *ret)
{
	struct writer w = writer_make(ret->payload, sizeof(ret->payload));

	ret->kind = draw_kind(random);
	ret->damaged = false;
	if (ret->kind == TWIN_KIND_NOISE) {
		ret->damaged = true;
		ret->len = FRAME_MIN + twin_below(random, 200);
		twin_fill(random, ret->frame, ret->len);
		return;
	}
	draw_payload(world, random, ret, &w);
	ASSERT(!w.failed);
	ret->payload_len = w.len;
	twin_shape_draw(random, ret->src.family, &ret->shape);
	ret->len = twin_frame_build(&ret->shape, &ret->src, &ret->dst,
				    span_make(ret->payload, ret->payload_len), ret->frame);
	if (twin_chance(random, 8))
		damage(random, ret);
}
