/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The forms that application data comes in and leaves in: finds the data in a UDP payload, and
 * writes what stands around it. A form is known here, and where Send indications are read. Reads
 * no map.
 */
#ifndef TURNPIKE_BPF_FORM_H
#define TURNPIKE_BPF_FORM_H

#include <linux/udp.h>

#include "lib/checksum.h"
#include "lib/maps.h"
#include "lib/packet.h"
#include "lib/send.h"
#include "turnpike/wire.h"

struct channel_header {
	__be16 channel;
	__be16 len;
};

/* RFC 8656 11.3 and 18: a Data indication up to its data; with an IPv4 peer it is 12 bytes less. */
#define FORM_ADDRESS_LEN(words) (STUN_ATTR_HEADER_LEN + STUN_XOR_ADDRESS_LEN(words))
#define FORM_INDICATION_LEN(words) \
	(STUN_HEADER_LEN + FORM_ADDRESS_LEN(words) + STUN_ATTR_HEADER_LEN)

/* Whether the data's way is one of those there are, whatever the slot's bytes say. */
static __always_inline bool form_supports(const struct packet *p)
{
	const struct flow_leg *out = &p->flow.out;

	if (out->family != FLOW_IPV4 && out->family != FLOW_IPV6)
		return false;
	if (p->in.form != FLOW_FORM_UDP)
		return out->form == FLOW_FORM_UDP;
	return out->form == FLOW_FORM_CHANNEL || out->form == FLOW_FORM_INDICATION;
}

/* Bytes between the UDP header and the data as it leaves. */
static __always_inline __u64 form_len(const struct packet *p)
{
	if (p->flow.out.form == FLOW_FORM_UDP)
		return 0;
	if (p->flow.out.form == FLOW_FORM_CHANNEL)
		return CHANNEL_DATA_HEADER_LEN;
	return p->in.family == FLOW_IPV4 ? FORM_INDICATION_LEN(1) : FORM_INDICATION_LEN(4);
}

/* Bytes behind the data as it leaves: over UDP, ChannelData needs none. */
static __always_inline __u64 form_padding(const struct packet *p)
{
	return p->flow.out.form == FLOW_FORM_INDICATION ? -p->data_len & 3 : 0;
}

/*
 * RFC 8656 12.5: behind a ChannelData message there may be up to three bytes of padding, over UDP
 * too. A length beyond the datagram, or more behind it than padding, is the daemon's to judge.
 */
static __always_inline enum flow_verdict form_take_channel(struct packet *p)
{
	const struct channel_header *header = packet_at(p, p->payload, sizeof(*header));
	__u64 rest;

	if (!header || p->payload_len < sizeof(*header))
		return FLOW_VERDICT_BAD_LENGTH;
	rest = p->payload_len - sizeof(*header);
	p->data = p->payload + sizeof(*header);
	p->data_len = bpf_ntohs(header->len);
	if (p->data_len > rest || rest - p->data_len >= CHANNEL_DATA_ALIGN)
		return FLOW_VERDICT_BAD_LENGTH;
	p->around = (__u64)header->channel + header->len;
	p->around += checksum_padding(p->xdp, p->data + p->data_len, rest - p->data_len,
				      p->data_len & 1);
	return VERDICT_NONE;
}

/*
 * Finds the application data and its sum, without reading it: what the arriving checksum says less
 * all that surrounds the data. A wrong checksum stays wrong by the same amount. A sender on this
 * host leaves only the pseudo-header's sum, not complemented, and the rest to a device that never
 * came: then the data has to be summed. One intact packet in 65536 looks like that by chance and
 * gets the same result either way.
 */
static __always_inline enum flow_verdict form_take(struct packet *p)
{
	__u64 udp_len = sizeof(struct udphdr) + p->payload_len;
	__u64 pseudo = checksum_pseudo(&p->in, udp_len);
	enum flow_verdict verdict;

	if (p->in.form == FLOW_FORM_UDP) {
		p->data = p->payload;
		p->data_len = p->payload_len;
		p->around = 0;
	} else if (p->in.form == FLOW_FORM_CHANNEL) {
		verdict = form_take_channel(p);
		if (verdict != VERDICT_NONE)
			return verdict;
	} /* A Send indication was read when it was looked up. */
	p->unsummed = !p->udp_check || p->udp_check == checksum_fold(pseudo);
	if (p->unsummed && p->udp_check && generic)
		return FLOW_VERDICT_UNFINISHED;
	p->data_sum = (__u16)~p->udp_check + checksum_negate(pseudo + p->in.sport + p->in.dport +
							     bpf_htons(udp_len) + p->around);
	return VERDICT_NONE;
}

