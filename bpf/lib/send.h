/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads Send indications, RFC 8656 11.2: the common ones, whose attributes are XOR-PEER-ADDRESS
 * and DATA in either order and at most a FINGERPRINT behind them. What is unusual is the daemon's.
 * Knows no flow.
 */
#ifndef TURNPIKE_BPF_SEND_H
#define TURNPIKE_BPF_SEND_H

#include "lib/checksum.h"
#include "lib/packet.h"
#include "turnpike/wire.h"

#define SEND_ATTRIBUTES_MAX  3
#define SEND_FINGERPRINT_LEN 4

struct stun_header {
	__be16 type;
	__be16 len;
	__be32 cookie;
	__be32 transaction_id[STUN_TRANSACTION_ID_LEN / 4];
};

struct stun_attribute_header {
	__be16 type;
	__be16 len;
};

struct stun_xor_address {
	__u8 zero;
	__u8 family;
	__be16 port;
	__be32 ip[4]; /* one of them over IPv4 */
};

#define STUN_XOR_ADDRESS_LEN(words) (4U + 4 * (words))

struct send_message {
	__u64 data; /* offset in the frame */
	__u64 data_len;
	__u64 around; /* sum of the message but the data */
	union flow_ip peer;
	__be16 port;
	__u8 family; /* enum flow_family; 0 until the address was read */
	__u8 has_data;
	__u32 fingerprint; /* 1 behind one */
};

static __always_inline __be16 send_type(void)
{
	return bpf_htons(STUN_METHOD_SEND | STUN_CLASS_INDICATION);
}

/* RFC 8489 14.2. The first byte of the value is to be ignored. */
static __always_inline enum flow_verdict send_read_address(struct xdp_md *xdp, __u64 message,
							   __u64 at, __u64 len,
							   struct send_message *ret)
{
	const struct stun_xor_address *value;
	const struct stun_header *header;
	const __be32 *rest;
	__u32 words = len == STUN_XOR_ADDRESS_LEN(1) ? 1 : 4;

	value = packet_bytes(xdp, at, STUN_XOR_ADDRESS_LEN(1));
	header = packet_bytes(xdp, message, sizeof(*header));
	if (!value || !header || ret->family)
		return FLOW_VERDICT_OTHER_ATTRIBUTES;
	if (len != STUN_XOR_ADDRESS_LEN(words) ||
	    value->family != (words == 1 ? STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6))
		return FLOW_VERDICT_OTHER_ATTRIBUTES;
	ret->port = value->port ^ bpf_htons(STUN_MAGIC_COOKIE >> 16);
	if (!ret->port)
		return FLOW_VERDICT_OTHER_ATTRIBUTES;
	ret->family = words == 1 ? FLOW_IPV4 : FLOW_IPV6;
	ret->peer.v4 = value->ip[0] ^ bpf_htonl(STUN_MAGIC_COOKIE);
	ret->around += checksum_words(value, 2);
	if (words == 1)
		return VERDICT_NONE;
	rest = packet_bytes(xdp, at + STUN_XOR_ADDRESS_LEN(1), 3 * sizeof(*rest));
	if (!rest)
		return FLOW_VERDICT_BAD_LENGTH;
#pragma unroll
	for (int i = 0; i < 3; i++)
		ret->peer.words[1 + i] = rest[i] ^ header->transaction_id[i];
	ret->around += checksum_words(rest, 3);
	return VERDICT_NONE;
}

static __always_inline enum flow_verdict send_read_data(struct xdp_md *xdp, __u64 at, __u64 len,
							struct send_message *ret)
{
	if (ret->has_data)
		return FLOW_VERDICT_OTHER_ATTRIBUTES;
	ret->has_data = 1;
	ret->data = at;
	ret->data_len = len;
	ret->around += checksum_padding(xdp, at + len, -len & 3, len & 1);
	return VERDICT_NONE;
}

/* The value is not looked at, as in the daemon: the UDP checksum covers the same bytes. */
static __always_inline enum flow_verdict send_read_fingerprint(struct xdp_md *xdp, __u64 at,
							       __u64 len, struct send_message *ret)
{
	const __be32 *value = packet_bytes(xdp, at, sizeof(*value));

	if (!value || len != sizeof(*value))
		return FLOW_VERDICT_BAD_LENGTH;
	ret->fingerprint = 1;
	ret->around += *value;
	return VERDICT_NONE;
}

/* One attribute at `*at`, which becomes the place behind it. */
static __always_inline enum flow_verdict send_read_attribute(struct xdp_md *xdp, __u64 message,
							     __u64 end, __u64 *at,
							     struct send_message *ret)
{
	const struct stun_attribute_header *header = packet_bytes(xdp, *at, sizeof(*header));
	__u64 value = *at + sizeof(*header), len;

	/* RFC 8489 14.7: FINGERPRINT is the last one. */
	if (!header || value > end || ret->fingerprint)
		return FLOW_VERDICT_BAD_LENGTH;
	len = bpf_ntohs(header->len);
	*at = value + ((len + 3) & ~3ULL);
	if (*at > end)
		return FLOW_VERDICT_BAD_LENGTH;
	ret->around += checksum_words(header, 1);
	switch (bpf_ntohs(header->type)) {
	case STUN_ATTR_XOR_PEER_ADDRESS:
		return send_read_address(xdp, message, value, len, ret);
	case STUN_ATTR_DATA:
		return send_read_data(xdp, value, len, ret);
	case STUN_ATTR_FINGERPRINT:
		return send_read_fingerprint(xdp, value, len, ret);
	default:
		return FLOW_VERDICT_OTHER_ATTRIBUTES;
	}
}

/*
 * The message that fills the `len` bytes at `at`. Returns VERDICT_NONE; CONTROL if it is no Send
 * indication, or why it is not a common one. A global function, so that its loop is verified once.
 */
__noinline int send_read(struct xdp_md *xdp, __u64 at, __u64 len, struct send_message *ret)
{
	const struct stun_header *header = packet_bytes(xdp, at, sizeof(*header));
	__u64 next = at + sizeof(*header), end = at + len;
	enum flow_verdict verdict;

	if (!ret || !header || len < sizeof(*header) || len > PACKET_LEN_MAX)
		return FLOW_VERDICT_CONTROL;
	if (header->type != send_type() || header->cookie != bpf_htonl(STUN_MAGIC_COOKIE))
		return FLOW_VERDICT_CONTROL;
	/* RFC 8489 5 and 6.2.1: one whole message, of whole words. */
	if (bpf_ntohs(header->len) != len - sizeof(*header) || len % 4)
		return FLOW_VERDICT_BAD_LENGTH;
	ret->around = checksum_words(header, sizeof(*header) / 4);
	for (int i = 0; i < SEND_ATTRIBUTES_MAX && next < end; i++) {
		verdict = send_read_attribute(xdp, at, end, &next, ret);
		if (verdict != VERDICT_NONE)
			return verdict;
	}
	if (next != end || !ret->family || !ret->has_data)
		return FLOW_VERDICT_OTHER_ATTRIBUTES;
	return VERDICT_NONE;
}

#endif
