/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for the differential test: everything that frame.h makes and much that is wrong with
 * them. A shape says what the headers look like; the payload is anybody's bytes.
 */
#ifndef TURNPIKE_TESTS_TWIN_FRAME_H
#define TURNPIKE_TESTS_TWIN_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "twin_random.h"

#define TWIN_PAYLOAD_MAX 1700
#define TWIN_FRAME_MAX	 2200
#define TWIN_TAGS_MAX	 3

enum twin_sum {
	TWIN_SUM_GOOD,
	TWIN_SUM_NONE,
	TWIN_SUM_PSEUDO,
	TWIN_SUM_WRONG,
};

struct twin_shape {
	uint8_t dst_mac[6], src_mac[6];
	uint8_t tags;
	uint32_t tag[TWIN_TAGS_MAX]; /* ethertype and TCI */
	uint8_t options;	     /* bytes of IPv4 options */
	uint8_t extension;	     /* IPv6 next header of an extension of 8 bytes; 0: none */
	uint16_t fragment;	     /* flags and offset beside DF */
	bool dont_fragment;
	uint8_t traffic_class, ttl;
	uint16_t id;
	uint32_t flow_label;
	int ip_len_lie, udp_len_lie; /* added to the right lengths */
	bool bad_header_sum;
	enum twin_sum sum;
	uint16_t sum_error; /* of TWIN_SUM_WRONG: 1 to 0xfffe */
	uint8_t trailer;
};

/* True if nothing is unusual: no packet of such a shape may be passed up for its headers. */
bool twin_shape_is_plain(const struct twin_shape *shape, enum addr_family family);

/* Returns the length. Addresses have one family. */
size_t twin_frame_build(const struct twin_shape *shape, const struct addr *src,
			const struct addr *dst, struct span payload,
			uint8_t ret[static TWIN_FRAME_MAX]);

/* Draws a shape that is plain two times of three. */
void twin_shape_draw(struct twin_random *random, enum addr_family family,
		     struct twin_shape *ret_shape);

#endif
