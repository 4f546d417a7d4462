/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One's complement sums (RFC 1071) over words as they lie in memory: the sum does not depend on
 * byte order, so nothing is swapped. Partial sums are 64 bits wide and folded once at the end.
 * Knows nothing of what the bytes mean beyond the UDP pseudo-header.
 */
#ifndef TURNPIKE_BPF_CHECKSUM_H
#define TURNPIKE_BPF_CHECKSUM_H

#include <linux/in.h>

#include "lib/packet.h"

#define CHECKSUM_BLOCK	    256 /* bpf_csum_diff takes at most 512 bytes at once */
#define CHECKSUM_BLOCKS_MAX (PACKET_LEN_MAX / CHECKSUM_BLOCK)
#define CHECKSUM_WORDS_MAX  (CHECKSUM_BLOCK / 4)

static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What takes `sum` away when it is added: subtraction in one's complement. */
static __always_inline __u64 checksum_negate(__u64 sum)
{
	return (__u16)~checksum_fold(sum);
}

/* A constant number of 32-bit words. */
static __always_inline __u64 checksum_words(const void *from, int words)
{
	const __be32 *word = from;
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < words; i++)
		sum += word[i];
	return sum;
}

/* A byte at an even or odd distance from the start of what the checksum covers. */
static __always_inline __u64 checksum_byte(__u8 byte, bool odd)
{
	return odd ? bpf_htons(byte) : bpf_htons((__u16)byte << 8);
}

/* Up to three bytes behind the data, `odd` if the data's length is. */
static __always_inline __u64 checksum_padding(const struct xdp_md *xdp, __u64 offset, __u64 len,
					      bool odd)
{
	__u64 sum = 0;
	const __u8 *byte;

#pragma unroll
	for (int i = 0; i < 3; i++) {
		byte = i < (int)len ? packet_bytes(xdp, offset + i, 1) : NULL;
		if (byte)
			sum += checksum_byte(*byte, odd ^ (i & 1));
	}
	return sum;
}

/* RFC 768, RFC 8200 8.1: addresses, protocol and UDP length. */
static __always_inline __u64 checksum_pseudo(const struct flow_leg *leg, __u64 udp_len)
{
	__u64 sum = (__u64)bpf_htons(udp_len) + bpf_htons(IPPROTO_UDP);

	if (leg->family == FLOW_IPV4)
		return sum + leg->src.v4 + leg->dst.v4;
	return sum + checksum_words(&leg->src, 4) + checksum_words(&leg->dst, 4);
}

/*
 * The folded sum of `len` bytes of the frame, all of them read, some 0.2 ns each; the first one is
 * at an even distance from the start of what the checksum covers. Only for packets whose checksum
 * does not cover their data yet. A global function, because the verifier goes through its loops
 * once and not once for each state of its callers.
 */
__noinline __u32 checksum_bytes(struct xdp_md *xdp, __u32 offset, __u32 len)
{
	__u64 at = offset, left = len, sum = 0;
	const __u8 *byte;
	const __be32 *word;
	void *block;

	for (int i = 0; i < CHECKSUM_BLOCKS_MAX && left >= CHECKSUM_BLOCK; i++) {
		block = packet_bytes(xdp, at, CHECKSUM_BLOCK);
		if (!block)
			return 0;
		sum += (__u32)bpf_csum_diff(NULL, 0, block, CHECKSUM_BLOCK, 0);
		at += CHECKSUM_BLOCK;
		left -= CHECKSUM_BLOCK;
	}
	for (int i = 0; i < CHECKSUM_WORDS_MAX && left >= 4; i++) {
		word = packet_bytes(xdp, at, 4);
		if (!word)
			return 0;
		sum += *word;
		at += 4;
		left -= 4;
	}
	for (int i = 0; i < 3 && left; i++) {
		byte = packet_bytes(xdp, at, 1);
		if (!byte)
			return 0;
		sum += checksum_byte(*byte, i & 1);
		at++;
		left--;
	}
	return checksum_fold(sum);
}

#endif