static __always_inline __u64 form_put_channel(const struct packet *p, __u64 offset)
{
	struct channel_header *header = packet_at(p, offset, sizeof(*header));

	if (!header)
		return 0;
	header->channel = p->flow.out.channel;
	header->len = bpf_htons(p->data_len);
	return (__u64)header->channel + header->len;
}

/* Zeros in the message and in the sum. What was there before must not leave: CVE-2020-4067. */
static __always_inline void form_put_padding(struct xdp_md *xdp, __u64 offset, __u64 len)
{
	__u8 *byte;

#pragma unroll
	for (int i = 0; i < CHANNEL_DATA_ALIGN - 1; i++) {
		byte = i < (int)len ? packet_bytes(xdp, offset + i, 1) : NULL;
		if (byte)
			*byte = 0;
	}
}

/* XOR-PEER-ADDRESS with its header, RFC 8489 14.2. Returns its sum. */
static __always_inline __u64 form_put_address(struct xdp_md *xdp, __u64 offset,
					      const struct flow_leg *from, const __be32 mask[4])
{
	__u32 words = from->family == FLOW_IPV4 ? 1 : 4;
	struct stun_attribute_header *header;
	struct stun_xor_address *value;
	__u64 sum;

	header = packet_bytes(xdp, offset, FORM_ADDRESS_LEN(1));
	if (!header)
		return 0;
	value = (void *)(header + 1);
	header->type = bpf_htons(STUN_ATTR_XOR_PEER_ADDRESS);
	header->len = bpf_htons(STUN_XOR_ADDRESS_LEN(words));
	value->zero = 0;
	value->family = words == 1 ? STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6;
	value->port = from->sport ^ bpf_htons(STUN_MAGIC_COOKIE >> 16);
	value->ip[0] = from->src.words[0] ^ mask[0];
	sum = checksum_words(header, FORM_ADDRESS_LEN(1) / 4);
	if (words == 1)
		return sum;
	value = packet_bytes(xdp, offset + sizeof(*header), sizeof(*value));
	if (!value)
		return 0;
#pragma unroll
	for (int i = 1; i < 4; i++) {
		__be32 word = from->src.words[i] ^ mask[i];

		value->ip[i] = word;
		sum += word;
	}
	return sum;
}

/*
 * A Data indication around `data_len` bytes that came `from` a peer, RFC 8656 11.3: header with a
 * transaction id of its own, XOR-PEER-ADDRESS, DATA, padding. Returns the sum of it all but the
 * data, folded. A global function: few packets need it, and the verifier goes through it once.
 */
__noinline __u32 form_put_indication(struct xdp_md *xdp, __u64 offset, const struct flow_leg *from,
				     __u64 data_len)
{
	struct stun_header *header = packet_bytes(xdp, offset, sizeof(*header));
	struct stun_attribute_header *data;
	__u64 padding = -data_len & 3, at = offset + sizeof(*header), sum;
	__be32 mask[4] = {bpf_htonl(STUN_MAGIC_COOKIE)};
	__u64 address_len;

	if (!header || !from)
		return 0;
	address_len = from->family == FLOW_IPV4 ? FORM_ADDRESS_LEN(1) : FORM_ADDRESS_LEN(4);
	header->type = bpf_htons(STUN_METHOD_DATA | STUN_CLASS_INDICATION);
	header->len = bpf_htons(address_len + sizeof(*data) + data_len + padding);
	header->cookie = mask[0];
#pragma unroll
	for (int i = 0; i < 3; i++)
		header->transaction_id[i] = mask[1 + i] = bpf_get_prandom_u32();
	sum = checksum_words(header, sizeof(*header) / 4);
	sum += form_put_address(xdp, at, from, mask);
	data = packet_bytes(xdp, at + address_len, sizeof(*data));
	if (!data)
		return 0;
	data->type = bpf_htons(STUN_ATTR_DATA);
	data->len = bpf_htons(data_len);
	sum += checksum_words(data, 1);
	form_put_padding(xdp, at + address_len + sizeof(*data) + data_len, padding);
	return checksum_fold(sum);
}

/* Writes what stands around the data, its header at `offset`, and returns its sum. */
static __always_inline __u64 form_put(const struct packet *p, __u64 offset)
{
	if (p->flow.out.form == FLOW_FORM_UDP)
		return 0;
	if (p->flow.out.form == FLOW_FORM_CHANNEL)
		return form_put_channel(p, offset);
	return form_put_indication(p->xdp, offset, &p->in, p->data_len);
}

#endif
