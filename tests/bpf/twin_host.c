/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host's network stack in miniature. See twin_host.h. Owns the receiving rules only; knows no
 * flow and no relay.
 */
#include "twin_host.h"

#include "base/cursor.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_CTAG 0x8100
#define ETHERTYPE_STAG 0x88a8
#define TAGS_MAX       2

#define PROTO_HOP_BY_HOP  0
#define PROTO_UDP	  17
#define PROTO_ROUTING	  43
#define PROTO_FRAGMENT	  44
#define PROTO_DESTINATION 60
#define EXTENSIONS_MAX	  8

static const char *const names[] = {
#define X(constant, name) [TWIN_HOST_##constant] = name,
	TWIN_HOST_VERDICTS(X)
#undef X
};

const char *twin_host_name(enum twin_host_verdict verdict)
{
	return names[verdict];
}

uint32_t twin_host_sum(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static uint32_t pseudo_sum(const struct addr *src, const struct addr *dst, size_t udp_len)
{
	const uint8_t tail[4] = {0, PROTO_UDP, (uint8_t)(udp_len >> 8), (uint8_t)udp_len};
	uint32_t sum = twin_host_sum(0, src->ip, addr_ip_len(src));

	sum = twin_host_sum(sum, dst->ip, addr_ip_len(dst));
	return twin_host_sum(sum, tail, sizeof(tail));
}

uint32_t twin_host_udp_sum(const struct addr *src, const struct addr *dst, struct span payload)
{
	const size_t len = 8 + payload.len;
	const uint8_t header[8] = {
		(uint8_t)(src->port >> 8), (uint8_t)src->port,	(uint8_t)(dst->port >> 8),
		(uint8_t)dst->port,	   (uint8_t)(len >> 8), (uint8_t)len,
	};
	uint32_t sum = twin_host_sum(pseudo_sum(src, dst, len), header, sizeof(header));

	return twin_host_sum(sum, payload.data, payload.len);
}

/* RFC 768 and 8200 8.1. `udp` is the datagram, header included. */
static enum twin_host_verdict check_sum(struct twin_datagram *d, struct span udp)
{
	uint16_t field = (uint16_t)(udp.data[6] << 8 | udp.data[7]);
	uint32_t pseudo = pseudo_sum(&d->src, &d->dst, udp.len);

	if (!field) {
		d->no_sum = true;
		return d->src.family == ADDR_IPV4 ? TWIN_HOST_DELIVERED : TWIN_HOST_DROPPED;
	}
	if (twin_host_sum(pseudo, udp.data, udp.len) == 0xffff)
		return TWIN_HOST_DELIVERED;
	d->partial = field == pseudo;
	return d->partial ? TWIN_HOST_DELIVERED : TWIN_HOST_BAD_SUM;
}

/* A UDP length below what IP carries is taken, and the rest ignored; one beyond it is not. */
static enum twin_host_verdict read_udp(struct span packet, struct twin_datagram *d)
{
	struct reader r = reader_make(packet.data, packet.len);
	size_t len;

	d->src.port = reader_u16(&r);
	d->dst.port = reader_u16(&r);
	len = reader_u16(&r);
	reader_u16(&r);
	if (r.failed || len < 8 || len > packet.len)
		return TWIN_HOST_DROPPED;
	d->payload = span_make(packet.data + 8, len - 8);
	return check_sum(d, span_make(packet.data, len));
}

/* RFC 1122 3.2.1.3: addresses that no packet comes from. */
static bool is_martian(const struct addr *src)
{
	if (src->family == ADDR_IPV6)
		return src->ip[0] == 0xff || addr_is_any(src);
	return src->ip[0] == 0 || src->ip[0] == 127 || src->ip[0] >= 224;
}

static enum twin_host_verdict read_ipv4(struct span packet, struct twin_datagram *d)
{
	const uint8_t *ip = packet.data;
	size_t len, header_len;

	if (packet.len < 20 || ip[0] >> 4 != 4)
		return TWIN_HOST_DROPPED;
	header_len = 4U * (ip[0] & 15U);
	len = (size_t)(ip[2] << 8 | ip[3]);
	if (header_len < 20 || header_len > len || len > packet.len ||
	    twin_host_sum(0, ip, header_len) != 0xffff)
		return TWIN_HOST_DROPPED;
	d->src = addr_make_v4(ip + 12, 0);
	d->dst = addr_make_v4(ip + 16, 0);
	d->traffic_class = ip[1];
	d->ttl = ip[8];
	d->dont_fragment = ip[6] & 0x40;
	d->ip_len = len;
	d->header_len = (unsigned int)header_len;
	if (is_martian(&d->src))
		return TWIN_HOST_DROPPED;
	if ((ip[6] & 0x3f) || ip[7])
		return TWIN_HOST_HELD;
	if (ip[9] != PROTO_UDP)
		return TWIN_HOST_FOREIGN;
	return read_udp(span_make(ip + header_len, len - header_len), d);
}

/* RFC 8200 4: walks to the UDP header. */
static enum twin_host_verdict skip_extensions(struct span *packet, uint8_t next,
					      struct twin_datagram *d)
{
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		size_t len;

		if (next == PROTO_UDP)
			return TWIN_HOST_DELIVERED;
		if (next == PROTO_FRAGMENT)
			return TWIN_HOST_HELD;
		if (next != PROTO_HOP_BY_HOP && next != PROTO_ROUTING && next != PROTO_DESTINATION)
			return TWIN_HOST_FOREIGN;
		if (packet->len < 8)
			return TWIN_HOST_DROPPED;
		next = packet->data[0];
		len = 8U * (1U + packet->data[1]);
		if (len > packet->len)
			return TWIN_HOST_DROPPED;
		*packet = span_make(packet->data + len, packet->len - len);
		d->header_len += (unsigned int)len;
	}
	return TWIN_HOST_FOREIGN;
}

