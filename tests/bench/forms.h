/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packets that are measured: one of each form that the program carries, and some that it
 * passes up. Knows what arrives and what is to become of it; knows no program.
 */
#ifndef TURNPIKE_TESTS_FORMS_H
#define TURNPIKE_TESTS_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "turnpike/flow.h"

#define FORMS_FRAME_MAX 2200 /* TWIN_FRAME_MAX */
#define FORMS_DATA_LEN	100  /* a multiple of four: no form needs padding */

/* What `bare` carries; the others are compared with one of these. */
enum forms_reference {
	FORMS_BARE_UP4,
	FORMS_BARE_DOWN4,
	FORMS_BARE_UP6,
	FORMS_BARE_DOWN6,
	FORMS_BARE_ACROSS4,
	FORMS_REFERENCE_MAX,
	FORMS_NO_REFERENCE = FORMS_REFERENCE_MAX,
};

struct form {
	const char *name, *families;
	enum flow_verdict verdict;
	enum forms_reference bare;
	uint8_t payload; /* enum forms_payload */
	uint8_t cut;	 /* bytes behind the data that the program takes off */
	uint16_t channel;
	const char *src, *dst, *peer;
};

enum forms_payload {
	FORMS_DATA,
	FORMS_CHANNEL,
	FORMS_SEND,
	FORMS_SEND_FINGERPRINT,
	FORMS_BINDING,
};

extern const struct form forms[];
extern const size_t forms_count;
/* What arrives at `bare`; their `bare` is their own number. */
extern const struct form forms_references[FORMS_REFERENCE_MAX];

bool forms_is_carried(const struct form *form);
/* The frame as it arrives. Returns its length. */
size_t forms_build(const struct form *form, uint8_t ret[static FORMS_FRAME_MAX]);
/*
 * Whether a frame that left is one that a host would take: its headers and checksums are right and
 * it ends with the data that arrived.
 */
bool forms_is_sound(const uint8_t *frame, size_t len);

#endif
