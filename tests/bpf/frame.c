/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames from descriptions. See frame.h.
 */
#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#define ETHERNET_LEN  14
#define UDP_LEN	      8
#define PROTO_UDP     17
#define STUN_LEN      20
#define ATTRIBUTE_LEN 4

uint16_t frame_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

void frame_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static size_t ip_len(const struct frame *frame)
{
	return frame->leg.family == FLOW_IPV4 ? 20 : 40;
}

static size_t address_len(const struct frame *frame)
{
	return frame->message.family == FLOW_IPV4 ? ATTRIBUTE_LEN + 8 : ATTRIBUTE_LEN + 20;
}

static bool data_first(const struct frame *frame)
{
	return frame->message.kind == FRAME_SEND_DATA_FIRST ||
	       frame->message.kind == FRAME_SEND_DATA_FIRST_FINGERPRINT;
}

static size_t fingerprint_len(const struct frame *frame)
{
	return frame->message.kind == FRAME_SEND_FINGERPRINT ||
			       frame->message.kind == FRAME_SEND_DATA_FIRST_FINGERPRINT
		       ? ATTRIBUTE_LEN + 4
		       : 0;
}

static size_t form_len(const struct frame *frame)
{
	switch (frame->leg.form) {
	case FLOW_FORM_CHANNEL:
		return 4;
	case FLOW_FORM_INDICATION:
		return STUN_LEN + ATTRIBUTE_LEN + (data_first(frame) ? 0 : address_len(frame));
	default:
		return 0;
	}
}

static size_t behind_len(const struct frame *frame)
{
	if (frame->leg.form != FLOW_FORM_INDICATION)
		return frame->padding;
	return (4U - frame->size % 4) % 4 + (data_first(frame) ? address_len(frame) : 0) +
	       fingerprint_len(frame);
}

static size_t udp_len(const struct frame *frame)
{
	return UDP_LEN + form_len(frame) + frame->size + behind_len(frame) - frame->cut;
}

size_t frame_offset(const struct frame *frame, enum frame_layer layer)
{
	const size_t ip = ETHERNET_LEN + 4U * frame->tags;
	const size_t offsets[FRAME_LAYER_MAX] = {
		[FRAME_IP] = ip,
		[FRAME_UDP] = ip + ip_len(frame),
		[FRAME_PAYLOAD] = ip + ip_len(frame) + UDP_LEN,
		[FRAME_DATA] = ip + ip_len(frame) + UDP_LEN + form_len(frame),
	};

	return offsets[layer];
}

