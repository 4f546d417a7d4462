/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames from descriptions, for XDP tests: what goes in and what must come out are built by the
 * same code, which computes every checksum from scratch and shares nothing with the program under
 * test but the map ABI's leg.
 */
#ifndef TURNPIKE_TESTS_FRAME_H
#define TURNPIKE_TESTS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "turnpike/flow.h"

#define FRAME_MAX     3800 /* more than BPF_PROG_TEST_RUN takes */
#define FRAME_PATCHES 4

enum frame_sum {
	FRAME_SUM_GOOD,
	FRAME_SUM_NONE,	  /* 0: over IPv4 only */
	FRAME_SUM_PSEUDO, /* as a sender on this host leaves it to its device */
	FRAME_SUM_WRONG,  /* off by FRAME_SUM_ERROR */
};

#define FRAME_SUM_ERROR 0x1234

enum frame_layer {
	FRAME_ETHERNET,
	FRAME_IP,
	FRAME_UDP,
	FRAME_PAYLOAD,
	FRAME_DATA, /* behind the form's header, if there is one */
	FRAME_LAYER_MAX,
};

/* Bytes put over what is right, before checksums are computed. */
struct frame_patch {
	uint8_t layer; /* enum frame_layer */
	uint16_t offset;
	uint8_t len;
	uint8_t bytes[16];
};

enum frame_indication {
	FRAME_SEND_ADDRESS_FIRST,
	FRAME_SEND_DATA_FIRST,
	FRAME_SEND_FINGERPRINT, /* address, data, FINGERPRINT */
	FRAME_SEND_DATA_FIRST_FINGERPRINT,
	FRAME_DATA_INDICATION,
	FRAME_INDICATION_MAX,
};

/* What an indication says around its data. */
struct frame_message {
	uint8_t kind; /* enum frame_indication */
	uint8_t transaction_id[12];
	union flow_ip peer;
	__be16 port;
	uint8_t family; /* enum flow_family */
};

#define FRAME_TAGS_MAX 3

struct frame {
	struct flow_leg leg; /* addresses, ports, family, form */
	uint8_t dst_mac[6], src_mac[6];
	uint8_t tags;
	struct flow_tag tag[FRAME_TAGS_MAX];
	struct frame_message message; /* of an indication */
	uint16_t size;		      /* bytes of application data */
	const uint8_t *data;	      /* NULL: a pattern */
	uint8_t padding;	      /* bytes behind ChannelData, not zero */
	uint16_t cut;		      /* bytes that lack at the end of the UDP payload */
	uint8_t trailer;	      /* bytes behind the IP packet */
	uint8_t traffic_class;
	uint8_t ttl;
	bool dont_fragment;
	uint16_t id;
	uint32_t flow_label;
	enum frame_sum sum;
	bool bad_header; /* a wrong IPv4 header checksum */
	struct frame_patch patches[FRAME_PATCHES];
};

/* Returns the length. */
size_t frame_build(const struct frame *frame, uint8_t ret[static FRAME_MAX]);
/* Its UDP checksum. */
uint16_t frame_checksum(const struct frame *frame);
/* Gives the data a first word, as the first patch, with which `of` has the wanted checksum. */
void frame_steer(struct frame *frame, struct frame of, uint16_t wanted);
/* Where a layer begins. */
size_t frame_offset(const struct frame *frame, enum frame_layer layer);
uint16_t frame_get16(const uint8_t *at);
void frame_put16(uint8_t *at, uint16_t value);

#endif
