/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of every shape. See twin_frame.h. Knows no flow and no TURN.
 */
#include "twin_frame.h"

#include "base/cursor.h"
#include "base/macros.h"
#include "twin_host.h"

#define PROTO_UDP	  17
#define PROTO_FRAGMENT	  44
#define PROTO_DESTINATION 60

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t neighbour_mac[6] = {2, 0, 0, 0, 0, 2};

/* Up to two tags of the types that Linux has VLANs of. */
static bool has_usual_tags(const struct twin_shape *shape)
{
	for (unsigned int i = 0; i < shape->tags; i++)
		if (shape->tag[i] >> 16 == 0x9100)
			return false;
	return shape->tags <= 2;
}

bool twin_shape_is_plain(const struct twin_shape *shape, enum addr_family family)
{
	bool summed = shape->sum != TWIN_SUM_WRONG &&
		      (shape->sum != TWIN_SUM_NONE || family == ADDR_IPV4);

	return summed && !(shape->dst_mac[0] & 1) && has_usual_tags(shape) && !shape->options &&
	       !shape->extension && !shape->fragment && !shape->ip_len_lie && !shape->udp_len_lie &&
	       !(shape->bad_header_sum && family == ADDR_IPV4) && shape->ttl > 1;
}

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void write_ethernet(struct writer *w, const struct twin_shape *shape,
			   enum addr_family family)
{
	writer_bytes(w, shape->dst_mac, 6);
	writer_bytes(w, shape->src_mac, 6);
	for (unsigned int i = 0; i < shape->tags; i++)
		writer_u32(w, shape->tag[i]);
	writer_u16(w, family == ADDR_IPV4 ? 0x0800 : 0x86dd);
}

static void write_ipv4(struct writer *w, const struct twin_shape *shape, const struct addr *src,
		       const struct addr *dst, size_t udp_len)
{
	size_t header_len = 20U + shape->options;
	uint8_t *ip = writer_reserve(w, header_len);
	uint16_t flags = (uint16_t)(shape->fragment | (shape->dont_fragment ? 0x4000 : 0));

	ASSERT(ip);
	memset(ip, 1, header_len); /* no-operation options */
	ip[0] = (uint8_t)(0x40 | header_len / 4);
	ip[1] = shape->traffic_class;
	put16(ip + 2, header_len + udp_len + (size_t)shape->ip_len_lie);
	put16(ip + 4, shape->id);
	put16(ip + 6, flags);
	ip[8] = shape->ttl;
	ip[9] = PROTO_UDP;
	put16(ip + 10, 0);
	memcpy(ip + 12, src->ip, 4);
	memcpy(ip + 16, dst->ip, 4);
	put16(ip + 10, ~twin_host_sum(0, ip, header_len) + shape->bad_header_sum);
}

static void write_extension(struct writer *w, uint8_t type, uint16_t fragment)
{
	writer_u8(w, PROTO_UDP);
	writer_u8(w, 0);
	if (type == PROTO_FRAGMENT)
		/* RFC 8200 4.5: the offset stands three bits higher than in IPv4. */
		writer_u16(w, (uint16_t)(fragment << 3 | fragment >> 13));
	else
		writer_u16(w, 0x0104); /* PadN, as long as is left */
	writer_u32(w, 0);
}

static void write_ipv6(struct writer *w, const struct twin_shape *shape, const struct addr *src,
		       const struct addr *dst, size_t udp_len)
{
	size_t len = udp_len + (shape->extension ? 8 : 0);

	writer_u32(w, 6U << 28 | (uint32_t)shape->traffic_class << 20 | shape->flow_label);
	writer_u16(w, (uint16_t)(len + (size_t)shape->ip_len_lie));
	writer_u8(w, shape->extension ? shape->extension : PROTO_UDP);
	writer_u8(w, shape->ttl);
	writer_bytes(w, src->ip, 16);
	writer_bytes(w, dst->ip, 16);
	if (shape->extension)
		write_extension(w, shape->extension, shape->fragment);
}

static uint32_t sum_of(const struct twin_shape *shape, const struct addr *src,
		       const struct addr *dst, struct span udp, size_t len)
{
	const uint8_t tail[4] = {0, PROTO_UDP, (uint8_t)(len >> 8), (uint8_t)len};
	uint32_t sum = twin_host_sum(0, src->ip, addr_ip_len(src));

	sum = twin_host_sum(sum, dst->ip, addr_ip_len(dst));
	sum = twin_host_sum(sum, tail, sizeof(tail));
	if (shape->sum == TWIN_SUM_NONE)
		return 0;
	if (shape->sum == TWIN_SUM_PSEUDO)
		return sum;
	/* A UDP length that lies short ends the sum there. */
	sum = twin_host_sum(sum, udp.data, MIN(len, udp.len));
	if (shape->sum == TWIN_SUM_WRONG)
		sum = twin_host_sum(sum,
				    (const uint8_t[]){(uint8_t)(shape->sum_error >> 8),
						      (uint8_t)shape->sum_error},
				    2);
	return sum == 0xffff ? 0xffff : ~sum;
}

