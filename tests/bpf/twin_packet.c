/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drawing packets. See twin_packet.h. Knows the world's addresses and channels; not what should
 * become of a packet.
 */
#include "twin_packet.h"

#include "base/cursor.h"
#include "base/macros.h"
#include "turnpike/wire.h"
#include "twin_payload.h"

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

static struct twin_channel *draw_channel(struct twin_world *w, struct twin_random *random)
{
	/* They are numbered from 0 without large gaps. */
	for (;;) {
		size_t at = twin_below(random, 96);

		if (w->channels[at].live)
			return &w->channels[at];
	}
}

static const struct turn_grant *draw_grant(struct twin_world *w, struct twin_random *random)
{
	for (;;) {
		size_t at = twin_below(random, 160);

		if (w->grants[at].live)
			return &w->grants[at].grant;
	}
}

static const struct twin_client *draw_client(struct twin_world *w, struct twin_random *random)
{
	return &w->clients[twin_below(random, TWIN_CLIENTS)];
}

static struct addr draw_relayed(struct twin_world *w, struct twin_random *random)
{
	return w->relays[twin_below(random, (uint32_t)w->relay_count)].internal;
}

static void draw_channel_up(struct twin_world *world, struct twin_random *random,
			    struct twin_packet *p, struct writer *w)
{
	const struct turn_flow *flow = &draw_channel(world, random)->flow;

	p->src = flow->tuple.client;
	p->dst = flow->tuple.server;
	twin_put_channel_data(random, w, flow->channel);
}

static void draw_peer_down(struct twin_world *world, struct twin_random *random,
			   struct twin_packet *p, struct writer *w)
{
	const struct turn_flow *flow = &draw_channel(world, random)->flow;

	p->src = flow->peer;
	p->dst = flow->relayed;
	twin_put_peer_data(random, w);
}

/* Any port of the peer; of this relay's own addresses one that is an allocation. */
static struct addr draw_port(struct twin_world *world, struct twin_random *random,
			     const struct addr *ip)
{
	struct addr peer = *ip;

	peer.port = (uint16_t)(1 + twin_below(random, 65535));
	if (!twin_world_is_own(world, ip))
		return peer;
	do
		peer = draw_relayed(world, random);
	while (peer.family != ip->family);
	return peer;
}

/* Clients know the allocations of this relay by their external addresses, and some by others. */
static void draw_allowed_send(struct twin_world *world, struct twin_random *random,
			      struct twin_packet *p, struct writer *w)
{
	const struct turn_grant *grant = draw_grant(world, random);
	struct addr peer = draw_port(world, random, &grant->peer);

	if (twin_chance(random, 80))
		peer = ports_to_external(world->ports, &peer);
	p->src = grant->tuple.client;
	p->dst = grant->tuple.server;
	p->common = twin_put_send_indication(random, w, &peer);
}

static void draw_allowed_peer(struct twin_world *world, struct twin_random *random,
			      struct twin_packet *p, struct writer *w)
{
	const struct turn_grant *grant = draw_grant(world, random);

	p->src = draw_port(world, random, &grant->peer);
	p->dst = grant->relayed;
	twin_put_peer_data(random, w);
}

static void draw_from_client(struct twin_world *world, struct twin_random *random,
			     struct twin_packet *p, struct writer *w)
{
	const struct twin_client *client = draw_client(world, random);

	p->src = client->from.tuple.client;
	p->dst = client->from.tuple.server;
	if (p->kind == TWIN_KIND_STUN)
		twin_put_stun(random, w);
	else if (p->kind == TWIN_KIND_SEND_ELSE)
		p->common = twin_put_send_indication(
			random, w, &world->peers[twin_below(random, (uint32_t)world->peer_count)]);
	else if (p->kind == TWIN_KIND_CHANNEL_ELSE)
		twin_put_channel_data(
			random, w,
			(uint16_t)(twin_chance(random, 60)
					   ? CHANNEL_NUMBER_MIN - 1 + twin_below(random, 10)
					   : CHANNEL_NUMBER_MAX + 2 - twin_below(random, 10)));
	else
		twin_put_any(random, w, twin_draw_size(random));
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
	twin_put_peer_data(random, w);
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
	case TWIN_KIND_PEER_ALLOWED:
		draw_allowed_peer(world, random, p, w);
		break;
	case TWIN_KIND_SEND:
		draw_allowed_send(world, random, p, w);
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
	ret->common = true;
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

void twin_packet_balance(struct twin_packet *packet, uint32_t sum)
{
	bool channel = packet->kind == TWIN_KIND_CHANNEL;
	uint8_t *at = packet->payload + (channel ? CHANNEL_DATA_HEADER_LEN : 0);
	uint32_t word = (uint32_t)(at[0] << 8 | at[1]) + (0xffff - sum);

	if (packet->payload_len < CHANNEL_DATA_HEADER_LEN + 2)
		return;
	word = (word & 0xffff) + (word >> 16);
	at[0] = (uint8_t)(word >> 8);
	at[1] = (uint8_t)word;
	packet->len = twin_frame_build(&packet->shape, &packet->src, &packet->dst,
				       span_make(packet->payload, packet->payload_len),
				       packet->frame);
}
