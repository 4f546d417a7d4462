/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames from descriptions. See frame.h.
 */
#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#define ETHERNET_LEN 14
#define UDP_LEN	     8
#define PROTO_UDP    17

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

static size_t form_len(const struct frame *frame)
{
	return frame->leg.form == FLOW_FORM_CHANNEL ? 4 : 0;
}

static size_t udp_len(const struct frame *frame)
{
	return UDP_LEN + form_len(frame) + frame->size + frame->padding;
}

size_t frame_offset(const struct frame *frame, enum frame_layer layer)
{
	const size_t offsets[FRAME_LAYER_MAX] = {
		[FRAME_IP] = ETHERNET_LEN,
		[FRAME_UDP] = ETHERNET_LEN + ip_len(frame),
		[FRAME_PAYLOAD] = ETHERNET_LEN + ip_len(frame) + UDP_LEN,
		[FRAME_DATA] = ETHERNET_LEN + ip_len(frame) + UDP_LEN + form_len(frame),
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
	frame_put16(at + 12, frame->leg.family == FLOW_IPV4 ? 0x0800 : 0x86dd);
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

static void write_udp(const struct frame *frame, uint8_t *at)
{
	memcpy(at, &frame->leg.sport, 2);
	memcpy(at + 2, &frame->leg.dport, 2);
	frame_put16(at + 4, (uint16_t)udp_len(frame));
	at += UDP_LEN;
	if (frame->leg.form == FLOW_FORM_CHANNEL) {
		memcpy(at, &frame->leg.channel, 2);
		frame_put16(at + 2, frame->size);
		at += 4;
	}
	for (size_t i = 0; i < frame->size; i++)
		at[i] = frame->data ? frame->data[i] : (uint8_t)(0x85 + i * 37 + i / 256);
	memset(at + frame->size, 0xa7, frame->padding);
	memset(at + frame->size + frame->padding, 0xee, frame->trailer);
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

	assert_true(len <= FRAME_MAX);
	memset(ret, 0, len);
	write_ethernet(frame, ret);
	if (frame->leg.family == FLOW_IPV4)
		write_ipv4(frame, ip);
	else
		write_ipv6(frame, ip);
	write_udp(frame, udp);
	apply_patches(frame, ret);
	if (frame->leg.family == FLOW_IPV4)
		frame_put16(ip + 10, (uint16_t)(~add(0, ip, 20) + frame->bad_header));
	frame_put16(udp + 6, udp_checksum(frame, udp));
	return len;
}