size_t twin_frame_build(const struct twin_shape *shape, const struct addr *src,
			const struct addr *dst, struct span payload,
			uint8_t ret[static TWIN_FRAME_MAX])
{
	struct writer w = writer_make(ret, TWIN_FRAME_MAX);
	size_t udp_len = 8 + payload.len, claimed = udp_len + (size_t)shape->udp_len_lie;
	uint8_t *udp, *trailer;

	write_ethernet(&w, shape, src->family);
	if (src->family == ADDR_IPV4)
		write_ipv4(&w, shape, src, dst, udp_len);
	else
		write_ipv6(&w, shape, src, dst, udp_len);
	udp = writer_reserve(&w, 8);
	ASSERT(udp);
	put16(udp, src->port);
	put16(udp + 2, dst->port);
	put16(udp + 4, claimed);
	put16(udp + 6, 0);
	writer_bytes(&w, payload.data, payload.len);
	put16(udp + 6, sum_of(shape, src, dst, span_make(udp, udp_len), claimed & 0xffff));
	trailer = writer_reserve(&w, shape->trailer);
	ASSERT(!w.failed);
	memset(trailer, 0xee, shape->trailer);
	return w.len;
}

static void draw_usual(struct twin_random *random, struct twin_shape *s)
{
	static const uint8_t ttls[] = {2, 3, 64, 128, 255};

	s->dont_fragment = twin_chance(random, 60);
	s->traffic_class = twin_chance(random, 50) ? 0 : (uint8_t)twin_next(random);
	s->ttl = ttls[twin_below(random, sizeof(ttls))];
	s->id = (uint16_t)twin_next(random);
	s->flow_label = twin_chance(random, 50) ? 0 : (uint32_t)(twin_next(random) & 0xfffff);
	s->sum_error = (uint16_t)(1 + twin_below(random, 0xfffe));
	if (twin_chance(random, 25))
		s->sum = twin_chance(random, 50) ? TWIN_SUM_NONE : TWIN_SUM_PSEUDO;
	if (twin_chance(random, 20))
		s->trailer = (uint8_t)twin_below(random, 61);
}

static void draw_tags(struct twin_random *random, struct twin_shape *s)
{
	static const uint32_t types[] = {0x8100, 0x8100, 0x88a8, 0x88a8, 0x9100};

	s->tags = (uint8_t)(1 + twin_below(random, TWIN_TAGS_MAX));
	for (unsigned int i = 0; i < s->tags; i++)
		s->tag[i] = types[twin_below(random, ARRAY_SIZE(types))] << 16 |
			    (uint32_t)(twin_next(random) & 0xffff);
}

static void draw_fragment(struct twin_random *random, enum addr_family family, struct twin_shape *s)
{
	static const uint16_t kinds[] = {0x2000, 0x0001, 0x2010, 0x1fff};

	s->fragment = kinds[twin_below(random, ARRAY_SIZE(kinds))];
	if (family == ADDR_IPV6)
		s->extension = PROTO_FRAGMENT;
}

/* One thing that is unusual or wrong. */
static void draw_unusual(struct twin_random *random, enum addr_family family, struct twin_shape *s)
{
	static const uint8_t extensions[] = {43, PROTO_DESTINATION, 51, 135};

	switch (twin_below(random, 10)) {
	case 0:
		s->ttl = (uint8_t)twin_below(random, 2);
		break;
	case 1:
		draw_tags(random, s);
		break;
	case 2:
		draw_fragment(random, family, s);
		break;
	case 3:
		s->options = (uint8_t)(4 * (1 + twin_below(random, 10)));
		s->extension = extensions[twin_below(random, sizeof(extensions))];
		break;
	case 4:
		s->udp_len_lie = (int)twin_below(random, 17) - 8;
		break;
	case 5:
		s->ip_len_lie = (int)twin_below(random, 17) - 8;
		break;
	case 6:
		s->bad_header_sum = true;
		break;
	case 7:
		s->dst_mac[0] = (uint8_t)(1 | twin_below(random, 256));
		break;
	default:
		s->sum = TWIN_SUM_WRONG;
	}
}

void twin_shape_draw(struct twin_random *random, enum addr_family family,
		     struct twin_shape *ret_shape)
{
	struct twin_shape s = {0};

	memcpy(s.dst_mac, own_mac, sizeof(own_mac));
	memcpy(s.src_mac, neighbour_mac, sizeof(neighbour_mac));
	draw_usual(random, &s);
	while (twin_chance(random, 25))
		draw_unusual(random, family, &s);
	*ret_shape = s;
}