/* RFC 1071, the plain way: 16-bit words in network order, an odd byte is the high one. */
static uint32_t add(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void write_ethernet(const struct frame *frame, uint8_t *at)
{
	memcpy(at, frame->dst_mac, 6);
	memcpy(at + 6, frame->src_mac, 6);
	memcpy(at + 12, frame->tag, 4U * frame->tags);
	frame_put16(at + 12 + 4U * frame->tags, frame->leg.family == FLOW_IPV4 ? 0x0800 : 0x86dd);
}

static void write_ipv4(const struct frame *frame, uint8_t *at)
{
	at[0] = 0x45;
	at[1] = frame->traffic_class;
	frame_put16(at + 2, (uint16_t)(20 + udp_len(frame)));
	frame_put16(at + 4, frame->id);
	at[6] = frame->dont_fragment ? 0x40 : 0;
	at[8] = frame->ttl;
	at[9] = PROTO_UDP;
	memcpy(at + 12, &frame->leg.src.v4, 4);
	memcpy(at + 16, &frame->leg.dst.v4, 4);
}

static void write_ipv6(const struct frame *frame, uint8_t *at)
{
	at[0] = (uint8_t)(0x60 | frame->traffic_class >> 4);
	at[1] = (uint8_t)(frame->traffic_class << 4 | frame->flow_label >> 16);
	frame_put16(at + 2, (uint16_t)frame->flow_label);
	frame_put16(at + 4, (uint16_t)udp_len(frame));
	at[6] = PROTO_UDP;
	at[7] = frame->ttl;
	memcpy(at + 8, frame->leg.src.v6, 16);
	memcpy(at + 24, frame->leg.dst.v6, 16);
}

static uint8_t *put_attribute(uint8_t *at, uint16_t type, uint16_t len)
{
	frame_put16(at, type);
	frame_put16(at + 2, len);
	return at + ATTRIBUTE_LEN;
}

/* RFC 8489 14.2: the address is masked by the cookie and, over IPv6, the transaction id. */
static uint8_t *put_address(const struct frame *frame, const uint8_t *message, uint8_t *at)
{
	const size_t len = address_len(frame) - ATTRIBUTE_LEN;

	at = put_attribute(at, 0x0012, (uint16_t)len);
	at[1] = frame->message.family == FLOW_IPV4 ? 1 : 2;
	memcpy(at + 2, &frame->message.port, 2);
	memcpy(at + 4, frame->message.peer.v6, len - 4);
	at[2] ^= message[4];
	at[3] ^= message[5];
	for (size_t i = 4; i < len; i++)
		at[i] ^= message[i];
	return at + len;
}

static uint8_t *put_data(const struct frame *frame, uint8_t *at)
{
	for (size_t i = 0; i < frame->size; i++)
		at[i] = frame->data ? frame->data[i] : (uint8_t)(0x85 + i * 37 + i / 256);
	return at + frame->size;
}

static void write_indication(const struct frame *frame, uint8_t *message)
{
	const bool from_client = frame->message.kind != FRAME_DATA_INDICATION;
	const size_t padding = (4U - frame->size % 4) % 4;
	uint8_t *at = message + STUN_LEN;

	frame_put16(message, from_client ? 0x0016 : 0x0017);
	frame_put16(message + 2, (uint16_t)(udp_len(frame) - UDP_LEN - STUN_LEN));
	memcpy(message + 4, (uint8_t[]){0x21, 0x12, 0xa4, 0x42}, 4);
	memcpy(message + 8, frame->message.transaction_id, 12);
	if (!data_first(frame))
		at = put_address(frame, message, at);
	at = put_data(frame, put_attribute(at, 0x0013, frame->size));
	memset(at, from_client ? 0xa7 : 0, padding);
	at += padding;
	if (data_first(frame))
		at = put_address(frame, message, at);
	if (fingerprint_len(frame))
		memcpy(put_attribute(at, 0x8028, 4), (uint8_t[]){0xfe, 0xdc, 0xba, 0x98}, 4);
}

static void write_udp(const struct frame *frame, uint8_t *at)
{
	uint8_t *payload = at + UDP_LEN;

	memcpy(at, &frame->leg.sport, 2);
	memcpy(at + 2, &frame->leg.dport, 2);
	frame_put16(at + 4, (uint16_t)udp_len(frame));
	if (frame->leg.form == FLOW_FORM_INDICATION) {
		write_indication(frame, payload);
		return;
	}
	if (frame->leg.form == FLOW_FORM_CHANNEL) {
		memcpy(payload, &frame->leg.channel, 2);
		frame_put16(payload + 2, frame->size);
	}
	memset(put_data(frame, payload + form_len(frame)), 0xa7, frame->padding);
}

static uint16_t udp_checksum(const struct frame *frame, const uint8_t *udp)
{
	const size_t address_len = frame->leg.family == FLOW_IPV4 ? 4 : 16;
	uint8_t lengths[4] = {0, PROTO_UDP};
	uint32_t sum = 0;

	frame_put16(lengths + 2, (uint16_t)udp_len(frame));
	sum = add(sum, frame->leg.src.v6, address_len);
	sum = add(sum, frame->leg.dst.v6, address_len);
	sum = add(sum, lengths, sizeof(lengths));
	if (frame->sum == FRAME_SUM_NONE)
		return 0;
	if (frame->sum == FRAME_SUM_PSEUDO)
		return (uint16_t)sum;
	sum = add(sum, udp, udp_len(frame));
	if (frame->sum == FRAME_SUM_WRONG) {
		sum += FRAME_SUM_ERROR;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum == 0xffff ? 0xffff : (uint16_t)~sum;
}

static void apply_patches(const struct frame *frame, uint8_t *at)
{
	for (size_t i = 0; i < FRAME_PATCHES; i++) {
		const struct frame_patch *patch = &frame->patches[i];

		memcpy(at + frame_offset(frame, patch->layer) + patch->offset, patch->bytes,
		       patch->len);
	}
}

size_t frame_build(const struct frame *frame, uint8_t ret[static FRAME_MAX])
{
	uint8_t *ip = ret + frame_offset(frame, FRAME_IP);
	uint8_t *udp = ret + frame_offset(frame, FRAME_UDP);
	size_t len = frame_offset(frame, FRAME_UDP) + udp_len(frame) + frame->trailer;

	assert_true(len + frame->cut <= FRAME_MAX);
	memset(ret, 0, len);
	write_ethernet(frame, ret);
	if (frame->leg.family == FLOW_IPV4)
		write_ipv4(frame, ip);
	else
		write_ipv6(frame, ip);
	write_udp(frame, udp);
	memset(udp + udp_len(frame), 0xee, frame->trailer);
	apply_patches(frame, ret);
	if (frame->leg.family == FLOW_IPV4)
		frame_put16(ip + 10, (uint16_t)(~add(0, ip, 20) + frame->bad_header));
	frame_put16(udp + 6, udp_checksum(frame, udp));
	return len;
}

uint16_t frame_checksum(const struct frame *frame)
{
	static uint8_t bytes[FRAME_MAX];

	frame_build(frame, bytes);
	return frame_get16(bytes + frame_offset(frame, FRAME_UDP) + 6);
}

/* In one's complement, what is missing from the checksum without the word. */
void frame_steer(struct frame *frame, struct frame of, uint16_t wanted)
{
	uint32_t word;

	of.patches[0] = (struct frame_patch){FRAME_DATA, 0, 2, {0, 0}};
	word = frame_checksum(&of) + (uint16_t)~wanted;
	word = (word & 0xffff) + (word >> 16);
	frame->patches[0] = of.patches[0];
	frame_put16(frame->patches[0].bytes, (uint16_t)word);
}