static enum twin_host_verdict read_ipv6(struct span packet, struct twin_datagram *d)
{
	const uint8_t *ip = packet.data;
	enum twin_host_verdict verdict;
	size_t len;

	if (packet.len < 40 || ip[0] >> 4 != 6)
		return TWIN_HOST_DROPPED;
	len = (size_t)(ip[4] << 8 | ip[5]);
	if (len > packet.len - 40)
		return TWIN_HOST_DROPPED;
	d->src = addr_make_v6(ip + 8, 0);
	d->dst = addr_make_v6(ip + 24, 0);
	d->traffic_class = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	d->flow_label = (uint32_t)(ip[1] & 15) << 16 | (uint32_t)ip[2] << 8 | ip[3];
	d->ttl = ip[7];
	d->dont_fragment = true;
	d->ip_len = 40 + len;
	d->header_len = 40;
	if (is_martian(&d->src))
		return TWIN_HOST_DROPPED;
	packet = span_make(ip + 40, len);
	verdict = skip_extensions(&packet, ip[6], d);
	return verdict == TWIN_HOST_DELIVERED ? read_udp(packet, d) : verdict;
}

static bool is_tag(uint16_t ethertype)
{
	return ethertype == ETHERTYPE_CTAG || ethertype == ETHERTYPE_STAG;
}

enum twin_host_verdict twin_host_read(struct span frame, struct twin_datagram *ret)
{
	struct reader r = reader_make(frame.data, frame.len);
	struct twin_datagram d = {0};
	enum twin_host_verdict verdict;
	uint16_t ethertype;

	reader_take(&r, 12);
	ethertype = reader_u16(&r);
	while (is_tag(ethertype) && d.tags <= TAGS_MAX) {
		d.tags++;
		reader_u16(&r);
		ethertype = reader_u16(&r);
	}
	if (r.failed || d.tags > TAGS_MAX)
		return TWIN_HOST_DROPPED;
	if (ethertype == ETHERTYPE_IPV4)
		verdict = read_ipv4(span_make(r.at, r.left), &d);
	else if (ethertype == ETHERTYPE_IPV6)
		verdict = read_ipv6(span_make(r.at, r.left), &d);
	else
		verdict = TWIN_HOST_FOREIGN;
	d.end = frame.len - r.left + d.ip_len;
	if (verdict == TWIN_HOST_DELIVERED || verdict == TWIN_HOST_BAD_SUM)
		*ret = d;
	return verdict;
}
