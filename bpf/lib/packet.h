/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one run of the program knows of its packet, and the only code that turns offsets into
 * packet pointers or moves the ends of the frame. Knows nothing of flows or protocols.
 */
#ifndef TURNPIKE_BPF_PACKET_H
#define TURNPIKE_BPF_PACKET_H

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "turnpike/flow.h"

/* One load that the compiler neither repeats nor splits: the daemon writes while we read. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

/* What a step returns when the packet may go on to the next one. */
#define VERDICT_NONE FLOW_VERDICT_MAX

/*
 * Frames that the program edits are shorter than this. The verifier needs a bound on every
 * offset, and XDP without fragments sees no larger frame that a network could carry.
 */
#define PACKET_LEN_MAX 16384

/* What the slot says that the packet leaves by, and what it is limited by. */
struct packet_flow {
	struct flow_leg out;
	__u32 slot;
	__u32 next_hop;
	__u32 peer_hop;
	__u32 bucket;
	__u32 from_self;
};

/*
 * Lengths and offsets are 64 bits wide: before 5.16 the verifier forgets what it knows of
 * narrower values when they are kept on the stack.
 */
struct packet {
	struct xdp_md *xdp;
	__u64 frame_len;   /* as it arrived, trailer included */
	__u64 payload;	   /* offset of the UDP payload in the frame as it arrived */
	__u64 payload_len; /* by the UDP header */
	__u64 data;	   /* offset of the application data */
	__u64 data_len;
	__u64 around;	/* one's complement sum of the UDP payload but the data, not folded */
	__u64 data_sum; /* the same of the application data */
	__u64 now_ns;	/* coarse; 0 until it is asked for */

	/*
	 * How the data came; where it is looked up a second time, as data from the peer that it
	 * names, or from the other allocation.
	 */
	struct flow_leg in __attribute__((aligned(8)));
	struct packet_flow flow __attribute__((aligned(8)));
	const struct flow_next_hop_entry *hop;

	/* As the packet leaves: VLAN tags, bytes from UDP header to data, bytes behind the data. */
	__u64 tags;
	__u64 form_len;
	__u64 padding;

	__u32 first_slot; /* of data to another allocation: the sending client's */
	__u32 first_bucket;
	__be16 udp_check; /* as it arrived */
	__u8 family;	  /* as it arrived */
	__u8 traffic_class;
	__u8 ttl; /* or hop limit */
	bool dont_fragment;
	bool unsummed;	    /* the checksum does not cover the data yet */
	bool to_allocation; /* data to another allocation of this relay */
	__u8 stun_verdict;  /* enum flow_verdict of a STUN message that no flow is for */
	int action;	    /* enum xdp_action: XDP_PASS until it is settled otherwise */
};

/*
 * The bytes [offset, offset + len) of the frame, or NULL if it does not have them. The compiler
 * must not take offset or pointer apart again, or the verifier misses that a bound was checked.
 */
static __always_inline void *packet_bytes(const struct xdp_md *xdp, __u64 offset, __u64 len)
{
	void *start = (void *)(long)xdp->data;
	void *end = (void *)(long)xdp->data_end;

	if (!__builtin_constant_p(offset))
		barrier_var(offset);
	if (offset > PACKET_LEN_MAX)
		return NULL;
	start += offset;
	if (start + len > end)
		return NULL;
	return start;
}

static __always_inline void *packet_at(const struct packet *p, __u64 offset, __u64 len)
{
	return packet_bytes(p->xdp, offset, len);
}

/*
 * Makes the frame's headers `shrink` bytes shorter (longer if negative) and takes `cut` bytes off
 * its end (adds zeros if negative). On failure the frame is as it was. Growing may fail, so it
 * comes first: it changes no byte and can be taken back. Cutting an end that is there cannot.
 */
static __always_inline enum flow_verdict packet_reshape(struct packet *p, int shrink, int cut)
{
	if (cut < 0 && bpf_xdp_adjust_tail(p->xdp, -cut))
		return FLOW_VERDICT_TAILROOM;
	if (shrink && bpf_xdp_adjust_head(p->xdp, shrink)) {
		if (cut < 0)
			bpf_xdp_adjust_tail(p->xdp, cut);
		return FLOW_VERDICT_HEADROOM;
	}
	if (cut > 0 && bpf_xdp_adjust_tail(p->xdp, -cut)) {
		bpf_xdp_adjust_head(p->xdp, -shrink);
		return FLOW_VERDICT_TAILROOM;
	}
	return VERDICT_NONE;
}

#endif
